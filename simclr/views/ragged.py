"""Images of different sizes, such as photographs that have not been cropped yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor


class Ragged(list[Tensor]):
    """A batch of images (3, h, w), each of its own size, that is indexed, moved and divided as a tensor is."""

    def __getitem__(self, index):
        """One image for an int; images as Ragged for a slice or an int64 tensor (n,)."""
        if isinstance(index, Tensor):
            return Ragged(list.__getitem__(self, place) for place in index.tolist())
        item = list.__getitem__(self, index)
        return Ragged(item) if isinstance(index, slice) else item

    @property
    def device(self) -> torch.device:
        """Where the images lie; an empty batch lies on the CPU."""
        return list.__getitem__(self, 0).device if self else torch.device("cpu")

    def map(self, function: Callable[[Tensor], Tensor]) -> Ragged:
        """function(image) of every image, again of any sizes."""
        return Ragged(function(image) for image in self)

    def to(self, device: torch.device | str) -> Ragged:
        """The images on a device."""
        return self.map(lambda image: image.to(device))

    def split(self, size: int) -> Iterator[Ragged]:
        """Consecutive parts of `size` images, the last one with what is left."""
        return (self[start : start + size] for start in range(0, len(self), size))

    def sides(self) -> tuple[Tensor, Tensor]:
        """Heights and widths in pixels, int64 (n,) each, on the CPU."""
        sides = torch.tensor([image.shape[-2:] for image in self], dtype=torch.int64).reshape(-1, 2)
        return sides[:, 0], sides[:, 1]


Images = Tensor | Ragged


def rows_of(images: Images, index: Tensor) -> Images:
    """images[index] for an int64 index (n,) on the CPU, on whatever device a tensor of images lies."""
    return images[index.to(images.device)] if isinstance(images, Tensor) else images[index]


def as_images(images: Tensor | Sequence[Tensor]) -> Images:
    """A plain list of images (3, h, w) as Ragged; anything that can be indexed by a tensor as it is."""
    return Ragged(images) if type(images) in (list, tuple) else images
