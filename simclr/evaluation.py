"""The output of a network on a whole data set without augmentation, a part at a time."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from simclr.distributed import gather_rows, rank, world_size
from simclr.precision import encoded
from simclr.views import ImageCollection, Images, as_images, evaluation_view, rows_of

BATCH = 500
PHOTOGRAPHS = 100  # at a time: at their own size one may take megabytes


@torch.no_grad()
def evaluated_parts(
    network: nn.Module,
    images: ImageCollection,
    size: int,
    view: Callable[[Images, int], Tensor] = evaluation_view,
    batch: int | None = None,
    precision: str = "float32",
    index: Tensor | None = None,
) -> Iterator[Tensor]:
    """What `network`, in evaluation mode, gives for uint8 images under the test preprocessing `view`: parts (p, d).

    images: (n, 3, H, W), or photographs of different sizes, read a part at a time. size: of the views, pixels;
    batch: images at a time. precision: see simclr.precision; the result is float32, except for "float64". index: the
    numbers of the wanted images, int64 (m,); by default all.
    """
    network.eval()
    images = as_images(images)
    batch = batch or BATCH
    batch = batch if isinstance(images, Tensor) else min(batch, PHOTOGRAPHS)
    chosen = images.split(batch) if index is None else (rows_of(images, rows) for rows in index.split(batch))
    for part in chosen:
        yield encoded(network, view(part, size), precision)


def evaluated(
    network: nn.Module,
    images: ImageCollection,
    size: int,
    view: Callable[[Images, int], Tensor] = evaluation_view,
    batch: int | None = None,
    precision: str = "float32",
) -> Tensor:
    """The parts of `evaluated_parts` as one tensor (n, d).

    With several processes each computes its share of the images, and all get the whole.
    """
    n = len(images)
    if world_size() == 1 or n < world_size():
        return torch.cat(list(evaluated_parts(network, images, size, view, batch, precision)))
    shares = shares_of(n)
    own = torch.cat(list(evaluated_parts(network, images, size, view, batch, precision, shares[rank()])))
    # All must give equally many rows; what fills them up is cut off again.
    filled = torch.cat([own, own[-1:].expand(len(shares[0]) - len(own), -1)])
    everywhere = gather_rows(filled).chunk(world_size())
    return torch.cat([rows[: len(share)] for rows, share in zip(everywhere, shares, strict=True)])


def shares_of(n: int) -> tuple[Tensor, ...]:
    """The numbers below n cut into a consecutive share for each process, the longer ones first: int64 (m,) each."""
    return torch.arange(n).tensor_split(world_size())
