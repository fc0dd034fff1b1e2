"""The kinds of lists that official distributions come with. UserError names the one that is not as it must be."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from common.errors import UserError
from stages.data.datasets import class_count
from stages.data.records import Declaration

# Path below the data set's folder; label, or 0, 1 or UNJUDGED for every class.
Sample = tuple[str, int | list[int]]
Listing = dict[str, list[Sample]]
LITTER = ("thumbs.db", "desktop.ini", "__macosx", "lost+found", "@eadir")  # hidden by name, not by a dot
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


def folders(tree: Path, below: str, suffix: str, declared: Declaration) -> list[Sample]:
    """Every <class>/<name><suffix> of a folder; labels count the sorted class folders. Hidden entries do not count."""
    folder = tree / below
    here, hidden = visible(folder)
    photographs: dict[str, list[str]] = {}
    for entry in here:
        if entry.is_dir():
            inside, more = visible(folder / entry.name)
            photographs[entry.name] = [_file(one) for one in inside if one.name.endswith(suffix)]
            hidden += more
    tell_hidden(hidden, declared)
    _check_number(folder, photographs, class_count(declared))
    return [
        (f"{below}/{name}/{file}", label)
        for label, (name, files) in enumerate(photographs.items())
        for file in files
    ]


def visible(folder: Path) -> tuple[list[os.DirEntry[str]], list[os.DirEntry[str]]]:
    """What a folder holds, sorted by name, and apart from it what systems and editors hide there."""
    if not folder.is_dir():
        return [], []
    everything = sorted(os.scandir(folder), key=lambda entry: entry.name)
    is_hidden = [entry.name.startswith(".") or entry.name.lower() in LITTER for entry in everything]
    shown = [entry for entry, hides in zip(everything, is_hidden, strict=True) if not hides]
    return shown, [entry for entry, hides in zip(everything, is_hidden, strict=True) if hides]


def tell_hidden(hidden: list[os.DirEntry[str]], declared: Declaration) -> None:
    """Say that hidden entries do not count, if there are any."""
    if hidden:
        print(
            f"{declared['name']}: {len(hidden):,} hidden entries do not count, first {hidden[0].path}",
            flush=True,
        )


def _file(entry: os.DirEntry[str]) -> str:
    if entry.is_file():
        return entry.name
    raise UserError(
        "a folder has the name of a photograph",
        expected="a file",
        found="a folder",
        where=entry.path,
        remedy="move it elsewhere, or unpack the official archive again",
    )


def _check_number(folder: Path, photographs: dict[str, list[str]], classes: int) -> None:
    if len(photographs) == classes:
        return
    empty = [name for name, paths in photographs.items() if not paths]
    which = f", of which these hold no photograph: {', '.join(empty[:5])}" if empty else ""
    raise UserError(
        "another number of class folders",
        expected=classes,
        found=f"{len(photographs)}{which}",
        where=folder,
        remedy="every class has its folder there, and nothing else has",
    )


def lines(path: Path) -> list[str]:
    """The lines of an official list that are not empty."""
    try:
        return [line.strip() for line in path.read_text("utf-8-sig").splitlines() if line.strip()]
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
        # read here, because SciPy answers a missing file with "Reader needs file name"
        return loadmat(io.BytesIO(path.read_bytes()), squeeze_me=True)[name]
    except KeyError as error:
        raise _unreadable(path, f"a .mat file with {name}", f"none called {name}") from error
    except Exception as error:  # a damaged file can raise nearly anything
        raise _unreadable(path, f"a .mat file with {name}", error) from error


def _unreadable(path: Path, expected: str, error: Exception | str) -> UserError:
    return UserError(
        "a list of the data set is missing or cannot be read",
        expected=expected,
        found=getattr(error, "strerror", None) or error,
        where=path,
        remedy="unpack the official archive that has it again",
    )
