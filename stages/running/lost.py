"""Runs that were finished and are not whole any more: a folder that was removed, a file that was cut or changed.

Engines look at receipts, which list indices, which list runs. Before an engine decides from those that nothing is to be
done, the runs themselves are looked at here, file by file. What changed since it was known to be whole is hashed, the
rest only looked for, so that thousands of runs cost seconds. What a disk loses without a write its reader notices.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from stages.running import store

STAMP = ".whole"  # its time: when all runs of all indices were whole


def discard_indices(results: Path, scale: str, *, read_all: bool = False) -> list[str]:
    """Remove the index of each sweep that lost a run: then its receipt is not true. Returns the names of the sweeps.

    read_all: hash every file. UserError for runs that another version of this project wrote.
    """
    folder = results / scale
    if not any((folder / "index").glob("*/*/*.json")):
        return []
    # Made before the look and in force after it: what changes meanwhile counts as changed.
    next_stamp = folder / f"{STAMP}.new"
    next_stamp.touch()
    indices = broken_indices(folder, read_all=read_all)
    for path in indices:
        path.unlink()
    os.replace(next_stamp, folder / STAMP)
    return [sweep_of(path) for path in indices]


def broken_indices(folder: Path, *, read_all: bool = False) -> list[Path]:
    """The index of each sweep in the scale's folder that lost a run. Nothing is written. UserError as above."""
    stamp = folder / STAMP
    return [
        path
        for path in sorted((folder / "index").glob("*/*/*.json"))
        if not _is_whole(path, folder, 0 if read_all else _known(path, stamp))
    ]


def sweep_of(index: Path) -> str:
    """For example "pretrain figure_08"."""
    return f"{index.stem} {index.parents[1].name}"


def is_whole(folder: Path, stage: str, exhibit: str, run: str, fingerprint: str, since: int) -> bool:
    """Whether a run stands in the store of the scale's folder or, after `dvc pull`, in its sweep alone.

    since: when it was known to, in ns; 0 if never. UserError as above.
    """
    stored = folder / "store" / stage / fingerprint
    # Readers look into the store first.
    return store.stands(stored if stored.is_dir() else folder / stage / exhibit / run, fingerprint, since)


def _known(index: Path, stamp: Path) -> int:
    """When the runs of an index were last known to be whole (ns): as it was written, or at a look after that."""
    written = index.stat()
    looked = stamp.stat().st_mtime_ns if stamp.exists() else 0
    # One that came here after that look, with an old time, was not looked at.
    return max(written.st_mtime_ns, looked) if written.st_ctime_ns < looked else written.st_mtime_ns


def _is_whole(index: Path, folder: Path, since: int) -> bool:
    stage, exhibit = index.stem, index.parents[1].name
    return all(is_whole(folder, stage, exhibit, run, key, since) for run, key in _listed(index))


def _listed(index: Path) -> list[tuple[str, str]]:
    """(run, fingerprint) of what an index lists; not of runs that never lay here, and are known by evidence.

    An index that is no index has no runs: its receipt says that it was changed.
    """
    try:
        runs = json.loads(index.read_bytes()).items()
        return [(name, str(run["fingerprint"])) for name, run in runs if run["sha256"] != "evidence"]
    except (OSError, ValueError, RecursionError, AttributeError, KeyError, TypeError):
        return []
