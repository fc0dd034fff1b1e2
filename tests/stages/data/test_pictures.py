"""Pixels of every kind of file are those that its author saw."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from common.errors import UserError
from stages.data.pictures import picture, rgb, suffixes
from stages.obtaining import formats

GREYS = np.array([[0, 255, 256, 257], [32768, 40000, 65279, 65535]], np.uint16)


def opened(data: bytes) -> np.ndarray:
    with picture(io.BytesIO(data), "x") as image:
        return rgb(image)


def saved(image: Image.Image, kind: str) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format=kind)
    return stream.getvalue()


def png(pixels: np.ndarray, colours: int) -> bytes:
    """A PNG of 16 bits: of grey (colours 0) or of red, green and blue (2), packed by hand."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", width, height, 16, colours, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def test_grey_of_sixteen_bits_keeps_its_greys():
    pixels = opened(png(GREYS, 0))
    assert pixels.dtype == np.uint8 and pixels.shape == (2, 4, 3)
    assert pixels[:, :, 0].tolist() == [[0, 0, 1, 1], [128, 156, 254, 255]]
    assert np.array_equal(pixels, pixels[:, :, :1].repeat(3, axis=2))


def test_grey_of_sixteen_bits_is_the_same_in_colour():
    assert np.array_equal(opened(png(GREYS, 0)), opened(png(GREYS[:, :, None].repeat(3, axis=2), 2)))


@pytest.mark.parametrize("kind", ["TIFF", "PPM", "PNG"])
def test_every_format_gives_the_same_sixteen_bits(kind):
    assert np.array_equal(opened(saved(Image.fromarray(GREYS), kind)), opened(png(GREYS, 0)))


def test_sheets_of_packages_are_read_by_the_same_rule():
    assert np.array_equal(formats.picture(png(GREYS, 0), "x"), opened(png(GREYS, 0)))


@pytest.mark.parametrize("mode", ["F", "I"])
def test_pixels_without_a_known_white_are_refused(mode):
    with pytest.raises(UserError, match="cannot be read") as caught:
        opened(saved(Image.fromarray(GREYS.astype(np.float32)).convert(mode), "TIFF"))
    assert "32 bits" in caught.value.found and caught.value.where == "x"


@pytest.mark.parametrize(
    "kind", ["PNG", "BMP", "TIFF", "PPM", "WEBP", "TGA", "QOI", "PCX", "SGI", "ICO", "DDS"]
)
def test_lossless_formats_give_equal_pixels(kind):
    colours = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    options = {"lossless": True} if kind == "WEBP" else {}
    stream = io.BytesIO()
    Image.fromarray(colours).save(stream, format=kind, **options)
    assert np.array_equal(opened(stream.getvalue()), colours)


@pytest.mark.filterwarnings("ignore:.*Corrupt EXIF")
@pytest.mark.parametrize("data", [b"", b"text", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"II*\0\x08\0\0\0"])
def test_what_is_no_image_is_refused_by_name(data):
    with pytest.raises(UserError, match="cannot be read") as caught:
        opened(data)
    assert caught.value.found


def test_suffixes_are_those_of_photographs():
    assert {".jpg", ".jpeg", ".png", ".tif", ".webp", ".bmp", ".gif"} <= suffixes()
    assert not {".eps", ".pdf", ".txt", ""} & suffixes()
