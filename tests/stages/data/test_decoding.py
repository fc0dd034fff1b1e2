"""Which bytes a photograph becomes: Pillow's, whoever decodes it."""

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images

from common.errors import UserError
from simclr.finetuning import Rows
from simclr.views import ReadsAhead
from stages.data import decoding
from stages.data.photographs import Photographs
from tests.simclr.image_collections import check_collection
from tests.stages.data.real_photographs import file_list, listed

CAMERAS = [
    {"format": "JPEG", "quality": 90},
    {"format": "JPEG", "quality": 60, "subsampling": "4:2:2", "progressive": True},
    {"format": "JPEG", "quality": 95, "subsampling": "4:4:4"},
]
SIZES = [(333, 251), (64, 64), (17, 13), (1, 9)]


def source(mode="RGB", size=(120, 90)):
    return Image.fromarray(load_sample_images().images[0]).resize(size).convert(mode)


def pillow(path):
    with Image.open(path) as image:
        return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)


def only(folder):
    files = listed(folder)
    assert len(files) == 1
    return decoding.photograph(files, 0), pillow(folder / files.entries[0].path)


@pytest.mark.parametrize("camera", CAMERAS, ids=lambda camera: "-".join(map(str, camera.values())))
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_torchvisions_pixels_are_pillows(tmp_path, monkeypatch, camera, mode, size):
    source(mode, size).save(tmp_path / "x", **camera)
    monkeypatch.setattr(Image.Image, "convert", None)  # Pillow may not have decoded it
    found = decoding.photograph(listed(tmp_path), 0)
    monkeypatch.undo()
    assert torch.equal(found, pillow(tmp_path / "x"))


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("CMYK", "JPEG"),
        ("RGB", "PNG"),
        ("L", "PNG"),
        ("P", "PNG"),
        ("RGBA", "PNG"),
        ("1", "PNG"),
        ("P", "GIF"),
        ("RGB", "BMP"),
        ("RGB", "WEBP"),
    ],
)
def test_other_kinds_go_through_pillow(tmp_path, mode, kind):
    source(mode).save(tmp_path / "x", format=kind)
    assert torch.equal(*only(tmp_path))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_no_damage_of_a_photograph_ends_the_process(tmp_path, kind):
    """It is read or refused; torchvision's decoder of PNG ends the process."""
    rng, path = np.random.default_rng(0), tmp_path / "x"
    source().save(path, format=kind)
    whole, refused = np.frombuffer(path.read_bytes(), np.uint8), 0
    for _ in range(50):
        broken = whole.copy()
        broken[rng.integers(200, len(whole), 20)] = rng.integers(0, 256, 20)
        path.write_bytes(broken[: rng.integers(200, 2 * len(whole))].tobytes())
        try:
            assert decoding.photograph(listed(tmp_path), 0).shape == (3, 90, 120)
        except UserError:
            refused += 1
    assert refused > 10


def test_a_png_of_sixteen_bits_keeps_its_upper_ones(tmp_path):
    """torchvision would give 16-bit integers."""
    wide = np.asarray(source()).astype(np.uint16) * 256 + 7
    (tmp_path / "x").write_bytes(png16(wide))
    found, expected = only(tmp_path)
    assert found.dtype == torch.uint8 and torch.equal(found, expected)
    assert torch.equal(found, torch.from_numpy(np.array(source())).permute(2, 0, 1))


def png16(pixels):
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    high, wide, _ = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", wide, high, 16, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def test_the_orientation_of_a_camera_is_ignored(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6
    source().save(tmp_path / "x", format="JPEG", exif=turned)
    found, expected = only(tmp_path)
    assert found.shape == (3, 90, 120) and torch.equal(found, expected)


def test_a_tiff_is_turned_as_it_says(tmp_path):
    """Pillow does it before anybody sees the pixels; what matters is that the header says the same."""
    turned = Image.Exif()
    turned[0x0112] = 6
    source().save(tmp_path / "x", format="TIFF", exif=turned)
    found, _ = only(tmp_path)
    assert found.shape == (3, 120, 90)
    assert decoding.sides(listed(tmp_path), 0) == (120, 90)


def test_a_cameras_pair_of_pictures_is_its_first(tmp_path):
    source().save(tmp_path / "x", format="MPO", save_all=True, append_images=[source("RGB", (60, 40))])
    assert torch.equal(*only(tmp_path))


def test_kept_photographs_are_decoded_once_and_equal(tmp_path, monkeypatch):
    files = file_list(tmp_path, 7)
    expected, images = Photographs(files)[:], Photographs(files, keep_bytes=10**9)
    decoded = []
    monkeypatch.setattr(
        "stages.data.kept.decoding.photograph", lambda *at: decoded.append(at) or PHOTOGRAPH(*at)
    )
    for _ in range(4):
        found = [image for part in images.split(3) for image in part]
        assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))
    assert len(decoded) == 7


PHOTOGRAPH = decoding.photograph


def test_a_set_that_does_not_fit_is_not_kept(tmp_path, monkeypatch):
    files = file_list(tmp_path, 7)
    need = sum(image.numel() for image in Photographs(files)[:])
    for budget, fits in ((need - 1, False), (need, True), (100, False)):
        images = Photographs(files, keep_bytes=budget)
        assert [len(images[:]) for _ in range(3)] == [7, 7, 7]
        assert (images._kept is not None) == fits
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("", (), {"free": need}))
    images = Photographs(files, keep_bytes=need)
    assert len(images[:]) == len(images[:]) == 7 and images._kept is None


def test_no_photographs_are_no_parts(tmp_path):
    files = file_list(tmp_path, 2)[np.arange(0)]
    images = Photographs(files, keep_bytes=10**6)
    assert list(images.split(4)) == [] and len(images[:]) == len(images[:]) == 0


@pytest.mark.parametrize("keep", [0, 10**9], ids=["decoded each time", "kept"])
def test_photographs_are_read_as_every_collection_is(tmp_path, keep):
    files = file_list(tmp_path, 5)
    expected = [pillow(tmp_path / entry.path) for entry in files.entries]
    images = Photographs(files, keep_bytes=keep)
    for _ in range(2):
        check_collection(images, expected)
    check_collection(Rows(images, torch.tensor([4, 0, 2])), [expected[4], expected[0], expected[2]])
    assert isinstance(images, ReadsAhead)


def test_grey_of_sixteen_bits_keeps_its_upper_eight(tmp_path):
    values = np.array([[0, 255, 256], [32767, 32768, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    found = decoding.photograph(listed(tmp_path), 0)
    assert found.tolist() == [(values >> 8).tolist()] * 3
