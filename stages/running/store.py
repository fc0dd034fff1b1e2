"""Finished runs, addressed by what decides their numbers.

results/<scale>/store/<stage>/<fingerprint>/ holds every run once; a sweep's folder holds hard links to the runs that
its exhibit shows. So exhibits share runs without knowing of each other, an edit that is taken back finds its old run,
and nothing finished is ever overwritten.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common import files
from common.errors import UserError
from stages.planning.plans import Run

LAYOUT = 1  # of a run folder; raise it when the files in it change their meaning
RECORD = "record.json"  # wall time, host, date: differs from run to run, so it is not listed in run.json


def store_folder(results: Path, run: Run) -> Path:
    """Where the run lies when finished."""
    return results / run.scale / "store" / run.stage / run.fingerprint


def partial_folder(results: Path, run: Run) -> Path:
    """Where the run works until it is finished, with its checkpoint."""
    return store_folder(results, run).with_suffix(files.PARTIAL)


@contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Hold the lock beside `folder`; yields False at once if another process holds it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_suffix(".lock"), "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def is_finished(folder: Path, run: Run) -> bool:
    """Whether `folder` holds this very run with every listed file intact.

    UserError if it was written by a version of this project with another layout.
    """
    path = folder / "run.json"
    if not path.is_file():
        return False
    try:
        cause = json.loads(path.read_text())
    except ValueError:
        return False
    if not isinstance(cause, dict):
        return False
    if cause.get("layout") != LAYOUT:
        raise UserError(
            "results of another version of this project",
            expected=f"run folders of layout {LAYOUT}",
            found=f"layout {cause.get('layout')}",
            where=folder,
            remedy="move the results folder away, or check out the version that made it",
        )
    return cause.get("fingerprint") == run.fingerprint and not damaged_files(folder, cause)


def damaged_files(folder: Path, cause: dict[str, Any]) -> list[str]:
    """Names of listed files that are missing or not as they were written."""
    return [
        name
        for name, listed in cause.get("files", {"run.json": ""}).items()
        if not (folder / name).is_file() or files.sha256_file(folder / name) != listed
    ]


def finish(folder: Path, destination: Path, cause: dict[str, Any], record: dict[str, Any]) -> None:
    """Seal a partial run: list its files, write run.json last, and move it to its place in the store."""
    files.discard_partials(folder)
    (folder / "error.txt").unlink(missing_ok=True)  # of an attempt before this one
    listed = {
        path.relative_to(folder).as_posix(): files.sha256_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (RECORD, "run.json")
    }
    files.write_json(folder / RECORD, record)
    files.write_json(folder / "run.json", {**cause, "layout": LAYOUT, "files": listed})
    if destination.exists():
        shutil.rmtree(destination)  # damaged, or it would have been linked instead of run again
    os.replace(folder, destination)


def read_run(folder: Path) -> dict[str, Any]:
    """The run.json of a finished run. UserError if it is missing or a listed file is damaged."""
    cause = files.read_json(folder / "run.json")
    if broken := damaged_files(folder, cause):
        raise UserError(
            "a finished run is damaged",
            expected="the files that run.json lists, with their checksums",
            found=f"{', '.join(broken)} missing or changed",
            where=folder,
            remedy="run the stage that made it again: it redoes damaged runs and keeps the others",
        )
    return cause
