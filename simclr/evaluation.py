"""A network over a whole data set without augmentation, a part at a time."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from simclr.precision import encoded
from simclr.views import ImageCollection, Images, as_images, evaluation_view

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
) -> Iterator[Tensor]:
    """What `network`, in evaluation mode, gives for uint8 images under the test preprocessing `view`: parts (p, d).

    images: (n, 3, H, W), or photographs of different sizes, read a part at a time. size: of the views, pixels;
    batch: images at a time. precision: see simclr.precision; the result is float32 but for "float64".
    """
    network.eval()
    images = as_images(images)
    batch = batch or BATCH
    for part in images.split(batch if isinstance(images, Tensor) else min(batch, PHOTOGRAPHS)):
        yield encoded(network, view(part, size), precision)


def evaluated(
    network: nn.Module,
    images: ImageCollection,
    size: int,
    view: Callable[[Images, int], Tensor] = evaluation_view,
    batch: int | None = None,
    precision: str = "float32",
) -> Tensor:
    """The parts of `evaluated_parts` as one tensor (n, d)."""
    return torch.cat(list(evaluated_parts(network, images, size, view, batch, precision)))
