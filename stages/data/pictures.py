"""From the bytes of an image file to pixels, for every format in which people keep photographs."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from common.errors import UserError

# What Pillow decodes by itself; nothing that starts other programs is tried on a user's bytes (EPS). Some files of
# SUN397 and ImageNet are not what their suffix says, so every file may be any of these. JPEG takes cameras' pairs of
# pictures (MPO) too.
PICTURE_FORMATS = (
    *("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "AVIF"),
    *("JPEG2000", "QOI", "DDS", "ICO", "PCX", "SGI", "SUN", "TGA"),
)
SIXTEEN_BITS = ("PNG", "PPM")  # formats whose grey of 16 bits some versions of Pillow open as 32
REMEDY = "restore it from the official archive, then run `python -m stages prepare` again"


@contextmanager
def picture(source: BinaryIO | Path, name: str | Path) -> Iterator[Image.Image]:
    """An image whose header was read. UserError, naming the file, if that or anything in the block fails to decode."""
    try:
        with Image.open(source, formats=_formats()) as image:
            yield image
    except UserError:
        raise
    except Exception as error:  # a damaged file can raise nearly anything
        raise UserError(
            "a photograph cannot be read",
            expected="a whole image file, " + ", ".join(_formats()),
            found=str(error) or repr(error),
            where=name,
            remedy=REMEDY,
        ) from error


def rgb(image: Image.Image) -> np.ndarray:
    """Pixels uint8 (height, width, 3). Transparency is dropped; grey becomes three equal channels.

    Of 16 bits the upper eight are kept, as libpng does (so TensorFlow), and Pillow itself for colours of 16 bits; its
    own conversion of grey would make everything above 255 white. ValueError if nobody can know which value is white.
    """
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in SIXTEEN_BITS):
        upper = (np.asarray(image) >> 8).astype(np.uint8)
        return np.repeat(upper[:, :, None], 3, axis=2)
    if image.mode in ("I", "F"):
        raise ValueError("pixels of 32 bits, of which no one knows the brightest: store 8 or 16 bits")
    return np.asarray(image.convert("RGB"))


@functools.cache
def suffixes() -> frozenset[str]:
    """The suffixes, in small letters, of files in these formats."""
    return frozenset(
        suffix
        for suffix, name in Image.registered_extensions().items()
        if name in (*_formats(), "MPO", "DIB")
    )


@functools.cache
def _formats() -> tuple[str, ...]:
    """Those that this Pillow was built with."""
    Image.init()
    return tuple(name for name in PICTURE_FORMATS if name in Image.OPEN)
