"""Whether any file that a plan was made from, or that it wrote, has changed since, so that seconds are not spent twice.

To look at the size and time of every file takes a hundredth of a second; to resolve a scale takes two. What a plan is
made from is looked at before it is made, so that a file that is saved meanwhile is not taken for planned.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from common import files

# What a plan is made from, and what it writes into the working tree.
INPUTS = ("params", "common", "simclr", "stages", "reports", "workflows")
WRITTEN = ("params/plan", "workflows/dvc.yaml")
SKIPPED = frozenset(
    {"__pycache__", "out", "evidence", "metrics", "bench.json", "dvc.lock", "plan", "dvc.yaml"}
)
LIST = re.compile(rb"^list \S+ (.+)$", re.MULTILINE)


def stamp_path(results: Path, scale: str) -> Path:
    """The file that remembers the last look. No engine depends on it."""
    return results / scale / "plan.stamp"


def look() -> str:
    """A digest of the sizes and times of what every plan is made from."""
    return _digest(path for path in _all(INPUTS) if SKIPPED.isdisjoint(path.parts))


def is_current(results: Path, scale: str, looked: str) -> bool:
    """Whether the last plan of a scale was made from what `look` found, and what it wrote is still as it was."""
    path = stamp_path(results, scale)
    noted = path.read_bytes() if path.is_file() else b""
    # A list to which a run is bound may lie anywhere. Its content counts.
    lists = {name: _content(name) for name in map(os.fsdecode, LIST.findall(noted))}
    return noted == _note(results, scale, looked, lists)


def remember(results: Path, scale: str, looked: str, lists: Mapping[str, str]) -> None:
    """Write down what a plan was made from: `look` from before it was made, and {list: SHA-256} of what it names."""
    files.write_bytes(stamp_path(results, scale), _note(results, scale, looked, lists))


def _note(results: Path, scale: str, looked: str, lists: Mapping[str, str]) -> bytes:
    own = results / scale
    written = _digest(_all([*WRITTEN, own / "code", own / "work.json"]))
    lines = [f"made from {looked}", f"wrote {written}"]
    lines += [f"list {digest} {name}" for name, digest in sorted(lists.items())]
    return os.fsencode("\n".join([*lines, ""]))


def _content(name: str) -> str:
    try:
        return files.sha256_file(name)
    except (OSError, ValueError):  # gone, or in a damaged note a name that no file can have
        return "none"


def _digest(paths: Iterable[Path]) -> str:
    files_alone = (path for path in paths if path.is_file())
    lines = [f"{path} {stat.st_size} {stat.st_mtime_ns}" for path in files_alone for stat in [path.stat()]]
    return hashlib.sha256("\n".join(sorted(lines)).encode(errors="surrogateescape")).hexdigest()


def _all(places: Iterable[str | Path]) -> Iterator[Path]:
    for place in map(Path, places):
        yield place
        yield from place.rglob("*")
