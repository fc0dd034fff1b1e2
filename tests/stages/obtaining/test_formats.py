"""Known bytes become known pixels, and other bytes are refused by name."""

import io
import json
import pickle
import struct

import numpy as np
import pytest
from PIL import Image

from common.errors import UserError
from stages.obtaining import formats

DECLARED = {"image": [2, 2, 3], "classes": ["cat", "dog"], "hold_out_test": {"fraction": 0.25, "seed": 0}}
# one image: red plane 0-3, green 10-13, blue 20-23
PLANES = bytes([0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23])
PIXELS = [[[0, 10, 20], [1, 11, 21]], [[2, 12, 22], [3, 13, 23]]]


def reader(**contents):
    return lambda name: contents[name]


def test_cifar_binary_rows_are_a_label_and_three_planes():
    files = reader(a=b"\x07" + PLANES, b=b"\x09" + PLANES[::-1])
    images, labels = formats.cifar_binary(files, ["a", "b"], DECLARED)
    assert images[0].tolist() == PIXELS
    assert images[1, 0, 0].tolist() == [23, 13, 3]
    assert labels.tolist() == [7, 9]
    assert (images.dtype, labels.dtype) == (np.uint8, np.int64)
    assert images.flags.c_contiguous


@pytest.mark.parametrize("data", [b"", b"\x07" + PLANES + b"x"])
def test_cifar_binary_of_part_of_a_row_is_refused(data):
    with pytest.raises(UserError, match="truncated") as caught:
        formats.cifar_binary(reader(a=data), ["a"], DECLARED)
    assert caught.value.where == "a"


def python_2_batch(labels, planes):
    """A batch as Python 2 pickled it: protocol 2, byte strings, numpy.core.multiarray._reconstruct."""

    def text(value):
        return b"U" + bytes([len(value)]) + value

    shape = b"K" + bytes([len(labels)]) + b"K" + bytes([len(planes[0])]) + b"\x86"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b") + b"\x87R"
    dtype = (
        b"cnumpy\ndtype\n"
        + text(b"u1")
        + b"K\x00K\x01\x87R(K\x03"
        + text(b"|")
        + b"NNN"
        + b"J\xff\xff\xff\xff" * 2
    )
    pixels = b"".join(planes)
    state = b"(K\x01" + shape + dtype + b"K\x00tb\x89T" + struct.pack("<I", len(pixels)) + pixels + b"tb"
    numbers = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(" + text(b"data") + array + state + text(b"labels") + numbers + b"u."


def test_cifar_pickle_of_the_official_kind():
    images, labels = formats.cifar_pickle(reader(a=python_2_batch([7, 9], [PLANES, PLANES])), ["a"], DECLARED)
    assert images.tolist() == [PIXELS, PIXELS]
    assert labels.tolist() == [7, 9]


def test_cifar100_binary_rows_have_a_coarse_and_a_fine_label():
    files = reader(a=b"\x07\x63" + PLANES + b"\x01\x02" + PLANES)
    images, labels = formats.FORMATS["cifar100_binary"](files, ["a"], DECLARED)
    assert images.tolist() == [PIXELS, PIXELS] and labels.tolist() == [99, 2]
    with pytest.raises(UserError, match="truncated"):
        formats.FORMATS["cifar100_binary"](reader(a=b"\x07" + PLANES), ["a"], DECLARED)


def test_cifar100_pickles_give_the_fine_labels():
    batch = python_2_batch([7, 99], [PLANES, PLANES]).replace(b"U\x06labels", b"U\x0bfine_labels")
    images, labels = formats.FORMATS["cifar100_pickle"](reader(a=batch), ["a"], DECLARED)
    assert images.tolist() == [PIXELS, PIXELS] and labels.tolist() == [7, 99]
    with pytest.raises(UserError, match="not a batch"):
        formats.cifar_pickle(reader(a=batch), ["a"], DECLARED)


class Evil:
    def __init__(self, function, argument):
        self.call = function, (argument,)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("function", [exec, eval, __import__, open])
def test_a_pickle_that_calls_something_is_refused_before_the_call(function, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = pickle.dumps({b"data": Evil(function, "open('evil', 'w')"), b"labels": []})
    with pytest.raises(UserError, match="not a batch") as caught:
        formats.cifar_pickle(reader(a=data), ["a"], DECLARED)
    assert function.__name__ in caught.value.found
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("data", [b"", b"garbage", pickle.dumps([1]), pickle.dumps({b"data": 1})])
def test_a_pickle_of_something_else_is_refused(data):
    with pytest.raises(UserError, match="not a batch") as caught:
        formats.cifar_pickle(reader(a=data), ["a"], DECLARED)
    assert caught.value.where == "a"


def encoded(pixels, kind="PNG"):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format=kind, lossless=True)
    return stream.getvalue()


def test_image_rows_are_images():
    sheet = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    files = reader(sheet=encoded(sheet), labels=json.dumps([1, 0]).encode())
    images, labels = formats.image_rows(files, ["sheet", "labels"], DECLARED)
    assert images.shape == (2, 2, 2, 3)
    assert images[1].reshape(-1).tolist() == list(range(12, 24))
    assert labels.tolist() == [1, 0]


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
@pytest.mark.parametrize("keep", [0, 10, -500])
def test_an_image_that_cannot_be_decoded_is_named(kind, keep):
    data = encoded(np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8), kind)
    with pytest.raises(UserError, match="cannot be read") as caught:
        formats.picture(data[:keep], "cat.webp")
    assert caught.value.where == "cat.webp"


