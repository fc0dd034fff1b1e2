"""A network over a whole data set without augmentation, a part at a time."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from simclr.views import Images, as_images, evaluation_view

BATCH = 500
PHOTOGRAPHS = 100  # at a time: at their own size one may take megabytes


@torch.no_grad()
def evaluated(
    network: nn.Module,
    images: Images,
    size: int,
    view: Callable[[Images, int], Tensor] = evaluation_view,
    batch: int | None = None,
) -> Tensor:
    """What `network`, put into evaluation mode, gives (n, d) for uint8 images under the test preprocessing `view`.

    images: (n, 3, H, W), or photographs of different sizes, read a part at a time. size: of the views, pixels;
    batch: images at a time.
    """
    network.eval()
    images = as_images(images)
    batch = batch or BATCH
    parts = images.split(batch if isinstance(images, Tensor) else min(batch, PHOTOGRAPHS))
    return torch.cat([network(view(part, size).to(memory_format=torch.channels_last)) for part in parts])
