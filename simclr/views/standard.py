"""The operators of the paper's default policy (Appendix A): crop, flip, colour distortion, blur."""

import itertools
from dataclasses import dataclass, replace
from typing import Annotated

import gin
import torch
from torch import Tensor

from simclr.declared import Above, AtLeast, Between, OneOf, Rising
from simclr.views import color, crop, filters
from simclr.views.base import Address, Drawn, Operator, Sometimes, between, require_choice
from simclr.views.ragged import Images, Ragged
from simclr.views.resample import resized_crop

SAMPLERS = {"torchvision": crop.crop_boxes_torchvision, "official": crop.crop_boxes_official}
ORDERS = torch.tensor(list(itertools.permutations(range(4))))
SHARE_OF_STRENGTH = torch.tensor([0.8, 0.8, 0.8, 0.2])  # of brightness, contrast, saturation, hue


@gin.configurable("random_crop")
@dataclass(frozen=True)
class RandomCrop(Operator):
    """Random resized crop. sampler: "torchvision" (the paper's words) or "official" (the code: TensorFlow).

    area: fractions of the image; aspect: w / h; resample: see `resized_crop`. The output is not clipped.
    A Ragged batch is cropped image by image, each within its own size. Draws "box".
    """

    sampler: Annotated[str, OneOf(*SAMPLERS)] = "torchvision"
    area: Annotated[tuple[float, float], Above(0), Between(0, 1), Rising()] = (0.08, 1.0)
    aspect: Annotated[tuple[float, float], Above(0), Rising()] = (3 / 4, 4 / 3)
    resample: Annotated[str, OneOf("bicubic_tf2", "bicubic_tf1", "bilinear")] = "bicubic_tf2"
    overshoots = True
    takes_ragged = True

    def __post_init__(self) -> None:
        require_choice("random_crop.sampler", self.sampler, SAMPLERS)

    def __call__(self, images: Images, address: Address, size: int) -> tuple[Tensor, Drawn]:
        def uniforms(rows: Tensor, attempts: int) -> Tensor:
            draws = address.at(rows.to(address.index.device)).uniform(4 * attempts)
            return draws.reshape(len(rows), attempts, 4).cpu()

        sides = images.sides() if isinstance(images, Ragged) else images.shape[-2:]
        boxes = SAMPLERS[self.sampler](uniforms, len(images), *sides, self.area, self.aspect)
        return resized_crop(images, boxes, size, None, self.resample), {"box": boxes}


@gin.configurable("random_flip")
@dataclass(frozen=True)
class RandomFlip(Sometimes):
    """Left-right mirror image."""

    probability: Annotated[float, Between(0, 1)] = 0.5
    accepts_overshoot = True

    def apply(self, images: Tensor, drawn: Drawn, address: Address) -> Tensor:
        return images.flip(3)


@gin.configurable("grayscale")
@dataclass(frozen=True)
class Grayscale(Sometimes):
    """Grey alone ("colour drop"), without the jitter of colour distortion."""

    probability: Annotated[float, Between(0, 1)] = 0.2
    accepts_overshoot = True

    def apply(self, images: Tensor, drawn: Drawn, address: Address) -> Tensor:
        return color.grayscale(images)


@gin.configurable("color_distortion")
@dataclass(frozen=True)
class ColorDistortion(Operator):
    """Jitter of strength s (brightness, contrast and saturation 0.8 s, hue 0.2 s), then grey; s = 1 is Appendix A's.

    brightness_mode and clip: see `color_jitter`. random_order: the official code's random order of the four
    adjustments, or the fixed order of the paper's sketch. Draws the four factors, "order", "jittered" and
    "grey".
    """

    strength: Annotated[float, AtLeast(0)] = 1.0
    brightness_mode: Annotated[str, OneOf("additive", "multiplicative")] = "additive"
    clip: Annotated[str, OneOf("each", "end")] = "each"
    jitter_probability: Annotated[float, Between(0, 1)] = 0.8
    grey_probability: Annotated[float, Between(0, 1)] = 0.2
    random_order: bool = True
    accepts_overshoot = True

    def draw(self, address: Address) -> Drawn:
        unit = address.uniform(7)
        shift = (2 * unit[:, :4] - 1) * (self.strength * SHARE_OF_STRENGTH.to(unit.device))
        factor = (1 + shift).clamp_min(0)
        code = (unit[:, 6] * len(ORDERS)).to(torch.int64) * self.random_order
        return {
            "brightness": shift[:, 0] if self.brightness_mode == "additive" else factor[:, 0],
            "contrast": factor[:, 1],
            "saturation": factor[:, 2],
            "hue": shift[:, 3],
            "order": ORDERS.to(unit.device)[code],
            "jittered": unit[:, 4] < self.jitter_probability,
            "grey": unit[:, 5] < self.grey_probability,
        }

    def __call__(self, images: Tensor, address: Address, size: int) -> tuple[Tensor, Drawn]:
        drawn = self.draw(address)
        order = drawn["order"].masked_fill(~drawn["jittered"][:, None], -1)
        factors = [drawn[name] for name in color.JITTER_OPS]
        images = color.color_jitter(images, *factors, order, self.brightness_mode, self.clip)
        grey = drawn["grey"].nonzero()[:, 0].to(images.device)
        return images.index_copy_(0, grey, color.grayscale(images[grey])), drawn


@gin.configurable("gaussian_blur")
@dataclass(frozen=True)
class GaussianBlur(Sometimes):
    """Gaussian blur, sigma uniform in pixels, kernel a tenth of the side (so that 16 pixels are not blurred).

    sigma_per: "image" (the paper's words) or "batch" (the official code: all images of a call share the draw
    of its first one, and views then depend on how the batch is made up). Draws "applied" and "sigma".
    """

    probability: Annotated[float, Between(0, 1)] = 0.5
    sigma: Annotated[tuple[float, float], Above(0), Rising()] = (0.1, 2.0)
    kernel_fraction: Annotated[float, Above(0), Between(0, 1)] = 0.1
    sigma_per: str = "image"

    def __post_init__(self) -> None:
        require_choice("gaussian_blur.sigma_per", self.sigma_per, ("image", "batch"))

    def draw(self, address: Address, images: Tensor) -> Drawn:
        if self.sigma_per == "batch":
            address = replace(address, index=address.index[:1].expand_as(address.index))
        return {"sigma": between(address.uniform(1)[:, 0], self.sigma)}

    def apply(self, images: Tensor, drawn: Drawn, address: Address) -> Tensor:
        return filters.gaussian_blur(images, drawn["sigma"], int(self.kernel_fraction * images.shape[-1]))
