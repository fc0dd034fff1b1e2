"""Which image is in which split: class-balanced choices that are pure functions of (seed, purpose, index).

There is no state, and no library's shuffle. Image i of n gets the i-th 64-bit word of a Philox 4x64 stream whose key
is the SHA-256 of "seed:purpose", and images are ordered by their words. NumPy guarantees the raw words of
its bit generators (not the streams of its distributions), so the choice is the same on every machine and in
every version.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from common import files
from common.errors import UserError

SEVERAL = -1  # in the place of an index: more than one image
ROUNDING = 1e-9  # images: keeps 0.29 * 100 and the like from falling just below a whole number


def addressed_order(seed: int, purpose: str, n: int) -> np.ndarray:
    """A uniformly random order of range(n) as int64 (n,), a pure function of the arguments."""
    digest = hashlib.sha256(f"{seed}:{purpose}".encode()).digest()
    words = np.random.Philox(key=int.from_bytes(digest[:16], "little")).random_raw(n)
    return np.argsort(words, kind="stable").astype(np.int64)


def first_of_each_class(labels: np.ndarray, counts: np.ndarray, seed: int, purpose: str) -> np.ndarray:
    """Indices (ascending, int64) of the first counts[c] images of every class c in the addressed order.

    Smaller counts give subsets of what larger counts give.
    """
    order, rank = _in_classes(labels, seed, purpose)
    return np.sort(order[rank < counts[labels[order]]])


def label_subset(labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Indices (ascending) of a class-balanced fraction of the images, for learning from few labels.

    It has fraction x n images, rounded down, and at least one of each class. The classes have equal numbers to within
    one, as in the official lists (12,811 of ImageNet's 1,281,167 are 811 classes of 13 and 189 of 12), except for
    classes that have no more images. Subsets nest: with one seed the 1% lies within the 10%. labels: int (n,). 0 <
    fraction <= 1, else UserError.
    """
    if not 0 < fraction <= 1:
        raise UserError("not a fraction of the labels", expected="0 < label_fraction <= 1", found=fraction)
    order, rank = _in_classes(labels, seed, "label_fraction")
    turn = addressed_order(seed, "label_fraction/classes", labels.max() + 1)  # by class
    # An image of every class, then a second one of every class, ...
    rounds = np.lexsort((turn[labels[order]], rank))
    size = max(int(fraction * len(labels) + ROUNDING), len(np.unique(labels)))
    return np.sort(order[rounds[:size]])


