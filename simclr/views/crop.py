"""Crop boxes: the paper's sampler, the official code's sampler, and the centre crop of evaluation.

A box is a row (y, x, height, width) in pixels. Both samplers try again when a proposal does not fit. They ask
`uniforms(rows, attempts)` for draws (rows, attempts, 4) in [0, 1), where a longer draw continues a shorter
one: a box then depends only on its own draws, and not on which other images of the batch failed.
"""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from simclr.views.ragged import Images, Ragged, as_images
from simclr.views.resample import as_float, resize, resize_shorter_side, resized_crop

Range = tuple[float, float]
Sides = int | Tensor  # of all images, or int64 (n,), one of each
Uniforms = Callable[[Tensor, int], Tensor]
Proposals = tuple[Tensor, Tensor]  # boxes (rows, attempts, 4) and whether each fits (rows, attempts)
EAGER = 2  # attempts drawn for every row; about 1 percent of the rows need more (6 if the image is oblong)


def crop_boxes_torchvision(
    uniforms: Uniforms, n: int, height: Sides, width: Sides, area: Range, aspect: Range, attempts: int = 10
) -> Tensor:
    """n boxes int64 (n, 4) as torchvision's RandomResizedCrop finds them: the paper's words, Appendix A.

    height and width are those of all images, or int64 (n,). The area is uniform in `area` (a fraction of the
    image), the aspect w / h log-uniform in `aspect`. After the last attempt the box is the image's centre, with
    the nearest admissible aspect.
    """
    propose = partial(_propose_torchvision, area=area, aspect=aspect)
    fallback = partial(_centre_box, aspect=aspect)
    return _first_fitting(propose, uniforms, _sides(n, height), _sides(n, width), attempts, fallback)


def crop_boxes_official(
    uniforms: Uniforms, n: int, height: Sides, width: Sides, area: Range, aspect: Range, attempts: int = 100
) -> Tensor:
    """n boxes int64 (n, 4) as TensorFlow's sample_distorted_bounding_box finds them for the official code.

    The aspect w / h is uniform in `aspect`, then the height is uniform among those whose area lies in `area`:
    large areas are rarer than under a uniform area. Boxes that cover less than 0.1 of the image never occur.
    After the last attempt the box is the whole image. TensorFlow never draws the last possible offset;
    neither does this.
    """
    propose = partial(_propose_official, area=area, aspect=aspect)
    return _first_fitting(propose, uniforms, _sides(n, height), _sides(n, width), attempts, _whole_box)


def centre_box(height: int, width: int, proportion: float = 0.875) -> tuple[int, int, int, int]:
    """The square box of `proportion` of the shorter side at the image's centre: the official test crop."""
    side = round(proportion * min(height, width))
    return (height - side + 1) // 2, (width - side + 1) // 2, side, side


def evaluation_view(
    images: Images,
    size: int,
    crop: bool | None = None,
    proportion: float = 0.875,
    resample: str = "bicubic_tf2",
) -> Tensor:
    """The official test preprocessing: centre crop, one resize, clip.

    images: uint8, or float in [0, 1], (n, c, H, W), or a list of images (c, h, w). Returns float32
    (n, c, size, size).
    crop: whether to crop; None means only for size > 32, as in the official code, where images up to 32
    pixels are left alone. (If they do not have `size` they are resized here.)
    """
    images = as_images(images)
    images = images if isinstance(images, Ragged) else as_float(images)
    if not (crop or (crop is None and size > 32)):
        return resize(images, size, resample).clamp(0, 1)
    if isinstance(images, Ragged):
        boxes = torch.tensor([centre_box(*image.shape[-2:], proportion) for image in images]).reshape(-1, 4)
    else:
        boxes = torch.tensor([centre_box(*images.shape[-2:], proportion)]).expand(len(images), 4)
    return resized_crop(images, boxes, size, None, resample).clamp_(0, 1)


