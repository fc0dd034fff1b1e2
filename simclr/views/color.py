"""Colour operators on float images (n, 3, H, W), each with one explicit parameter per image, none clipping.

They agree with TensorFlow's operators, which the official code uses, also on pixels outside [0, 1]: a bicubic
crop overshoots, and the overshoot reaches the jitter.
"""

import torch
from torch import Tensor

GREY_WEIGHTS = (0.2989, 0.587, 0.114)
JITTER_OPS = ("brightness", "contrast", "saturation", "hue")  # an order is a permutation of these positions


def adjust_brightness(images: Tensor, value: Tensor, mode: str = "additive") -> Tensor:
    """x + value (the paper's TensorFlow code); x * value if mode is "multiplicative" (torchvision, v2 code).

    value: (n,). Raises ValueError for another mode.
    """
    if mode == "additive":
        return images + _per_image(value, images)
    if mode == "multiplicative":
        return images * _per_image(value, images)
    raise ValueError(f'brightness mode must be "additive" or "multiplicative", found {mode!r}')


def adjust_contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Scale the distance from each channel's own mean (torchvision uses the mean grey of all channels)."""
    mean = images.flatten(2).mean(2)[..., None, None]
    return torch.lerp(mean, images, _per_image(factor, images))


def adjust_saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Multiply HSV saturation by factor >= 0 (n,), at most to 1; hue and value stay.

    With hue and value fixed a colour is linear in its saturation, so no conversion is needed: each channel
    moves towards the value v = max(r, g, b) by the ratio of new to old saturation. That ratio is `factor`, or
    1 / s where the product would exceed 1, or 0 where v is negative (TensorFlow takes such a pixel for grey).
    """
    value, chroma = _value_and_chroma(images)
    ratio = value.div(chroma.clamp_min_(1e-30)).clamp_min_(0)
    ratio = torch.minimum(ratio, _per_image(factor, images))
    return torch.lerp(value, images, ratio)


def adjust_hue(images: Tensor, delta: Tensor) -> Tensor:
    """Turn HSV hue by delta (n,), in turns (1 is a whole turn); value and chroma stay."""
    red, green, blue = images.unbind(1)
    value, chroma = (plane[:, 0] for plane in _value_and_chroma(images))
    scale = chroma.clamp_min(1e-30).reciprocal_()  # hue in sixths of a turn
    hue = torch.where(green == value, 2 + (blue - red) * scale, 4 + (red - green) * scale)
    hue = torch.where(red == value, (green - blue) * scale, hue).add_(6 * delta.to(images)[:, None, None])
    least = value - chroma
    out = torch.empty_like(images)
    # A channel is a trapezoid wave of the hue around 0, 2 or 4: min + chroma * clip(2 - distance, 0, 1).
    for channel, centre in enumerate((0, 2, 4)):
        distance = (hue + (3 - centre)).remainder_(6).sub_(3).abs_()
        torch.addcmul(least, distance.neg_().add_(2).clamp_(0, 1), chroma, out=out[:, channel])
    return out


def grayscale(images: Tensor) -> Tensor:
    """Luminance .2989 R + .587 G + .114 B, in all three channels."""
    red, green, blue = (images[:, c] * weight for c, weight in enumerate(GREY_WEIGHTS))
    return (red + green).add_(blue)[:, None].expand(-1, 3, -1, -1)


def color_jitter(
    images: Tensor,
    brightness: Tensor,
    contrast: Tensor,
    saturation: Tensor,
    hue: Tensor,
    order: Tensor,
    brightness_mode: str = "additive",
    clip: str = "each",
) -> Tensor:
    """The four adjustments in each image's own order, Appendix A.

    brightness, contrast, saturation, hue: (n,), for the functions above. order: int64 (n, 4), rows are
    permutations of 0 .. 3 that index JITTER_OPS; a row of -1 leaves its image untouched. clip: to [0, 1]
    "each" time (the official code) or at the "end" (the paper's sketch). Raises ValueError for another clip
    or brightness mode.
    """
    if clip not in ("each", "end"):
        raise ValueError(f'clip must be "each" or "end", found {clip!r}')
    adjust = (
        lambda x, rows: adjust_brightness(x, brightness[rows], brightness_mode),
        lambda x, rows: adjust_contrast(x, contrast[rows]),
        lambda x, rows: adjust_saturation(x, saturation[rows]),
        lambda x, rows: adjust_hue(x, hue[rows]),
    )
    images = images.clone()
    for position in range(4):
        for op in range(4):
            rows = (order[:, position] == op).nonzero()[:, 0]
            if len(rows):
                here = rows.to(images.device)
                adjusted = adjust[op](images[here], rows)
                images[here] = adjusted.clamp_(0, 1) if clip == "each" or position == 3 else adjusted
    return images


def solarize(images: Tensor, threshold: float = 0.5) -> Tensor:
    """Invert the pixels at or above the threshold."""
    return torch.where(images >= threshold, 1 - images, images)


def equalize(images: Tensor) -> Tensor:
    """Flatten each channel's histogram over 256 levels, as PIL does. Images in [0, 1], rounded to 8 bits."""
    n, channels, height, width = images.shape
    levels = (images * 255).round().to(torch.int64).reshape(n * channels, height * width)
    counts = torch.zeros(n * channels, 256, dtype=torch.int64, device=images.device)
    counts.scatter_add_(1, levels, torch.ones_like(levels))
    total = counts.cumsum(1)
    brightest = counts.gather(1, levels.amax(1, keepdim=True))
    step = (height * width - brightest) // 255
    table = ((total - counts + step // 2) // step.clamp_min(1)).clamp_max(255)
    unchanged = torch.arange(256, device=images.device)  # for a channel of one level, or nearly
    table = torch.where(step > 0, table, unchanged)
    return table.gather(1, levels).reshape(images.shape).to(images.dtype).div_(255)


def _value_and_chroma(images: Tensor) -> tuple[Tensor, Tensor]:
    """max(r, g, b) and max - min, each (n, 1, H, W). By planes: far faster than amax over dimension 1."""
    red, green, blue = images[:, 0:1], images[:, 1:2], images[:, 2:3]
    value = torch.maximum(torch.maximum(red, green), blue)
    return value, value - torch.minimum(torch.minimum(red, green), blue)


def _per_image(value: Tensor, images: Tensor) -> Tensor:
    return value.to(images)[:, None, None, None]