def idx(array, magic=b"\0\0\x08"):
    return magic + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def test_idx_keeps_the_grey_channel():
    images = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
    files = reader(x=idx(images), y=idx(np.array([3, 4], np.uint8)))
    found, labels = formats.idx(files, ["x", "y"], {"image": [2, 2, 1]})
    np.testing.assert_array_equal(found, images[..., None])
    assert labels.tolist() == [3, 4]
    assert labels.dtype == np.int64


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\x08\0",
        idx(np.zeros(3, np.uint8), b"\0\0\x0d"),
        idx(np.zeros(3, np.uint8))[:-1],
        idx(np.zeros(3, np.uint8)) + b"x",
    ],
)
def test_other_idx_files_are_refused(data):
    with pytest.raises(UserError, match="not an IDX file") as caught:
        formats.idx(reader(x=data, y=data), ["x", "y"], {"image": [1, 1, 1]})
    assert caught.value.where == "x"


def test_digits_are_scaled_to_bytes_and_divided_by_class():
    declared = {**DECLARED, "image": [1, 2, 1]}
    lines = [f"{value},16,{label}" for label in (0, 1) for value in (0, 1, 8, 15)]
    read = reader(digits="\n".join(lines).encode())
    (train, train_labels), (test, test_labels) = (
        formats.digits_csv(read, ["digits", split], declared) for split in ("train", "test")
    )
    assert np.bincount(train_labels).tolist() == [3, 3]
    assert np.bincount(test_labels).tolist() == [1, 1]
    together = np.concatenate([train, test])
    assert sorted(together[:, 0, 0, 0]) == sorted([0, 16, 128, 239] * 2)  # (255 v + 8) // 16
    assert set(together[:, 0, 1, 0]) == {255}


def test_class_sheets_put_every_image_back_in_its_place():
    cats = np.zeros((2, 4, 3), np.uint8)
    cats[:, :2], cats[:, 2:] = 1, 3
    read = reader(
        **{
            "index.csv": b"split,index,label\ntrain,10,0\ntrain,11,1\ntest,0,1\ntrain,15,0\n",
            "train_cat.webp": encoded(cats, "WEBP"),
            "train_dog.webp": encoded(np.full((2, 2, 3), 2, np.uint8), "WEBP"),
        }
    )
    images, labels = formats.class_sheets(read, ["index.csv", "train"], DECLARED)
    assert labels.tolist() == [0, 1, 0]
    assert images[:, 0, 0, 0].tolist() == [1, 2, 3]


def test_a_class_sheet_with_too_few_images_is_named():
    read = reader(
        **{
            "index.csv": b"split,index,label\ntest,0,0\ntest,1,0\n",
            "test_cat.webp": encoded(np.zeros((2, 2, 3), np.uint8), "WEBP"),
        }
    )
    with pytest.raises(UserError, match="too few") as caught:
        formats.class_sheets(read, ["index.csv", "test"], DECLARED)
    assert caught.value.where == "test_cat.webp"
