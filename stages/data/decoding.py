"""The pixels of one photograph. This module, and the libraries that it calls, decide what a file's bytes become.

Baseline and progressive JPEG, grey or RGB, go through torchvision, which decodes them in half the time; everything else
goes through Pillow. Both call libjpeg-turbo with the same settings (accurate integer DCT, smooth chroma), and a test
holds that their pixels are equal. PNG never goes through torchvision: a damaged file ends its decoder, and the process,
with a segmentation fault (0.29). Neither decodes at a reduced size: libjpeg's scaled DCT averages
pixels, which the paper's crop does not. At half size it changes the pixels of two photographs' crops by 1 % and 3 % in
the mean, and by up to 45 %.
"""

from __future__ import annotations

import functools
import io
import warnings
from collections.abc import Callable
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from stages.data.file_lists import FileList
from stages.data.pictures import picture, rgb


def photograph(files: FileList, place: int) -> Tensor:
    """One photograph of a list, uint8 (3, h, w), RGB, the channels of a pixel side by side in memory.

    Its EXIF orientation is ignored, as TensorFlow does; a TIFF, which no official set has, is turned by Pillow.
    UserError, naming the file, if it is gone, changed or damaged.
    """
    data = files.read(place)
    with picture(io.BytesIO(data), files.where(place)) as image:
        if decode := _fast_decoder(image):
            return _decoded(decode, data)
        return torch.from_numpy(rgb(image).copy()).permute(2, 0, 1)


def sides(files: FileList, place: int) -> tuple[int, int]:
    """(height, width) of one photograph in pixels, from its header; nothing is decoded."""
    with picture(io.BytesIO(files.read(place)), files.where(place)) as image:
        return image.height, image.width


def _fast_decoder(image: Image.Image) -> Callable[..., Tensor] | None:
    jpeg = image.format in ("JPEG", "MPO") and image.mode in ("L", "RGB")
    return getattr(_torchvision(), "decode_jpeg", None) if jpeg else None


@functools.cache
def _torchvision() -> Any:
    """torchvision.io, imported when the first photograph is decoded, because that takes a second."""
    # It announces that TorchCodec will decode images; without its decoders Pillow gives the same pixels.
    warnings.filterwarnings("ignore", "The image decoding and encoding capabilities", DeprecationWarning)
    import torchvision.io

    return torchvision.io


def _decoded(decode: Callable[..., Tensor], data: bytes) -> Tensor:
    try:
        return decode(
            torch.frombuffer(bytearray(data), dtype=torch.uint8), mode=_torchvision().ImageReadMode.RGB
        )
    except RuntimeError as error:
        raise ValueError(str(error).splitlines()[0]) from error
