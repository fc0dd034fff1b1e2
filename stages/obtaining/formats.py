"""From the verified files of a data set to arrays: images uint8 (n, H, W, C), labels int64 (n,).

Each reader takes `read` (file name -> verified bytes), the names that make up a split, in order, and the
declaration. It raises UserError, naming the file, when the bytes are not in its format.
"""

from __future__ import annotations

import functools
import io
import json
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

from common.errors import UserError
from stages.data import splits
from stages.data.pictures import rgb
from stages.obtaining.sources import Reader

Arrays = tuple[np.ndarray, np.ndarray]


def cifar_binary(read: Reader, names: list[str], declared: dict[str, Any], label_bytes: int = 1) -> Arrays:
    """The binary version of CIFAR: rows of label bytes, then the red, green and blue planes.

    CIFAR-10 has one label byte; CIFAR-100 two, coarse and fine, of which the last counts.
    """
    height, width, channels = declared["image"]
    pixels = height * width * channels
    rows = np.concatenate([_rows(read(name), label_bytes + pixels, name) for name in names])
    images = rows[:, label_bytes:].reshape(-1, channels, height, width).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), rows[:, label_bytes - 1].astype(np.int64)


def cifar_pickle(
    read: Reader, names: list[str], declared: dict[str, Any], labelled: bytes = b"labels"
) -> Arrays:
    """The Python version of CIFAR: pickled dicts with b"data" (n, 3072) and b"labels" (CIFAR-100: b"fine_labels")."""
    height, width, channels = declared["image"]
    batches = [_unpickle(read(name), name, labelled) for name in names]
    images = np.concatenate([batch[b"data"] for batch in batches]).reshape(-1, channels, height, width)
    labels = np.concatenate([np.asarray(batch[labelled], dtype=np.int64) for batch in batches])
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1)), labels


def image_rows(read: Reader, names: list[str], declared: dict[str, Any]) -> Arrays:
    """PNG sheets whose every row is one image's pixels in (y, x) order; the last name is a JSON list of
    labels."""
    *sheets, labels = names
    images = [picture(read(name), name).reshape(-1, *declared["image"]) for name in sheets]
    return np.concatenate(images), np.asarray(json.loads(read(labels)), dtype=np.int64)


def idx(read: Reader, names: list[str], declared: dict[str, Any]) -> Arrays:
    """The IDX files of MNIST and its relatives: images, then labels."""
    images, labels = (_idx(read(name), name) for name in names)
    return images.reshape(-1, *declared["image"]), labels.astype(np.int64)


def digits_csv(read: Reader, names: list[str], declared: dict[str, Any]) -> Arrays:
    """scikit-learn's digits: 64 values of 0 to 16 and a label a line; `names` is [file, split].

    Values become (255 v + 8) // 16, so that 16 is white. The set has no official split: test is a
    class-balanced part held out by address.
    """
    name, split = names
    table = np.loadtxt(io.BytesIO(read(name)), delimiter=",", dtype=np.int64)
    images = ((255 * table[:, :-1] + 8) // 16).astype(np.uint8).reshape(-1, *declared["image"])
    labels = table[:, -1]
    held = declared["hold_out_test"]
    train, test = splits.hold_out(labels, held["fraction"], held["seed"], purpose="digits test")
    chosen = test if split == "test" else train
    return images[chosen], labels[chosen]


def class_sheets(read: Reader, names: list[str], declared: dict[str, Any]) -> Arrays:
    """The embedded subset: one lossless WebP sheet of tiles per class; `names` is [index file, split].

    Tiles run row by row in ascending position; a position's label is in the index file.
    """
    index, split = names
    height, width, channels = declared["image"]
    labels = _labels_of(read(index).decode(), split)
    images = np.empty((len(labels), height, width, channels), np.uint8)
    for label, title in enumerate(declared["classes"]):
        name = f"{split}_{title}.webp"
        tiles = _tiles(picture(read(name), name), height, width)
        wanted = np.flatnonzero(labels == label)
        if len(tiles) < len(wanted):
            raise UserError("a sheet has too few images", expected=len(wanted), found=len(tiles), where=name)
        images[wanted] = tiles[: len(wanted)]
    return images, labels


def picture(data: bytes, name: str) -> np.ndarray:
    """The pixels of a PNG or WebP file: uint8 (height, width, 3). UserError, naming it, if it cannot be
    decoded."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "WEBP")) as image:
            return rgb(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(
            "an image cannot be read",
            expected="a PNG or WebP file",
            found=error,
            where=name,
            remedy="obtain the file again",
        ) from error


def _labels_of(index: str, split: str) -> np.ndarray:
    rows = [line.split(",") for line in index.splitlines()[1:]]
    return np.array([int(label) for where, _, label in rows if where == split], dtype=np.int64)


def _tiles(sheet: np.ndarray, height: int, width: int) -> np.ndarray:
    down, across = sheet.shape[0] // height, sheet.shape[1] // width
    return (
        sheet.reshape(down, height, across, width, 3).transpose(0, 2, 1, 3, 4).reshape(-1, height, width, 3)
    )


def _rows(data: bytes, size: int, name: str) -> np.ndarray:
    if len(data) % size or not data:
        raise UserError(
            "a file is truncated", expected=f"rows of {size} bytes", found=f"{len(data):,} bytes", where=name
        )
    return np.frombuffer(data, np.uint8).reshape(-1, size)


def _idx(data: bytes, name: str) -> np.ndarray:
    dimensions = data[3] if len(data) > 3 else 0
    shape = np.frombuffer(data[4 : 4 + 4 * dimensions], ">u4").astype(int)
    body = data[4 + 4 * dimensions :]
    if data[:3] != b"\0\0\x08" or not dimensions or len(body) != shape.prod():
        raise UserError(
            "not an IDX file of bytes",
            expected="0x000008, dimensions, and as many bytes as they say",
            found=f"0x{data[:3].hex()}, {shape.tolist()}, {len(body):,} bytes",
            where=name,
        )
    return np.frombuffer(body, np.uint8).reshape(shape)


class _ArraysOnly(pickle.Unpickler):
    """Unpickles dicts, lists, numbers and NumPy arrays, and calls nothing else that a pickle may name."""

    def find_class(self, module: str, name: str) -> Any:
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return np._core.multiarray._reconstruct
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        raise pickle.UnpicklingError(f"it names {module}.{name}, which no batch of images needs")


def _unpickle(data: bytes, name: str, labelled: bytes) -> dict[bytes, Any]:
    try:
        batch = _ArraysOnly(io.BytesIO(data), encoding="bytes").load()
        if {b"data", labelled} <= batch.keys():
            return batch
        found: object = sorted(batch)
    except Exception as error:  # a damaged pickle can raise nearly anything
        found = error
    raise UserError(
        "not a batch of CIFAR",
        expected=f"a pickled dict with data and {labelled.decode()}",
        found=found,
        where=name,
    )


FORMATS: dict[str, Callable[[Reader, list[str], dict[str, Any]], Arrays]] = {
    "cifar_binary": cifar_binary,
    "cifar_pickle": cifar_pickle,
    "cifar100_binary": functools.partial(cifar_binary, label_bytes=2),
    "cifar100_pickle": functools.partial(cifar_pickle, labelled=b"fine_labels"),
    "image_rows": image_rows,
    "idx": idx,
    "digits_csv": digits_csv,
    "class_sheets": class_sheets,
}
