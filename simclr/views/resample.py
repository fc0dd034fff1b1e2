"""Resampling of crops as two small matrix products: one row and one column weight matrix per image."""

import functools

import torch
from torch import Tensor

from simclr.views.ragged import Images, Ragged

TABLE_STEPS = 1024  # TensorFlow rounds the fractional position to 1/1024; following it reproduces its pixels
RAGGED_CHUNK = 64  # images whose weights are made in one go: bounds the memory they take


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


def resize_shorter_side(images: Tensor, size: int, resample: str = "bicubic_tf2") -> Tensor:
    """The central (n, c, size, size) of float images (n, c, H, W) whose shorter side was resampled to `size`.

    The longer side becomes round(size x longer / shorter); columns outside the centre are not computed, but pixels
    beside it count at its border, which a crop before the resampling would lose.
    """
    axes = []
    for side in images.shape[-2:]:
        resized = round(size * side / min(images.shape[-2:]))
        start, length = torch.tensor([[0], [side]], device=images.device)
        weights = _axis_weights(start, length, side, resized, None, resample).to(images.dtype)
        first = (resized - size + 1) // 2
        axes.append(weights[0, first : first + size])
    return axes[0] @ (images @ axes[1].T)


def as_float(images: Images) -> Images:
    """uint8 images as float32 in [0, 1]; float images as they are."""
    if isinstance(images, Ragged):
        return images.map(as_float)
    return images.to(torch.float32).div_(255) if images.dtype == torch.uint8 else images


def _ragged_crop(images: Ragged, boxes: Tensor, size: int, flip: Tensor | None, resample: str) -> Tensor:
    """`resized_crop` of each image by itself: two small products after the weights of a chunk were made together."""
    if not images:
        return torch.empty(0, 3, size, size)
    crops = []
    for start in range(0, len(images), RAGGED_CHUNK):
        part = slice(start, start + RAGGED_CHUNK)
        h, w = boxes[part, 2:].to(images.device).unbind(1)
        mirrored = None if flip is None else flip[part]
        rows = _axis_weights(torch.zeros_like(h), h, int(h.max()), size, None, resample)
        columns = _axis_weights(torch.zeros_like(w), w, int(w.max()), size, mirrored, resample)
        for image, (y, x, high, wide), row, column in zip(
            images[part], boxes[part].tolist(), rows, columns, strict=True
        ):
            cut = as_float(image[:, y : y + high, x : x + wide])
            row, column = row[:, :high].to(cut.dtype), column[:, :wide].to(cut.dtype)
            crops.append(row @ (cut @ column.T))
    return torch.stack(crops)


def _axis_weights(
    start: Tensor, length: Tensor, limit: int, size: int, flip: Tensor | None, resample: str
) -> Tensor:
    """Weights float32 (n, size, limit) that take an axis of `limit` pixels to the samples of a crop."""
    table, half_pixel, repeat_edges = _kernel(resample, start.device)
    taps = table.shape[1]
    out = torch.arange(size, device=start.device, dtype=torch.float32).expand(len(start), size)
    if flip is not None:
        out = torch.where(flip.to(start.device)[:, None], size - 1 - out, out)
    scale = (length.to(torch.float32) / size)[:, None]
    position = (out + 0.5) * scale - 0.5 if half_pixel else out * scale
    first = position.floor()
    weight = table[((position - first) * TABLE_STEPS).round().to(torch.int64)]
    pixel = first.to(torch.int64)[..., None] + torch.arange(1 - taps // 2, 1 + taps // 2, device=start.device)
    inside = torch.minimum(pixel.clamp_min(0), length[:, None, None] - 1)
    if not repeat_edges:
        weight = weight * (pixel == inside)
        weight = weight / weight.sum(-1, keepdim=True)
    pixel = inside + start[:, None, None]
    weights = torch.zeros(len(start), size, limit, device=start.device)
    for tap in range(taps):  # one target per row and pass: repeated edge pixels add up in a fixed order
        weights.scatter_add_(2, pixel[..., tap : tap + 1], weight[..., tap : tap + 1])
    return weights


@functools.cache
def _kernel(resample: str, device: torch.device) -> tuple[Tensor, bool, bool]:
    """(tap weights by fractional position, half-pixel centres?, repeat the crop's edge pixels?)."""
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
