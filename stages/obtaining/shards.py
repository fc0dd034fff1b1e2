"""Photographs in a few large archives instead of a million loose files, as `prepare --shards` makes them.

An archive is a plain tar, in which webdataset reads pairs <key>.jpg and <key>.cls (<key>.json where an image has
several labels); the key counts the images of the split in their order. Beside the archives lie the lists, labels and
manifest that `prepare` writes for the official tree, {train,test}.index.txt (stages/data/file_lists.py), by which one
photograph is read without the others, and shards.json, written last, with the checksum of each. Equal photographs give
equal bytes.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np

from common import atomic, files
from common.errors import UserError
from stages.data import datasets, file_lists
from stages.data.file_lists import Entry, FileList
from stages.data.records import Declaration
from stages.obtaining.expectations import check
from stages.obtaining.inspection import Surveyed

SHARD_BYTES = 1 << 30  # an archive is closed before it grows beyond this, unless one photograph does
ABOUT = "shards.json"
AGAIN = "remove the folder and run `python -m stages prepare --shards` again"


def folder_of(declared: Declaration, root: Path) -> Path:
    """Where the shards of a data set are: beside its folder."""
    return root / f"{declared['folder']}.shards"


def are_in(folder: Path) -> bool:
    """Whether the folder holds finished shards."""
    return (folder / ABOUT).is_file()


def remove(folder: Path) -> None:
    """Remove older shards. The file that says that they are whole goes first, so that a kill leaves no false claim."""
    (folder / ABOUT).unlink(missing_ok=True)
    for path in folder.glob("*.tar"):
        path.unlink()
    if folder.is_dir():
        atomic.discard_partials(folder)


def indices(folder: Path) -> dict[str, str]:
    """The SHA-256 of each split's index."""
    return files.read_json(folder / ABOUT)["indices"]


def write(declared: Declaration, tree: Path, folder: Path, splits: dict[str, Surveyed]) -> None:
    """Write archives and indices of the surveyed photographs of `tree`. UserError if one has changed meanwhile."""
    archives, sums = {}, {}
    for split, surveyed in splits.items():
        placed: list[Entry] = []
        photographs = FileList(tree, surveyed.entries)
        for number, part in enumerate(_parts(surveyed.entries)):
            path = folder / f"{split}-{number:06d}.tar"
            with atomic.whole_file(path, needed=sum(surveyed.entries[i].size for i in part)) as file:
                placed += _write_archive(file, path.name, photographs, surveyed.labels, part)
            archives[path.name] = {"bytes": path.stat().st_size, "sha256": files.sha256_file(path)}
            print(f"{declared['name']}: {path.name} has {len(part):,} photographs", flush=True)
        text = file_lists.index_text(tuple(placed))
        files.write_text(folder / f"{split}.index.txt", text)
        sums[split] = files.sha256_bytes(text.encode())
    last = splits["train"].left_out_last
    about = {"archives": archives, "indices": sums, "left_out_last": last}
    files.write_json(folder / ABOUT, about)


def survey(declared: Declaration, folder: Path, verify: bool) -> dict[str, Surveyed]:
    """Both splits as the shards have them. UserError if an archive is missing or damaged, or they are of another set.

    Of the archives only sizes are compared, with `verify` their SHA-256 too.
    """
    manifest, about = datasets.read_manifest(folder), files.read_json(folder / ABOUT)
    for key in ("name", "layout", "classes"):
        if manifest.get(key) != declared.get(key):
            raise UserError(
                "these shards are of another data set",
                expected=f"{key} {declared.get(key)}",
                found=manifest.get(key),
                where=folder,
                remedy=AGAIN,
            )
    for name, expected in about["archives"].items():
        _check_archive(folder / name, expected, verify)
    surveyed = {}
    for split in datasets.STORED:
        entries = file_lists.read_list(folder, manifest, split)
        file_lists.read_index(folder, split, about["indices"][split], entries)
        labels = datasets.read_split_array(folder, manifest, split, "labels")
        left_out = tuple(manifest["splits"][split].get("left_out", ()))
        last = about["left_out_last"] if split == "train" else 0
        surveyed[split] = Surveyed(entries, labels, left_out, last)
    check(surveyed, declared, folder)
    return surveyed


def _check_archive(path: Path, expected: dict[str, int | str], verify: bool) -> None:
    size = path.stat().st_size if path.is_file() else None
    problem = "" if size == expected["bytes"] else "is missing" if size is None else f"{size:,} bytes"
    if not problem and verify and (digest := files.sha256_file(path)) != expected["sha256"]:
        problem = f"sha256 {digest}"
    if problem:
        raise UserError(
            "an archive of photographs is missing or damaged",
            expected=f"{expected['bytes']:,} bytes, sha256 {expected['sha256']}",
            found=problem,
            where=path,
            remedy=AGAIN,
        )


def _parts(entries: tuple[Entry, ...]) -> Iterator[range]:
    """Places of consecutive photographs that go into one archive."""
    start, size = 0, 0
    for place, entry in enumerate(entries):
        if size and size + entry.size > SHARD_BYTES:
            yield range(start, place)
            start, size = place, 0
        size += entry.size
    yield range(start, len(entries))


def _write_archive(
    file: BinaryIO, name: str, photographs: FileList, labels: np.ndarray, part: range
) -> Iterator[Entry]:
    """Write the photographs at these places with their labels; yields their entries in the archive."""
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for place in part:
            entry, data = photographs.entries[place], photographs.read(place)
            offset = _add(archive, f"{place:08d}.{_suffix(entry.path)}", data)
            kind = "cls" if labels.ndim == 1 else "json"
            _add(archive, f"{place:08d}.{kind}", json.dumps(labels[place].tolist()).encode())
            yield Entry(entry.path, len(data), files.sha256_bytes(data), name, offset)


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> int:
    """Add a file without a clock or an owner; returns where its bytes begin."""
    member = tarfile.TarInfo(name)
    member.size = len(data)
    offset = archive.offset + len(member.tobuf(archive.format))
    archive.addfile(member, io.BytesIO(data))
    return offset


def _suffix(path: str) -> str:
    suffix = PurePosixPath(path).suffix.lower().lstrip(".")
    return {"jpeg": "jpg", "": "jpg"}.get(suffix, suffix)
