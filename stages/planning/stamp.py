"""Whether any file that a plan was made from, or that it wrote, has changed since, so that seconds are not spent twice.

To look at the size and time of every file takes a hundredth of a second; to resolve a scale takes two.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from common import files

# What a plan is made from, and what it writes into the working tree.
INPUTS = ("params", "common", "simclr", "stages", "reports", "workflows")
SKIPPED = ("__pycache__", "out", "evidence", "metrics", "bench.json", "dvc.lock")


def stamp_path(results: Path, scale: str) -> Path:
    """The file that remembers the last look. No engine depends on it."""
    return results / scale / "plan.stamp"


def is_current(results: Path, scale: str) -> bool:
    """Whether the files that the last plan of a scale read and wrote still have the same sizes and times."""
    path = stamp_path(results, scale)
    return path.is_file() and path.read_text() == _look(results, scale)


def remember(results: Path, scale: str) -> None:
    """Write down the sizes and times of the files, after a plan was made."""
    files.write_text(stamp_path(results, scale), _look(results, scale))


def _look(results: Path, scale: str) -> str:
    folders = [*map(Path, INPUTS), results / scale / "code"]
    lines = [f"{path} {stat.st_size} {stat.st_mtime_ns}" for path, stat in _all(folders)]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def _all(folders: Iterable[Path]) -> Iterator[tuple[Path, os.stat_result]]:
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and not set(path.parts) & set(SKIPPED):
                yield path, path.stat()
