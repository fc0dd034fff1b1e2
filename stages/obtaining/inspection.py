"""Every photograph that the lists name, looked at once: is it there, is it whole, what are its size and SHA-256?

By default a file is decoded to its end, so that a damaged one is found now and not amid a training. Of a set whose
declaration says `content: size` (ImageNet: 150 GB would take hours) only the header is decoded and the end looked at;
`prepare --verify` decodes those to their ends too.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from common import files
from common.errors import UserError
from stages.data.file_lists import REMEDY, UNKNOWN, Entry
from stages.data.pictures import picture, rgb
from stages.data.records import Declaration

Known = dict[str, Entry]
CHUNK = 10_000  # photographs looked at between two lines of progress
NAMED = 5  # of many bad files, how many a message names
END_OF_JPEG = b"\xff\xd9"


class Surveyed(NamedTuple):
    """A split as it is: its entries, its labels int64 (n,) or (n, classes), and the listed paths that are left out."""

    entries: tuple[Entry, ...]
    labels: np.ndarray
    left_out: tuple[str, ...] = ()
    left_out_last: int = 0  # how many of these are among the official validation images


class Changed(UserError):
    """A photograph can be decoded, but is not the one that was prepared. It may not be left out as undecodable."""


class Inspected(NamedTuple):
    """One path of a list: its entry, or what is wrong with it."""

    path: str
    entry: Entry | None
    error: UserError | None


def inspect(
    paths: Sequence[str], tree: Path, declared: Declaration, known: Known, verify: bool
) -> list[Inspected]:
    """What was found of each path, in order. With `verify` what is known is compared, else it is believed."""
    hashed = declared.get("content", "sha256") == "sha256"
    look = partial(_inspected, tree, hashed, known, verify)
    return _for_all(paths, look, declared["name"])


def absent_of(paths: Sequence[str], tree: Path) -> list[str]:
    """The paths at which there is no file."""
    there = _for_all(paths, lambda path: (tree / path).is_file(), "")
    return [path for path, is_there in zip(paths, there, strict=True) if not is_there]


def some(names: Sequence[str]) -> str:
    """The first of many names, and how many more there are."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _for_all(paths: Sequence[str], function: Callable[[str], Any], name: str) -> list[Any]:
    """function(path) of every path, in order, by threads. With a name, progress is printed where it takes long."""
    results: list[Any] = []
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(paths), CHUNK):  # a million waiting calls would take a gigabyte
            results += pool.map(function, paths[start : start + CHUNK])
            if name and len(paths) > CHUNK:
                print(f"{name}: {len(results):,} of {len(paths):,} photographs looked at", flush=True)
    return results


def _inspected(tree: Path, hashed: bool, known: Known, verify: bool, path: str) -> Inspected:
    before = known.get(path)
    if before is not None and (before.sha256 != UNKNOWN) != hashed:
        before = None  # `content` was declared otherwise then
    try:
        size = (tree / path).stat().st_size
        if before is not None and before.size == size and not verify:
            return Inspected(path, before, None)
        entry = _entry(tree, path, hashed, verify)
        if verify and before not in (None, entry):
            raise _changed(before, entry, tree)
        return Inspected(path, entry, None)
    except UserError as error:
        return Inspected(path, None, error)


def _entry(tree: Path, path: str, hashed: bool, whole: bool) -> Entry:
    if hashed or whole:
        data = files.read_bytes(tree / path)
        with picture(_Bytes(data), tree / path) as image:
            rgb(image)
        return Entry(path, len(data), files.sha256_bytes(data) if hashed else UNKNOWN)
    with picture(tree / path, tree / path) as image:
        if not _ends_as_it_should(tree / path, image):
            rgb(image)
    return Entry(path, (tree / path).stat().st_size, UNKNOWN)


class _Bytes(io.BytesIO):
    """Bytes of a file. Pillow's messages spell out what they cannot read."""

    def __repr__(self) -> str:
        return f"of {len(self.getvalue()):,} bytes"


def _ends_as_it_should(path: Path, image: Image.Image) -> bool:
    """Whether a JPEG ends with its end marker. What does not may still be whole: then it must be decoded to know."""
    if image.format != "JPEG":
        return False
    with open(path, "rb") as file:
        file.seek(-len(END_OF_JPEG), os.SEEK_END)
        return file.read() == END_OF_JPEG


def _changed(before: Entry, now: Entry, tree: Path) -> Changed:
    return Changed(
        "a photograph has changed since it was prepared",
        expected=f"{before.size:,} bytes, sha256 {before.sha256}",
        found=f"{now.size:,} bytes, sha256 {now.sha256}",
        where=tree / before.path,
        remedy=REMEDY,
    )
