"""Photographs on disk: which files make up a split, and their bytes, compared with the list whenever they are read.

Photographs have all sizes and stay where their official archive put them, below one folder. A prepared split of them is
{train,test}.files.txt, one "<sha256> <bytes> <path below the folder>" a line in the order of the data set ("-" where
only sizes were recorded), beside {train,test}.labels.npy; source.json says which folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from common import files
from common.errors import UserError

if TYPE_CHECKING:
    from PIL import Image

# Some files of SUN397 and ImageNet are not what their suffix says; nothing else is tried on a user's bytes. JPEG takes
# cameras' pairs of pictures (MPO) too.
PICTURE_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP")
UNKNOWN = "-"
REMEDY = "restore it from the official archive, then run `python -m stages prepare` again"


class Entry(NamedTuple):
    """One photograph: its path below the data set's folder, its size in bytes, its SHA-256 or "-"."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class FileList:
    """The photographs of a split, in its order; an int array chooses among them as among the rows of an array."""

    root: Path
    entries: tuple[Entry, ...]

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, chosen: np.ndarray) -> FileList:
        return FileList(self.root, tuple(self.entries[i] for i in chosen.tolist()))

    @property
    def names(self) -> list[str]:
        """The file names without their folders, as lists of ImageNet's images have them."""
        return [entry.path.rsplit("/", 1)[-1] for entry in self.entries]

    def read(self, place: int) -> bytes:
        """The bytes of one photograph. UserError, naming it, if they are not the ones that were prepared."""
        entry = self.entries[place]
        data = files.read_bytes(self.root / entry.path)
        found = hashlib.sha256(data).hexdigest() if entry.sha256 != UNKNOWN else UNKNOWN
        if (len(data), found) != (entry.size, entry.sha256):
            raise UserError(
                "a photograph has changed since it was prepared",
                expected=f"{entry.size:,} bytes, sha256 {entry.sha256}",
                found=f"{len(data):,} bytes, sha256 {found}",
                where=self.root / entry.path,
                remedy="restore it from the official archive; or, if this is the right one, delete the prepared lists "
                "and run `python -m stages prepare` again",
            )
        return data


@contextmanager
def picture(source: BinaryIO | Path, name: Path) -> Iterator[Image.Image]:
    """An image whose header was read. UserError, naming the file, if that or anything in the block fails to decode."""
    from PIL import Image

    try:
        with Image.open(source, formats=PICTURE_FORMATS) as image:
            yield image
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise UserError(
            "a photograph cannot be read",
            expected="a whole image file, " + ", ".join(PICTURE_FORMATS),
            found=error,
            where=name,
            remedy=REMEDY,
        ) from error


def list_text(entries: tuple[Entry, ...]) -> str:
    """The content of a .files.txt."""
    return "".join(f"{entry.sha256} {entry.size} {entry.path}\n" for entry in entries)


def read_list(folder: str | Path, manifest: dict[str, Any], split: str) -> tuple[Entry, ...]:
    """The entries of a prepared split. UserError if the list is not the one in the manifest."""
    path = Path(folder) / f"{split}.files.txt"
    data, expected = files.read_bytes(path), manifest["splits"][split]["files"]["sha256"]
    if (found := files.sha256_bytes(data)) != expected:
        raise UserError(
            "a list of photographs is damaged",
            expected=f"sha256 {expected}",
            found=f"sha256 {found}",
            where=path,
            remedy="run `python -m stages prepare` again: it makes the list anew",
        )
    rows = (line.split(" ", 2) for line in data.decode().splitlines())
    return tuple(Entry(name, int(size), sha256) for sha256, size, name in rows)


def read_split(folder: str | Path, manifest: dict[str, Any], split: str) -> FileList:
    """The photographs of a prepared split, below the folder that `prepare` found them in."""
    root = Path(files.read_json(Path(folder) / "source.json")["tree"])
    return FileList(root, read_list(folder, manifest, split))
