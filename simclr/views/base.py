"""The base of every operator of a view policy: settings from gin, draws at an address, batched pixels."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Annotated

import torch
from torch import Tensor

from simclr import randomness
from simclr.declared import Between

Drawn = dict[str, Tensor]


@dataclass(frozen=True)
class Address:
    """Where draws are used. index and view are int64 (n,) on one device; draws come out on that device."""

    seed: int
    purpose: str
    epoch: int
    index: Tensor
    view: Tensor

    def uniform(self, count: int) -> Tensor:
        return randomness.uniform(self.seed, self.purpose, self.epoch, self.index, self.view, count)

    def normal(self, count: int) -> Tensor:
        return randomness.normal(self.seed, self.purpose, self.epoch, self.index, self.view, count)

    def under(self, name: str) -> "Address":
        """The same images under a longer purpose: draws independent of this address's."""
        return replace(self, purpose=f"{self.purpose}/{name}")

    def at(self, rows: Tensor) -> "Address":
        return replace(self, index=self.index[rows], view=self.view[rows])

    def to(self, device: torch.device) -> "Address":
        return replace(self, index=self.index.to(device), view=self.view.to(device))


class Operator:
    """op(images, address, size) -> (images, drawn).

    images: float (n, 3, H, W); size: the policy's output side, which only a crop changes the images to.
    drawn: the parameters by name, one row per image, on the address's device.
    """

    overshoots = False  # may its output leave [0, 1]?
    accepts_overshoot = False  # else the policy clips such an input first
    takes_ragged = False  # else the policy applies it to images of different sizes one by one

    def __call__(self, images: Tensor, address: Address, size: int) -> tuple[Tensor, Drawn]:
        raise NotImplementedError


@dataclass(frozen=True)
class Sometimes(Operator):
    """An operator that meets each image with a probability; the pixels of the others are not computed."""

    probability: Annotated[float, Between(0, 1)] = 1.0

    def draw(self, address: Address, images: Tensor) -> Drawn:
        """Parameters of all images, also of those the operator will not meet."""
        return {}

    def apply(self, images: Tensor, drawn: Drawn, address: Address) -> Tensor:
        raise NotImplementedError

    def __call__(self, images: Tensor, address: Address, size: int) -> tuple[Tensor, Drawn]:
        applied = address.uniform(1)[:, 0] < self.probability
        drawn = self.draw(address.under("parameters"), images)
        rows = applied.nonzero()[:, 0]
        if len(rows):
            here = rows.to(images.device)
            chosen = {name: value[rows] for name, value in drawn.items()}
            images = images.index_copy(0, here, self.apply(images[here], chosen, address.at(rows)))
        return images, {"applied": applied} | drawn


def between(unit: Tensor, bounds: tuple[float, float]) -> Tensor:
    """Uniform [0, 1) -> uniform between the bounds."""
    return bounds[0] + (bounds[1] - bounds[0]) * unit


def require_choice(setting: str, value: str, choices: Collection[str]) -> None:
    if value not in choices:
        raise ValueError(f"{setting} must be one of {', '.join(choices)}; found {value!r}")
