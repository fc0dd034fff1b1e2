"""The kinds of lists that official distributions come with. UserError names the one that is not as it must be."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from common.errors import UserError
from stages.data.datasets import class_count
from stages.data.records import Declaration
from stages.obtaining import matlab
from stages.obtaining.matlab import unreadable

# Path below the data set's folder; label, or 0, 1 or UNJUDGED for every class.
Sample = tuple[str, int | list[int]]
Listing = dict[str, list[Sample]]
LITTER = ("thumbs.db", "desktop.ini", "__macosx", "lost+found", "@eadir")  # hidden by name, not by a dot
DIGITS = 18  # of a number: more than any label has, and no more than 64 bits hold
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
    others = [entry.path for entry in here if not entry.is_dir()]
    for entry in here:
        if entry.is_dir():
            inside, more = visible(folder / entry.name)
            photographs[entry.name] = [file_name(one) for one in inside if one.name.endswith(suffix)]
            others += [one.path for one in inside if not one.name.endswith(suffix)]
            hidden += more
    tell_hidden(hidden, declared)
    tell_others(others, f"are not called *{suffix} in a folder of a class", declared)
    _check_number(folder, photographs, others, declared)
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


def tell_others(others: list[str], why: str, declared: Declaration) -> None:
    """Say which files do not count, if there are any."""
    if others:
        print(f"{declared['name']}: {len(others):,} files do not count, as they {why}, first {others[0]}")


def file_name(entry: os.DirEntry[str]) -> str:
    """The name of an entry that is called like a photograph. UserError if it is no file."""
    if entry.is_file():
        return entry.name
    found = (
        "a folder"
        if entry.is_dir()
        else "a link to nothing"
        if entry.is_symlink()
        else "neither file nor folder"
    )
    raise UserError(
        "something that is no file has the name of a photograph",
        expected="a file",
        found=found,
        where=entry.path,
        remedy="move it elsewhere, or unpack the archive again",
    )


def _check_number(
    folder: Path, photographs: dict[str, list[str]], others: list[str], declared: Declaration
) -> None:
    if len(photographs) == class_count(declared):
        return
    empty = [name for name, paths in photographs.items() if not paths]
    which = f", of which these hold no photograph: {', '.join(empty[:5])}" if empty else ""
    if not photographs:
        which = f", but {Path(others[0]).name} and the like" if others else ", and nothing else"
    raise UserError(
        "another number of class folders",
        expected=class_count(declared),
        found=f"{len(photographs)}{which}" if folder.is_dir() else "no such folder",
        where=folder,
        remedy="every class has its folder there, and nothing else has"
        if photographs
        else declared.get("by_hand", "").strip(),
    )


def lines(path: Path) -> list[str]:
    """The lines of an official list that are not empty."""
    try:
        return [line.strip() for line in path.read_text("utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(path, "a text file of the official distribution", error) from error


def rows(path: Path, fields: int) -> list[list[str]]:
    """Lines divided at blanks into `fields` fields, of which the last one may have blanks."""
    rows = [line.split(None, fields - 1) for line in lines(path)]
    for line, row in enumerate(rows, 1):
        if len(row) < fields:
            raise _cut_short(fields, row, line, path)
    return rows


def columns(path: Path, *names: str) -> list[list[str]]:
    """These columns of a table with tabs between its fields, whose first line has the names: a list for every row."""
    header, *body = [line.split("\t") for line in lines(path)] or [[]]
    for name in names:
        if name not in header:
            found = ", ".join(header) or "nothing"
            raise UserError("a list lacks a column", expected=name, found=found, where=path)
    places = [header.index(name) for name in names]
    for line, row in enumerate(body, 2):
        if len(row) <= max(places):
            raise _cut_short(max(places) + 1, row, line, path)
    return [[row[place] for place in places] for row in body]


def number(text: object, path: Path) -> int:
    """A whole number, not negative, of a list."""
    digits = str(text) if isinstance(text, int | str) else ""
    if not digits.isdecimal() or len(digits) > DIGITS:
        raise UserError(
            "a label is not a number",
            expected="0, 1, 2, ...",
            found=str(text)[:80] or "nothing",
            where=path,
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
        raise unreadable(path, expected, error) from error


def records(path: Path, name: str, *fields: str) -> list[list[Any]]:
    """These fields of an array of structs of a .mat file: a list of them for every struct."""
    return matlab.values(path, name, *fields)


def numbers(path: Path, name: str) -> list[int]:
    """An array of whole numbers of a .mat file, in one dimension."""
    return [number(one, path) for one in matlab.values(path, name)]


def _cut_short(fields: int, row: list[str], line: int, path: Path) -> UserError:
    return UserError(
        "a line of a list is cut short", expected=f"{fields} fields", found=f"{row}, line {line}", where=path
    )
