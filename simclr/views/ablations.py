"""The other operators the paper tries: figures 4 and 5, table 1 (AutoAugment), table 3, and Appendix B.2.

The paper gives neither parameters nor probabilities for these. The numbers here are ours, read off Figure 4
where it shows them.
"""

import math
from dataclasses import dataclass
from typing import Annotated

import gin
import torch
from torch import Tensor

from simclr.declared import Above, AtLeast, Between, OneOf, Rising
from simclr.views import color, filters
from simclr.views.base import Address, Drawn, Sometimes, between


@gin.configurable("cutout")
@dataclass(frozen=True)
class Cutout(Sometimes):
    """A square of `side` times the image's side, filled, around a uniform centre. Draws "centre"."""

    side: Annotated[float, Above(0), Between(0, 1)] = 0.5
    fill: Annotated[float, Between(0, 1)] = 0.5

    def draw(self, address: Address, images: Tensor) -> Drawn:
        unit = address.uniform(2)
        return {"centre": (unit * torch.tensor(images.shape[-2:], device=unit.device)).to(torch.int64)}

    def apply(self, images: Tensor, drawn: Drawn, address: Address) -> Tensor:
        side = round(self.side * min(images.shape[-2:]))
        return filters.cutout(images, drawn["centre"], side, self.fill)


@gin.configurable("gaussian_noise")
@dataclass(frozen=True)
class GaussianNoise(Sometimes):
    """Independent noise on every pixel and channel, of one uniform sigma per image. Draws "sigma"."""

    sigma: Annotated[tuple[float, float], AtLeast(0), Rising()] = (0.0, 0.2)

    def draw(self, address: Address, images: Tensor) -> Drawn:
        return {"sigma": between(address.uniform(1)[:, 0], self.sigma)}

    def apply(self, images: Tensor, drawn: Drawn, address: Address) -> Tensor:
        noise = address.to(images.device).under("field").normal(images[0].numel())
        return filters.gaussian_noise(images, drawn["sigma"], noise.reshape(images.shape))


@gin.configurable("rotate")
@dataclass(frozen=True)
class Rotate(Sometimes):
    """A counter-clockwise turn by one of `angles` degrees (Table 3 adds 0). Draws "angle"."""

    angles: Annotated[tuple[int, ...], OneOf(0, 90, 180, 270)] = (90, 180, 270)

    def __post_init__(self) -> None:
        if not self.angles or any(angle not in (0, 90, 180, 270) for angle in self.angles):
            raise ValueError(f"rotate.angles must be some of 0, 90, 180 and 270; found {self.angles}")

    def draw(self, address: Address, images: Tensor) -> Drawn:
        choice = (address.uniform(1)[:, 0] * len(self.angles)).to(torch.int64)
        return {"angle": torch.tensor(self.angles, device=choice.device)[choice]}

    def apply(self, images: Tensor, drawn: Drawn, address: Address) -> Tensor:
        return filters.rotate(images, drawn["angle"] // 90)


@gin.configurable("sobel")
@dataclass(frozen=True)
class Sobel(Sometimes):
    """The grey relief of `filters.sobel`."""

    def apply(self, images: Tensor, drawn: Drawn, address: Address) -> Tensor:
        return filters.sobel(images)


@gin.configurable("autoaugment")
@dataclass(frozen=True)
class AutoAugment(Sometimes):
    """A learned policy, "imagenet" or "cifar10", on 8-bit images (see `filters.autoaugment`)."""

    policy: Annotated[str, OneOf("imagenet", "cifar10")] = "imagenet"

    def apply(self, images: Tensor, drawn: Drawn, address: Address) -> Tensor:
        seeds = (address.under("seed").uniform(1)[:, 0] * 2**24).to(torch.int64)
        return filters.autoaugment(images, seeds, self.policy)


@gin.configurable("equalize")
@dataclass(frozen=True)
class Equalize(Sometimes):
    """Histogram equalisation (Appendix B.2)."""

    probability: Annotated[float, Between(0, 1)] = 0.2

    def apply(self, images: Tensor, drawn: Drawn, address: Address) -> Tensor:
        return color.equalize(images)


@gin.configurable("solarize")
@dataclass(frozen=True)
class Solarize(Sometimes):
    """Inversion of the pixels at or above `threshold` (Appendix B.2)."""

    probability: Annotated[float, Between(0, 1)] = 0.2
    threshold: Annotated[float, Between(0, 1)] = 0.5

    def apply(self, images: Tensor, drawn: Drawn, address: Address) -> Tensor:
        return color.solarize(images, self.threshold)


@gin.configurable("motion_blur")
@dataclass(frozen=True)
class MotionBlur(Sometimes):
    """Blur along a line, a uniform share of the side long (B.2). Draws "length" in pixels and "angle"."""

    probability: Annotated[float, Between(0, 1)] = 0.2
    length: Annotated[tuple[float, float], Above(0), Between(0, 1), Rising()] = (0.05, 0.15)

    def draw(self, address: Address, images: Tensor) -> Drawn:
        unit = address.uniform(2)
        return {"length": images.shape[-1] * between(unit[:, 0], self.length), "angle": math.pi * unit[:, 1]}

    def apply(self, images: Tensor, drawn: Drawn, address: Address) -> Tensor:
        longest = math.ceil(images.shape[-1] * self.length[1])
        return filters.motion_blur(images, drawn["length"], drawn["angle"], longest + 1 - longest % 2)
