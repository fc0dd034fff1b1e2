"""Resampling of crops, an axis at a time: as two small matrix products, or as sums of few rows of each photograph."""

import functools

import torch
import torch.nn.functional as F
from torch import Tensor

from simclr.views.ragged import Images, Ragged

# TensorFlow rounds the fractional position to 1/1024; following it reproduces its pixels.
TABLE_STEPS = 1024
Taps = tuple[Tensor, Tensor]  # pixels int64 and weights


def resized_crop(
    images: Images, boxes: Tensor, size: int, flip: Tensor | None = None, resample: str = "bicubic_tf2"
) -> Tensor:
    """Cut boxes int64 (n, 4) of (y, x, height, width) out of float images (n, c, H, W) -> (n, c, size, size).

    images may be Ragged (each box then lies in its own image) and in that case also uint8. flip: optional bool (n,),
    which outputs to mirror left-right. resample:
      "bicubic_tf2"  Keys' cubic, a = -0.5, pixel centres at +0.5; taps outside the crop get no weight
      "bicubic_tf1"  a = -0.75, no half-pixel offset, the crop's edge pixels repeat (TensorFlow 1, legacy)
      "bilinear"     triangle kernel, pixel centres at +0.5, edge pixels repeat
    None antialiases and none clips: the bicubics overshoot [0, 1], and the official code lets that overshoot
    reach the colour operators. Raises ValueError for another method.
    """
    if isinstance(images, Ragged):
        return _ragged_crop(images, boxes, size, flip, resample)
    height, width = images.shape[-2:]
    y, x, h, w = boxes.to(images.device).unbind(1)
    rows = _axis_weights(y, h, height, size, None, resample).to(images.dtype)
    columns = _axis_weights(x, w, width, size, flip, resample).to(images.dtype)
    # Columns first: the product that remains is then of `size` columns, however wide the images are.
    narrow = torch.bmm(images.reshape(len(images), -1, width), columns.mT)
    narrow = narrow.reshape(len(images), -1, height, size)
    return torch.matmul(rows[:, None], narrow)


def resize(images: Images, size: int, resample: str = "bicubic_tf2") -> Tensor:
    """Resample whole images (n, c, H, W), or Ragged, to (n, c, size, size), also when that changes their aspect."""
    if isinstance(images, Ragged):
        heights, widths = images.sides()
        whole = torch.stack([torch.zeros_like(heights), torch.zeros_like(widths), heights, widths], dim=1)
        return resized_crop(images, whole, size, None, resample)
    height, width = images.shape[-2:]
    if height == width == size:
        return images
    whole = torch.tensor([[0, 0, height, width]]).expand(len(images), 4)
    return resized_crop(images, whole, size, None, resample)


def resize_shorter_side(images: Images, size: int, resample: str = "bicubic_tf2") -> Tensor:
    """The central (n, c, size, size) of float images (n, c, H, W), or Ragged, whose shorter side becomes `size`.

    The longer side becomes round(size x longer / shorter); columns outside the centre are not computed, but pixels
    beside it count at its border, which a crop before the resampling would lose.
    """
    if isinstance(images, Ragged):
        return _stacked([_sampled(image, *_centre_taps(image, size, resample)) for image in images], size)
    axes = []
    for side, (pixel, weight) in zip(images.shape[-2:], _centre_taps(images, size, resample), strict=True):
        axes.append(_matrix(pixel[None], weight[None], side)[0].to(images.dtype))
    return axes[0] @ (images @ axes[1].T)


def as_float(images: Images) -> Images:
    """uint8 images as float32 in [0, 1]; float images as they are."""
    if isinstance(images, Ragged):
        return images.map(as_float)
    return images.to(torch.float32).div_(255) if images.dtype == torch.uint8 else images


def _ragged_crop(images: Ragged, boxes: Tensor, size: int, flip: Tensor | None, resample: str) -> Tensor:
    """`resized_crop` of each image by itself, after the taps of all were found together.

    A sample mixes two or four pixels of an axis, so that the matrices of weights are nearly empty: sums of these few
    rows alone take a fifth of the time of products with the matrices, and padding to one size, so that all images go
    at once, costs more than the calls it saves. The sums do not depend on the rest of the batch, to the bit; they
    differ from the products in the last bits, by less than 1e-6 for pixels in [0, 1].
    """
    h, w = boxes[:, 2:].to(images.device).unbind(1)
    rows, columns = (zip(*_taps(*axis, resample), strict=True) for axis in ((h, size, None), (w, size, flip)))
    cuts = (
        image[:, y : y + high, x : x + wide]
        for image, (y, x, high, wide) in zip(images, boxes.tolist(), strict=True)
    )
    return _stacked([_sampled(*one) for one in zip(cuts, rows, columns, strict=True)], size)


