"""What `prepare` does for photographs: list the official tree, hold it to the declaration, and record every file.

By default a file is decoded once, so that a damaged one is found now and not amid a training, and its SHA-256 is
recorded, with which every later read is compared. A set whose declaration says `content: size` (ImageNet: 150 GB would
take an hour to hash) records sizes alone, and only headers are decoded; its list, labels and order have their hash in
the manifest all the same.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from common import files
from common.errors import UserError
from stages.data.datasets import STORED, about_array, class_count
from stages.data.file_lists import UNKNOWN, Entry, list_text, picture, read_list
from stages.obtaining.layouts import LAYOUTS
from stages.obtaining.official_lists import Sample

Known = dict[str, Entry]
Surveyed = dict[str, tuple[tuple[Entry, ...], np.ndarray]]
CHUNK = 10_000  # photographs looked at between two lines of progress


def survey(declared: dict[str, Any], root: Path, known: Known) -> Surveyed:
    """The verified entries and labels, int64 (n,) or (n, classes), of both splits: {split: (entries, labels)}.

    `known` are entries of an earlier survey: those files are only asked for their size. UserError if the folder, a list
    or a photograph is missing or unreadable, or numbers differ from the declared ones.
    """
    tree = root / declared["folder"]
    if not tree.is_dir():
        raise UserError(
            f"the data set {declared['name']} is not here",
            expected=declared["title"],
            found="no such folder",
            where=tree,
            remedy=declared["by_hand"].strip(),
        )
    listing = LAYOUTS[declared["layout"]](tree, declared)
    labels = {split: np.array([label for _, label in listing[split]], dtype=np.int64) for split in STORED}
    for split in STORED:
        _check_labels(labels[split], split, declared, tree)
    return {split: (_entries(listing[split], tree, declared, known), labels[split]) for split in STORED}


def known_entries(folder: Path) -> Known:
    """What an earlier survey wrote to the folder, if that is whole; else nothing, and all is looked at again."""
    try:
        manifest = files.read_json(folder / "manifest.json")
        return {entry.path: entry for split in STORED for entry in read_list(folder, manifest, split)}
    except (UserError, KeyError, TypeError):
        return {}


def described(surveyed: Surveyed) -> dict[str, Any]:
    """What a manifest says of listed photographs."""
    return {
        split: {
            "size": len(entries),
            "files": {
                "bytes": sum(entry.size for entry in entries),
                "sha256": files.sha256_bytes(list_text(entries).encode()),
            },
            "labels": about_array(labels),
        }
        for split, (entries, labels) in surveyed.items()
    }


def _check_labels(labels: np.ndarray, split: str, declared: dict[str, Any], tree: Path) -> None:
    size, classes = declared["splits"][split]["size"], class_count(declared)
    if len(labels) != size:
        raise UserError(
            f"{split} has another number of images",
            expected=f"{size:,}",
            found=f"{len(labels):,}",
            where=tree,
            remedy="use the whole official distribution; who must do with less declares the sizes that are there",
        )
    if labels.ndim == 1 and not 0 <= labels.min() <= labels.max() < classes:
        raise UserError(
            f"{split} has labels outside the classes",
            expected=f"0 to {classes - 1}",
            found=f"{labels.min()} to {labels.max()}",
            where=tree,
        )
    counts = np.bincount(labels, minlength=classes) if labels.ndim == 1 else (labels == 1).sum(axis=0)
    if len(empty := np.flatnonzero(counts == 0)):
        names = declared["classes"] if isinstance(declared["classes"], list) else range(classes)
        raise UserError(
            f"{split} has a class without a sample",
            expected=f"images of each of {classes} classes",
            found=f"none of {', '.join(str(names[i]) for i in empty[:3])}"
            + (", ..." if len(empty) > 3 else ""),
            where=tree,
        )


def _entries(samples: list[Sample], tree: Path, declared: dict[str, Any], known: Known) -> tuple[Entry, ...]:
    paths = [path for path, _ in samples]
    sizes = dict(zip(paths, _for_all(paths, partial(_size, tree), ""), strict=True))
    if missing := [path for path, size in sizes.items() if size is None]:
        raise UserError(
            "photographs are missing",
            expected=f"all {len(paths):,} that the official lists name",
            found=f"{len(missing):,} are not there, first {', '.join(missing[:3])}",
            where=tree / missing[0],
            remedy="unpack the official archive again",
        )
    hashed = declared.get("content", "sha256") == "sha256"
    found = _for_all(paths, lambda path: _entry(tree, path, sizes[path], hashed, known), declared["name"])
    return tuple(found)


def _for_all(paths: list[str], function: Callable[[str], Any], name: str) -> list[Any]:
    """function(path) of every path, in order, by threads; a name is told how far it is where that takes long."""
    found: list[Any] = []
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(paths), CHUNK):  # a million waiting calls would take a gigabyte
            found += pool.map(function, paths[start : start + CHUNK])
            if name and len(paths) > CHUNK:
                print(f"{name}: {len(found):,} of {len(paths):,} photographs looked at", flush=True)
    return found


def _size(tree: Path, path: str) -> int | None:
    return (tree / path).stat().st_size if (tree / path).is_file() else None


def _entry(tree: Path, path: str, size: int, hashed: bool, known: Known) -> Entry:
    before = known.get(path)
    if before is not None and before.size == size and (before.sha256 != UNKNOWN) == hashed:
        return before
    if not hashed:
        with picture(tree / path, tree / path):
            return Entry(path, size, UNKNOWN)
    data = files.read_bytes(tree / path)
    with picture(io.BytesIO(data), tree / path) as image:
        image.load()
        return Entry(path, len(data), files.sha256_bytes(data))
