"""Receipts, results/<scale>/receipts/<step>.json: each says that a step of a scale was done.

A receipt lists the files that the step left, with their SHA-256. Both engines look at receipts. If a listed file has
changed, all receipts are discarded before an engine looks, so that every step runs again. The steps themselves know
what is left to do.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from common import files, seals

PLACE = "receipts"


def write(scale_folder: Path, step: str, left: Iterable[Path]) -> None:
    """Write the receipt of a step that left these files; also an unchanged one, because some engines compare times."""
    listed = {path.as_posix(): files.sha256_file(path) for path in sorted(left)}
    files.write_json(Path(scale_folder) / PLACE / f"{step}.json", seals.sealed({"files": listed}))


def discard_broken(scale_folder: str | Path) -> list[str]:
    """The names of the steps whose receipts are no longer true. If there are any, all receipts of the scale go.

    The steps of single exhibits, as drawn/figure_05, come last. Snakemake does not remake a file that is missing
    between two that are there, so the later steps have to run, too.
    """
    names = broken(scale_folder)
    if names:
        discard(scale_folder)
    return names


def broken(scale_folder: str | Path) -> list[str]:
    """The same names, without a change of any file."""
    # A receipt of one exhibit lists files that those of the scale list, too.
    digest_of = functools.cache(files.sha256_file)
    untrue = [path for path in _all(scale_folder) if not _is_true(path, digest_of)]
    names = (path.relative_to(Path(scale_folder) / PLACE).with_suffix("").as_posix() for path in untrue)
    return sorted(names, key=lambda name: (name.count("/"), name))


def discard(scale_folder: str | Path) -> None:
    """Remove all receipts of a scale, so that every step looks at what is left to do."""
    for path in _all(scale_folder):
        path.unlink()


def _all(scale_folder: str | Path) -> list[Path]:
    return sorted((Path(scale_folder) / PLACE).rglob("*.json"))


def _is_true(path: Path, digest_of: Callable[[Path], str]) -> bool:
    record = _read(path)
    listed = record.get("files") if seals.is_whole(record) else None
    if not isinstance(listed, dict):
        return False
    return all(_holds(Path(name), digest, digest_of) for name, digest in listed.items())


def _holds(path: Path, digest: str, digest_of: Callable[[Path], str]) -> bool:
    try:
        return path.is_file() and digest_of(path) == digest
    except (OSError, ValueError):  # a name that no file can have
        return False


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