def read_subset_file(path: str | Path, names: Sequence[str], labels: np.ndarray | None = None) -> np.ndarray:
    """Indices (ascending, int64) of the images that a list names, one a line.

    names: the path, or only the file name, of every image of the split. A line has a file name, as in the official
    google-research/simclr lists of 1% and 10% of ImageNet ("n01440764_10026.JPEG"); it may have folders before it, and
    after it, divided by blanks or a comma, a label. With labels (n,) every class must have an image in the list, and
    the list's own labels, whatever their words, must divide the images as the classes do. UserError, naming the list,
    if it is missing, or has an unknown, ambiguous or repeated name.
    """
    try:
        lines = [line.strip() for line in Path(path).read_text("utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            "a list of images cannot be read", expected="one file name a line", found=error, where=path
        ) from error
    of = _by_file_name(names)
    images = [_image_of(line, of, names) for line in lines]
    chosen = [place for place, _ in images]
    for problem, bad in (
        (
            "a list names an image that the data set does not have",
            _lines(lines, [place is None for place in chosen]),
        ),
        ("file names do not tell these images apart", _lines(lines, [place == SEVERAL for place in chosen])),
        ("a list names an image twice", _lines(lines, _repeated(chosen))),
        ("a list of images is empty", [] if lines else ["no name"]),
    ):
        if bad:
            more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
            raise UserError(
                problem, expected="names of the split, each once", found=bad[0] + more, where=path
            )
    if labels is not None:
        _check_classes(chosen, [word for _, word in images], labels, path)
    return np.sort(np.array(chosen, dtype=np.int64))


def _by_file_name(names: Sequence[str]) -> dict[str, list[int]]:
    """The indices of the images with each file name; mostly one, but own folders may each have a 0001.jpg."""
    indices: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        indices.setdefault(name.rsplit("/", 1)[-1], []).append(index)
    return indices


def _image_of(line: str, of: dict[str, list[int]], names: Sequence[str]) -> tuple[int | None, str]:
    """The index of the image that a line names (None, SEVERAL), and the label that it gives ("")."""
    name, label = line, ""
    for _ in range(2):  # the whole line first: names may have blanks, labels have none
        path = PurePosixPath(name.replace("\\", "/"))
        if places := of.get(path.name):
            return _the_one(path, places, names), label
        name, label = ([part.strip() for part in re.split(r"[\s,]+(?=[^\s,]*$)", line)] + [""])[:2]
    return None, ""


def _the_one(path: PurePosixPath, places: list[int], names: Sequence[str]) -> int:
    """The image, among several of one file name, whose folders are those of the path, read from its end."""
    folders = path.parts[-2::-1]
    for depth, folder in enumerate(folders, 2):
        if len(places) > 1:
            ends = {place: PurePosixPath(names[place]).parts[-depth:] for place in places}
            places = [
                place for place, end in ends.items() if len(end) == depth and end[0] == folder
            ] or places
    return places[0] if len(places) == 1 else SEVERAL


def _lines(lines: list[str], chosen: list[bool]) -> list[str]:
    return [line for line, is_chosen in zip(lines, chosen, strict=True) if is_chosen]


def _repeated(chosen: list[int | None]) -> list[bool]:
    """Whether an earlier line has the same image."""
    seen: set[int | None] = set()
    return [place in seen or seen.add(place) is not None for place in chosen]


def _check_classes(chosen: list[int], words: list[str], labels: np.ndarray, path: str | Path) -> None:
    """UserError unless every class has an image, and each label of the list, if it has any, stands for one class."""
    if len(absent := np.setdiff1d(labels, labels[chosen])):
        raise UserError(
            "a list leaves a class without an image",
            expected="an image of every class",
            found=f"none of label {', '.join(map(str, absent[:5]))}" + (", ..." if len(absent) > 5 else ""),
            where=path,
        )
    classes = labels[chosen].tolist()
    pairs = {(word, label) for word, label in zip(words, classes, strict=True) if word}
    for side in (0, 1):
        times = Counter(pair[side] for pair in pairs)
        if mixed := [pair for pair in sorted(pairs) if times[pair[side]] > 1]:
            raise UserError(
                "a list has labels that are not those of the data set",
                expected="one label of the list for each class",
                found=", ".join(f"{word} for class {label}" for word, label in mixed[:3]),
                where=path,
                remedy="choose the list of this data set, or leave the labels out",
            )


def write_subset(path: str | Path, chosen: np.ndarray, labels: np.ndarray) -> bool:
    """Write what a run chose: below a header a line "index,label" for each image; labels (n,): of the whole split."""
    rows = [f"{index},{labels[index]}" for index in chosen]
    return files.write_text(path, "\n".join(["index,label", *rows]) + "\n", only_if_changed=True)


def limited(labels: np.ndarray, limit: int) -> np.ndarray:
    """Indices (ascending) of about `limit` images, with the classes in the same shares."""
    return first_of_each_class(labels, _share(labels, limit / len(labels)), 0, "limit")


def hold_out(
    labels: np.ndarray, fraction: float, seed: int, purpose: str = "validation"
) -> tuple[np.ndarray, np.ndarray]:
    """(kept, held_out): two disjoint, ascending, class-balanced index arrays that together are all images.

    Each class gives fraction x its size, rounded half up, but at least one image. UserError if it has only one.
    """
    sizes = _class_sizes(labels)
    counts = _share(labels, fraction)
    if not 0 < fraction < 1 or np.any((counts >= sizes) & (sizes > 0)):
        raise UserError(
            "a class would have no image left to train on",
            expected="a smaller fraction to hold out",
            found=f"fraction {fraction} of classes with {sizes[sizes > 0].min()} or more images",
            remedy="give each class two images or more, or hold out less",
        )
    held_out = first_of_each_class(labels, counts, seed, purpose)
    return np.setdiff1d(np.arange(len(labels)), held_out, assume_unique=True), held_out


def _in_classes(labels: np.ndarray, seed: int, purpose: str) -> tuple[np.ndarray, np.ndarray]:
    """All indices by class, each class in its addressed order, and every one's rank in its class, from 0: (n,) each."""
    sizes = _class_sizes(labels)
    order = addressed_order(seed, purpose, len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    return order, np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)


def _share(labels: np.ndarray, fraction: float) -> np.ndarray:
    return np.maximum(1, np.floor(fraction * _class_sizes(labels) + 0.5 + ROUNDING)).astype(np.int64)


def _class_sizes(labels: np.ndarray) -> np.ndarray:
    if labels.ndim != 1:
        raise UserError(
            "images with several labels have no classes to balance",
            expected="labels of shape (n,)",
            found=labels.shape,
            remedy="declare the official validation split, or use all labels",
        )
    return np.bincount(labels)
