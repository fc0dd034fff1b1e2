"""Images as a training or an evaluation gets them, however and wherever they are held."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from simclr.views.ragged import Images


@runtime_checkable
class ImageCollection(Protocol):
    """n images that are read by their numbers: a tensor (n, 3, H, W), `Ragged`, photographs on disk, rows of these.

    Pixels are uint8, or float in [0, 1]. What is read is a tensor (m, 3, H, W) where all images have one size, else
    `Ragged`, in both cases on `device` and in the order that was asked for. Reading twice gives equal bytes.
    """

    @property
    def device(self) -> torch.device:
        """Where the images that are read lie; a tensor is indexed there, and the others from the CPU."""

    def __len__(self) -> int:
        """n."""

    def __getitem__(self, index: Tensor, /) -> Images:
        """The images of these numbers, int64 (m,), each of them any number of times."""

    def split(self, size: int, /) -> Iterable[Images]:
        """Consecutive parts of `size` images, the last one with what is left; together all n."""


class Update(NamedTuple):
    """The images of one update of a training: their addresses in `epoch`, and their numbers in the collection."""

    epoch: int
    index: Tensor  # int64 (n,)
    rows: Tensor  # int64 (n,): `index`, unless the collection is a part of a larger one


@dataclass(frozen=True)
class Begun:
    """A batch of n images whose views are begun, as `ViewPolicy.begin` leaves them: its policy is called with it.

    views: float32 (v, n, 3, size, size), or one for all views (1, n, ...) where they share their crop.
    """

    views: Tensor

    def __len__(self) -> int:
        return self.views.shape[1]

    def to(self, device: torch.device | str) -> Begun:
        """The same on a device."""
        return Begun(self.views.to(device))


Begin = Callable[[Images, Tensor, int], Tensor]  # images, index, epoch -> what `ViewPolicy.begin` gives


@runtime_checkable
class ReadsAhead(ImageCollection, Protocol):
    """A collection that reads, and begins the views, while the training computes."""

    def ahead(self, updates: Iterator[Update], begin: Begin, /) -> Iterator[Tensor]:
        """begin(images, index, epoch) of each update, in order, as if it were called when its turn comes."""