def _sampled(image: Tensor, rows: Taps, columns: Taps) -> Tensor:
    """The samples (c, size, size) of one image (c, h, w), uint8 or float, at taps (size, taps) of both axes."""
    high, wide = image.shape[-2:]
    # The channels of a pixel lie together as decoders leave them; the taps are of whole rows, then of whole columns.
    narrow = _sums(as_float(image.permute(1, 2, 0)).reshape(high, -1), *rows)
    turned = narrow.reshape(len(narrow), wide, -1).transpose(0, 1).reshape(wide, -1)
    samples = _sums(turned, *columns)
    return samples.reshape(len(samples), len(narrow), -1).permute(2, 1, 0)


def _sums(table: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
    """Weighted sums (size, c) of the rows (size, taps) of a table (n, c)."""
    return F.embedding_bag(rows, table, mode="sum", per_sample_weights=weights.to(table.dtype))


def _stacked(samples: list[Tensor], size: int) -> Tensor:
    return torch.stack(samples) if samples else torch.empty(0, 3, size, size)


def _axis_weights(
    start: Tensor, length: Tensor, limit: int, size: int, flip: Tensor | None, resample: str
) -> Tensor:
    """Weights float32 (n, size, limit) that take an axis of `limit` pixels to the samples of a crop."""
    pixel, weight = _taps(length, size, flip, resample)
    return _matrix(pixel + start[:, None, None], weight, limit)


def _matrix(pixel: Tensor, weight: Tensor, limit: int) -> Tensor:
    """Taps (n, size, taps) as matrices of weights (n, size, limit)."""
    # float32 as the taps are; the caller casts, so that half precision loses nothing in the sums.
    weights = torch.zeros(*pixel.shape[:2], limit, device=pixel.device)
    # One target per row and pass: repeated edge pixels add up in a fixed order.
    for tap in range(pixel.shape[-1]):
        weights.scatter_add_(2, pixel[..., tap : tap + 1], weight[..., tap : tap + 1])
    return weights


def _centre_taps(images: Tensor, size: int, resample: str) -> tuple[Taps, Taps]:
    """Taps (size, taps) of both axes of images (..., H, W) for `resize_shorter_side`."""
    axes = []
    for side in images.shape[-2:]:
        resized = round(size * side / min(images.shape[-2:]))
        first = (resized - size + 1) // 2
        pixel, weight = _taps(torch.tensor([side], device=images.device), resized, None, resample)
        axes.append((pixel[0, first : first + size], weight[0, first : first + size]))
    return axes[0], axes[1]


def _taps(length: Tensor, size: int, flip: Tensor | None, resample: str) -> Taps:
    """Which pixels, counted from the crop's first, each sample mixes, and their weights: (n, size, taps) each."""
    table, half_pixel, repeat_edges = _kernel(resample, length.device)
    taps = table.shape[1]
    out = torch.arange(size, device=length.device, dtype=torch.float32).expand(len(length), size)
    # Mirrored here and not afterwards: the same weights in the other order, and no copy of the images.
    if flip is not None:
        out = torch.where(flip.to(length.device)[:, None], size - 1 - out, out)
    scale = (length.to(torch.float32) / size)[:, None]
    position = (out + 0.5) * scale - 0.5 if half_pixel else out * scale
    first = position.floor()
    weight = table[((position - first) * TABLE_STEPS).round().to(torch.int64)]
    pixel = first.to(torch.int64)[..., None] + torch.arange(
        1 - taps // 2, 1 + taps // 2, device=length.device
    )
    inside = torch.minimum(pixel.clamp_min(0), length[:, None, None] - 1)
    # Weights that remain must add up to one, or a border would darken.
    if not repeat_edges:
        weight = weight * (pixel == inside)
        weight = weight / weight.sum(-1, keepdim=True)
    return inside, weight


@functools.cache
def _kernel(resample: str, device: torch.device) -> tuple[Tensor, bool, bool]:
    """(tap weights by fractional position, half-pixel centres?, repeat the crop's edge pixels?)."""
    # One more than steps: a position just below the next pixel rounds up to it.
    fraction = torch.arange(TABLE_STEPS + 1, dtype=torch.float64) / TABLE_STEPS
    if resample == "bicubic_tf2":
        table, half_pixel, repeat_edges = _cubic_taps(fraction, -0.5), True, False
    elif resample == "bicubic_tf1":
        table, half_pixel, repeat_edges = _cubic_taps(fraction, -0.75), False, True
    elif resample == "bilinear":
        table, half_pixel, repeat_edges = torch.stack([1 - fraction, fraction], dim=1), True, True
    else:
        raise ValueError(f"resample must be bicubic_tf2, bicubic_tf1 or bilinear; found {resample!r}")
    return table.to(device, torch.float32), half_pixel, repeat_edges


def _cubic_taps(fraction: Tensor, a: float) -> Tensor:
    """Keys' cubic convolution kernel at the four taps -1, 0, 1, 2 around each fractional position."""
    near = torch.stack([fraction, 1 - fraction])
    far = near + 1
    near = ((a + 2) * near - (a + 3)) * near * near + 1
    far = ((a * far - 5 * a) * far + 8 * a) * far - 4 * a
    return torch.stack([far[0], near[0], near[1], far[1]], dim=1)
