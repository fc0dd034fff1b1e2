"""The kinds of lists that official distributions come with. UserError names the one that is not as it must be."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from common.errors import UserError
from stages.data.datasets import class_count

# Path below the data set's folder; label, or 0, 1 or UNJUDGED for every class.
Sample = tuple[str, int | list[int]]
LARGEST_XML = 1_000_000  # bytes; VOC 2007's largest has 10,000


class Classes(dict[str, int]):
    """Class names with their labels, 0, 1, ... in the order given."""

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__((name, label) for label, name in enumerate(names))

    def label(self, name: str, where: Path) -> int:
        if name not in self:
            raise UserError(
                "a list names an unknown class", expected=f"one of {len(self)}", found=name, where=where
            )
        return self[name]


def folders(tree: Path, below: str, suffix: str, declared: dict[str, Any]) -> list[Sample]:
    """Every <class>/<name><suffix> of a folder; labels count the sorted class folders."""
    folder = tree / below
    classes = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if len(classes) != class_count(declared):
        raise UserError(
            "another number of class folders",
            expected=class_count(declared),
            found=len(classes),
            where=folder,
            remedy="every class has its folder there, and nothing else has",
        )
    return [
        (f"{below}/{name}/{file}", label)
        for label, name in enumerate(classes)
        for file in sorted(path.name for path in (folder / name).iterdir() if path.suffix == suffix)
    ]


def lines(path: Path) -> list[str]:
    """The lines of an official list that are not empty."""
    try:
        return [line.strip() for line in path.read_text().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, "a text file of the official distribution", error) from error


def rows(path: Path, fields: int) -> list[list[str]]:
    """Lines divided at blanks into `fields` fields, of which the last one may have blanks."""
    rows = [line.split(None, fields - 1) for line in lines(path)]
    for line, row in enumerate(rows, 1):
        if len(row) < fields:
            raise UserError(
                "a line of a list is cut short",
                expected=f"{fields} fields",
                found=f"{row}, line {line}",
                where=path,
            )
    return rows


def column(header: list[str], name: str, path: Path) -> int:
    if name not in header:
        raise UserError("a list lacks a column", expected=name, found=", ".join(header), where=path)
    return header.index(name)


def number(text: str, path: Path) -> int:
    if not text.isdecimal():
        raise UserError(
            "a label is not a number", expected="0, 1, 2, ...", found=text or "nothing", where=path
        )
    return int(text)


class _NoDoctype(ElementTree.TreeBuilder):
    """Refuses a DOCTYPE before it is read: its entities could grow to any size."""

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise ValueError(f"a DOCTYPE, {name}")


def xml(path: Path) -> ElementTree.Element:
    """The root of an annotation."""
    try:
        if (size := path.stat().st_size) > LARGEST_XML:
            raise ValueError(f"{size:,} bytes")
        return ElementTree.fromstring(path.read_bytes(), ElementTree.XMLParser(target=_NoDoctype()))
    except (OSError, ValueError, ElementTree.ParseError) as error:
        expected = f"an XML file of at most {LARGEST_XML:,} bytes, without a DOCTYPE"
        raise _unreadable(path, expected, error) from error


def matlab(path: Path, name: str) -> np.ndarray:
    """One variable of a .mat file."""
    from scipy.io import loadmat

    try:
        return loadmat(path, squeeze_me=True)[name]
    except Exception as error:  # a damaged file can raise nearly anything
        raise _unreadable(path, f"a .mat file with {name}", error) from error


def _unreadable(path: Path, expected: str, error: Exception) -> UserError:
    return UserError(
        "a list of the data set is missing or cannot be read",
        expected=expected,
        found=getattr(error, "strerror", None) or error,
        where=path,
    )