def shorter_side_view(images: Images, size: int, resample: str = "bicubic_tf2") -> Tensor:
    """The preprocessing of the transfer experiments (Appendix B.8): shorter side to `size`, centre crop of `size`.

    images: uint8, or float in [0, 1], (n, c, H, W), or a list of images (c, h, w), as `evaluation_view` has them.
    Returns float32 (n, c, size, size), clipped; images that have this size already stay as they are.
    """
    images = as_images(images)
    images = images if isinstance(images, Ragged) else as_float(images)
    return resize_shorter_side(images, size, resample).clamp_(0, 1)


def _sides(n: int, side: Sides) -> Tensor:
    return torch.as_tensor(side, dtype=torch.float64).expand(n)


def _first_fitting(
    propose: Callable[..., Proposals],
    uniforms: Uniforms,
    heights: Tensor,
    widths: Tensor,
    attempts: int,
    fallback: Callable[[int, int], tuple],
) -> Tensor:
    """Each row's first proposal that fits, else the fallback. Few rows need many attempts, so draw lazily."""
    n = len(heights)
    rows, tried = torch.arange(n), min(EAGER, attempts)
    boxes = torch.empty(n, 4, dtype=torch.int64)
    while True:
        unit = uniforms(rows, tried).to(torch.float64)
        proposed, fits = propose(unit, height=heights[rows, None], width=widths[rows, None])
        first = fits.to(torch.uint8).argmax(1)
        boxes[rows] = proposed[torch.arange(len(rows)), first].to(torch.int64)
        rows = rows[~fits.any(1)]
        if len(rows) == 0:
            return boxes
        if tried == attempts:
            sides = torch.stack([heights[rows], widths[rows]], dim=1).to(torch.int64).tolist()
            boxes[rows] = torch.tensor([fallback(*both) for both in sides])
            return boxes
        tried = min(8 * tried, attempts)


def _propose_torchvision(
    unit: Tensor, height: Tensor, width: Tensor, area: Range, aspect: Range
) -> Proposals:
    """Uniforms (area, aspect, y, x) -> boxes; sides float64 (rows, 1)."""
    pixels = height * width * _between(unit[..., 0], area)
    ratio = _between(unit[..., 1], (math.log(aspect[0]), math.log(aspect[1]))).exp()
    h, w = (pixels / ratio).sqrt().round(), (pixels * ratio).sqrt().round()
    y, x = (unit[..., 2] * (height - h + 1)).floor(), (unit[..., 3] * (width - w + 1)).floor()
    return torch.stack([y, x, h, w], dim=-1), (h > 0) & (h <= height) & (w > 0) & (w <= width)


def _propose_official(unit: Tensor, height: Tensor, width: Tensor, area: Range, aspect: Range) -> Proposals:
    """Uniforms (aspect, height, y, x) -> boxes; sides float64 (rows, 1)."""
    smallest, largest = area[0] * height * width, area[1] * height * width
    ratio = _between(unit[..., 0], aspect)
    widest = ((width + 0.5) / ratio).floor()  # the largest height whose width rounds to at most the image's,
    widest = torch.where((widest * ratio).round() > width, widest - 1, widest)  # or one more before this line
    high = torch.minimum((largest / ratio).sqrt().round(), widest).minimum(height)
    low = torch.minimum((smallest / ratio).sqrt().round(), high)
    h = low + (unit[..., 1] * (high - low + 1)).floor()
    # Rounding can miss the range of areas by one row.
    h = torch.where(h * (h * ratio).round() < smallest, h + 1, h)
    h = torch.where(h * (h * ratio).round() > largest, h - 1, h)
    w = (h * ratio).round()
    covered = h * w / (height * width)
    fits = (covered >= max(area[0], 0.1)) & (covered <= area[1]) & (h <= height) & (w <= width)
    y, x = (unit[..., 2] * (height - h)).floor(), (unit[..., 3] * (width - w)).floor()
    return torch.stack([y, x, h, w], dim=-1), fits


def _centre_box(height: int, width: int, aspect: Range) -> tuple[int, int, int, int]:
    h, w = min(height, round(width / aspect[0])), min(width, round(height * aspect[1]))
    return (height - h) // 2, (width - w) // 2, h, w


def _whole_box(height: int, width: int) -> tuple[int, int, int, int]:
    return 0, 0, height, width


def _between(unit: Tensor, bounds: Range) -> Tensor:
    return bounds[0] + (bounds[1] - bounds[0]) * unit
