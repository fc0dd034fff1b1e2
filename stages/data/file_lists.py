"""Photographs on disk: which files make up a split, and their bytes, compared with the list at every reading.

Photographs have all sizes and stay where their official archive put them, below one folder. A prepared split of them
is {train,test}.files.txt, with a line "<sha256> <bytes> <path below the folder>" for each photograph in the order of
the data set ("-" where only sizes were recorded), beside {train,test}.labels.npy. source.json names the folder. Where
`prepare --shards` has copied them to tar archives, the folder is that of the archives and {train,test}.index.txt says
where each one begins.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from common import files
from common.errors import UserError
from stages.data.records import Manifest

UNKNOWN = "-"
AGAIN = "run `python -m stages prepare` again: it makes the list anew"
REMEDY = (
    "restore it from the official archive; or, if this is the right one, delete the prepared lists and run "
    "`python -m stages prepare` again"
)
NO_ARCHIVE = (
    "run `python -m stages prepare --shards` again; or, to read the official files, remove the folder of the archives "
    "and run `python -m stages prepare`"
)


class Entry(NamedTuple):
    """One photograph: its path below the data set's folder, its size in bytes, its SHA-256 or "-".

    In shards it is the part of `archive`, a file of their folder, that begins at byte `offset`.
    """

    path: str
    size: int
    sha256: str
    archive: str = ""
    offset: int = 0


@dataclass(frozen=True)
class FileList:
    """The photographs of a split, in its order. An int array as index chooses some, as from the rows of an array."""

    root: Path
    entries: tuple[Entry, ...]

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, chosen: np.ndarray) -> FileList:
        return FileList(self.root, tuple(self.entries[i] for i in chosen.tolist()))

    @property
    def names(self) -> list[str]:
        """The path of every photograph below the data set's folder."""
        return [entry.path for entry in self.entries]

    def where(self, place: int) -> str:
        """Where a photograph lies, in words: its file, or its archive and its path."""
        entry = self.entries[place]
        return f"{self.root / entry.archive} ({entry.path})" if entry.archive else str(self.root / entry.path)

    def read(self, place: int) -> bytes:
        """The bytes of one photograph. UserError, naming it, if they have changed since it was prepared."""
        entry = self.entries[place]
        data = _bytes(self.root, entry)
        found = hashlib.sha256(data).hexdigest() if entry.sha256 != UNKNOWN else UNKNOWN
        if (len(data), found) != (entry.size, entry.sha256):
            raise UserError(
                "a photograph has changed since it was prepared",
                expected=f"{entry.size:,} bytes, sha256 {entry.sha256}",
                found=f"{len(data):,} bytes, sha256 {found}",
                where=self.where(place),
                remedy=REMEDY,
            )
        return data


def list_text(entries: tuple[Entry, ...]) -> str:
    """The content of a .files.txt."""
    return "".join(f"{entry.sha256} {entry.size} {entry.path}\n" for entry in entries)


def read_list(folder: str | Path, manifest: Manifest, split: str) -> tuple[Entry, ...]:
    """The entries of a prepared split. UserError if the list is not the one in the manifest."""
    text = _verified(Path(folder) / f"{split}.files.txt", manifest["splits"][split]["files"]["sha256"])
    rows = (line.split(" ", 2) for line in text.splitlines())
    return tuple(Entry(name, int(size), sha256) for sha256, size, name in rows)


def index_text(entries: tuple[Entry, ...]) -> str:
    """The content of an .index.txt: "<sha256> <archive> <offset>" a line, in the order of the .files.txt."""
    return "".join(f"{entry.sha256} {entry.archive} {entry.offset}\n" for entry in entries)


def read_index(folder: Path, split: str, sha256: str, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """The entries with their places in the shards of `folder`. UserError if the index has not this checksum."""
    rows = [line.split(" ") for line in _verified(folder / f"{split}.index.txt", sha256).splitlines()]
    return tuple(
        Entry(entry.path, entry.size, digest, archive, int(offset))
        for entry, (digest, archive, offset) in zip(entries, rows, strict=True)
    )


def read_split(folder: str | Path, manifest: Manifest, split: str) -> FileList:
    """The photographs of a prepared split, below the folder that `prepare` found them in."""
    source = files.read_json(Path(folder) / "source.json")
    root, entries = Path(source["tree"]), read_list(folder, manifest, split)
    if "shards" in source:
        entries = read_index(root, split, source["shards"][split], entries)
    return FileList(root, entries)


def _bytes(root: Path, entry: Entry) -> bytes:
    """The file of an entry, or its part of an archive."""
    path = root / (entry.archive or entry.path)
    try:
        with open(path, "rb") as file:
            file.seek(entry.offset)
            return file.read(entry.size) if entry.archive else file.read()
    except OSError as error:
        raise UserError(
            f"{'an archive of photographs' if entry.archive else 'a photograph'} is missing or cannot be read",
            expected="the file that `prepare` found",
            found=error.strerror,
            where=path,
            remedy=NO_ARCHIVE if entry.archive else REMEDY,
        ) from error


def _verified(path: Path, expected: str) -> str:
    data = files.read_bytes(path)
    if (found := files.sha256_bytes(data)) != expected:
        raise UserError(
            "a list of photographs is damaged",
            expected=f"sha256 {expected}",
            found=f"sha256 {found}",
            where=path,
            remedy=AGAIN,
        )
    return data.decode()
