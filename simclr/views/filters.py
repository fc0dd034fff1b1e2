"""Neighbourhood and geometric operators on float images (n, 3, H, W) in [0, 1], with explicit parameters."""

import torch
import torch.nn.functional as F
from torch import Tensor

from simclr.views.color import grayscale


def gaussian_blur(images: Tensor, sigma: Tensor, kernel_size: int) -> Tensor:
    """Separable Gaussian of standard deviation sigma (n,) pixels, zero outside the image (Appendix A).

    The kernel has 2 * (kernel_size // 2) + 1 taps, as in the official code; its zero padding darkens the
    borders. Each axis is one product with a banded matrix, which is exact, and the same for any batch.
    """
    n, _, height, width = images.shape
    rows, columns = (_gaussian_band(sigma.to(images), kernel_size // 2, side) for side in (height, width))
    across = torch.bmm(images.reshape(n, -1, width), columns)  # the band is symmetric
    return torch.matmul(rows[:, None], across.reshape(images.shape))


def motion_blur(images: Tensor, length: Tensor, angle: Tensor, kernel_size: int) -> Tensor:
    """Average along a line of `length` (n,) pixels, `angle` (n,) radians from the x axis; edge pixels repeat.

    kernel_size: odd side of the kernel, at least the longest line.
    """
    n, channels, height, _ = images.shape
    radius = kernel_size // 2
    offset = torch.arange(-radius, radius + 1, device=images.device, dtype=images.dtype)
    length, angle = length.to(images)[:, None, None], angle.to(images)[:, None, None]
    along = offset * angle.cos() + offset[:, None] * angle.sin()
    across = offset[:, None] * angle.cos() - offset * angle.sin()
    line = (1 - across.abs()).clamp_(0, 1) * ((length + 1) / 2 - along.abs()).clamp_(0, 1)
    line = line / line.sum((1, 2), keepdim=True)
    padded = F.pad(images, (radius,) * 4, mode="replicate").reshape(1, n * channels, height + 2 * radius, -1)
    kernels = line.repeat_interleave(channels, dim=0)[:, None]
    return F.conv2d(padded, kernels, groups=n * channels).reshape(images.shape)


def sobel(images: Tensor) -> Tensor:
    """Horizontal Sobel gradient g of the luminance as a relief: 0.5 + 0.5 g / max |g|. Edge pixels repeat."""
    grey = F.pad(grayscale(images)[:, :1], (1, 1, 1, 1), mode="replicate")
    smooth = grey[:, :, :-2] + 2 * grey[:, :, 1:-1] + grey[:, :, 2:]
    gradient = smooth[..., 2:] - smooth[..., :-2]
    peak = gradient.abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-6)  # a flat image is flat grey
    return (0.5 + 0.5 * gradient / peak).expand_as(images)


def gaussian_noise(images: Tensor, sigma: Tensor, noise: Tensor) -> Tensor:
    """images + sigma (n,) * noise (n, 3, H, W), clipped to [0, 1]."""
    return torch.addcmul(images, sigma.to(images)[:, None, None, None], noise.to(images)).clamp_(0, 1)


def cutout(images: Tensor, centre: Tensor, side: int, fill: float = 0.5) -> Tensor:
    """Fill the square of `side` pixels around centre (n, 2) = (y, x); what hangs over the edge is lost."""
    top, left = (centre.to(images.device) - side // 2)[:, :, None].unbind(1)
    y, x = (torch.arange(extent, device=images.device) for extent in images.shape[-2:])
    rows, columns = (y >= top) & (y < top + side), (x >= left) & (x < left + side)
    return images.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], fill)


def rotate(images: Tensor, quarter_turns: Tensor) -> Tensor:
    """Turn square images counter-clockwise by quarter_turns (n,), 0 .. 3. Raises ValueError unless H == W."""
    if images.shape[-1] != images.shape[-2]:
        found = tuple(images.shape[-2:])
        raise ValueError(f"rotate needs square images, found {found}: crop or resize first")
    turned = images.clone()
    for turns in (1, 2, 3):
        rows = (quarter_turns == turns).nonzero()[:, 0].to(images.device)
        turned[rows] = torch.rot90(images[rows], turns, (2, 3))
    return turned


def autoaugment(images: Tensor, seeds: Tensor, policy: str = "imagenet") -> Tensor:
    """torchvision's AutoAugment policy "imagenet" or "cifar10" (Cubuk et al., 2019), on 8-bit images.

    seeds: int64 (n,). torchvision draws from torch's global CPU generator, so that is seeded for each image
    and put back afterwards. Raises ValueError for another policy.
    """
    from torchvision.transforms import AutoAugment, AutoAugmentPolicy

    if policy not in ("imagenet", "cifar10"):
        raise ValueError(f'autoaugment policy must be "imagenet" or "cifar10", found {policy!r}')
    augment = AutoAugment(AutoAugmentPolicy(policy))
    augmented = []
    with torch.random.fork_rng(devices=[]):
        for image, seed in zip((images * 255).round().to(torch.uint8), seeds.tolist(), strict=True):
            torch.default_generator.manual_seed(seed)
            augmented.append(augment(image))
    return torch.stack(augmented).to(images.dtype).div_(255)


def _gaussian_band(sigma: Tensor, radius: int, side: int) -> Tensor:
    """(n, side, side) matrices that convolve an axis with a normalised Gaussian of 2 * radius + 1 taps."""
    position = torch.arange(side, device=sigma.device)
    distance = (position[:, None] - position).abs()
    taps = torch.arange(radius + 1, device=sigma.device, dtype=sigma.dtype)
    kernel = torch.exp(-0.5 * (taps / sigma[:, None]) ** 2)
    kernel = kernel / (2 * kernel.sum(1, keepdim=True) - kernel[:, :1])
    return F.pad(kernel, (0, max(0, side - radius - 1)))[:, distance]
