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
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from common import atomic, files, seals
from common.contracts import Cause
from common.errors import UserError
from common.locks import NO_LOCKS, sign

if TYPE_CHECKING:  # engines look at runs before every call, and wait for this import
    from stages.planning.plans import Run

# Of a run folder; raise it when the files in it change their meaning.
LAYOUT = 2
# What decided the numbers, sealed; it lists the other files.
RUN = "run.json"
# Wall time, host, date: they differ from run to run, so run.json does not list this one.
RECORD = "record.json"
# The state of a partial run, until it is sealed.
CHECKPOINT = "checkpoint.safetensors"
# What readers of run.json rely on.
SHAPE = {
    **dict.fromkeys(("fingerprint", "stage", "code"), str),
    **dict.fromkeys(("bindings", "versions", "files"), dict),
    "seed": int,
}
REMEDY = "run the stage that made it again: it redoes damaged runs and keeps the others"


def store_folder(results: Path, run: Run) -> Path:
    """Where the run lies when finished."""
    return results / run.scale / "store" / run.stage / run.fingerprint


def partial_folder(results: Path, run: Run) -> Path:
    """Where the run works until it is finished, with its checkpoint."""
    return store_folder(results, run).with_suffix(atomic.PARTIAL)


def find(results: Path, run: Run) -> Path:
    """Where a finished run lies: in the store or, after `dvc pull`, in its sweep alone."""
    # DVC tracks the folders of sweeps, not the store: a pull brings the former alone.
    stored = store_folder(results, run)
    return stored if (stored / RUN).is_file() else run.folder(results)


def lock_of(folder: Path) -> Path:
    """The lock of the run whose place in the store is `folder`."""
    return folder.with_suffix(".lock")


@contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Hold the lock beside `folder`; yields False at once if another process holds it.

    The file names its holder; the kernel frees it when that dies. On a file system without locks (Lustre mounted
    without `flock`) everybody gets it, and is told.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Not "w": who does not get the lock must not erase the name of its holder.
    with open(lock_of(folder), "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            warnings.warn(
                f"{folder.parent}: no locks here; let no two commands work on one scale", stacklevel=3
            )
        sign(file)
        yield True


def is_finished(folder: Path, run: Run) -> bool:
    """Whether `folder` holds this very run, with run.json and every file that it lists as they were written.

    UserError if it was written by a version of this project with another layout.
    """
    cause = peek(folder)
    return cause is not None and cause["fingerprint"] == run.fingerprint and not damaged_files(folder, cause)


def stands(folder: Path, fingerprint: str, since: int) -> bool:
    """The same of a run that was whole at `since` (ns): a file that did not change after it is looked for, not read.

    By the time of change, which no program sets back, unlike that of modification. UserError as above.
    """
    cause = peek(folder)
    if cause is None or cause["fingerprint"] != fingerprint:
        return False
    return all(_stands(folder / name, digest, since) for name, digest in cause["files"].items())


def is_of(folder: Path, run: Run) -> bool:
    """Whether the run.json in `folder` is of this very run; the files beside it are not looked at."""
    cause = peek(folder)
    return cause is not None and cause["fingerprint"] == run.fingerprint


def is_damaged(folder: Path, run: Run) -> bool:
    """Whether `folder` has a run.json that is not whole, or that of this very run without all its files.

    A whole one of another run, as an older declaration left it, is no damage.
    """
    if not (folder / RUN).is_file():
        return folder.is_dir()
    cause = peek(folder)
    return cause is None or (cause["fingerprint"] == run.fingerprint and bool(damaged_files(folder, cause)))


def is_linked(folder: Path, stored: Path) -> bool:
    """Whether the files of a finished run in two folders are the same on disk, so that one is as whole as the other."""
    cause = peek(stored)
    names = [RUN, *cause["files"]] if cause else []
    return bool(names) and all(_is_same(folder / name, stored / name) for name in names)


def damaged_files(folder: Path, cause: Cause) -> list[str]:
    """Names of listed files that are missing or not as they were written."""
    return [name for name, digest in cause["files"].items() if not _is(folder / name, digest)]


def finish(folder: Path, destination: Path, cause: Mapping[str, Any], record: Mapping[str, Any]) -> None:
    """Seal a partial run: list its files, write run.json last, and move it to its place in the store."""
    atomic.discard_partials(folder)
    # Of an attempt before this one.
    (folder / "error.txt").unlink(missing_ok=True)
    listed = {
        path.relative_to(folder).as_posix(): files.sha256_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (RECORD, RUN, CHECKPOINT)
    }
    files.write_json(folder / RECORD, record)
    # Last: a folder without run.json is unfinished, so a kill before this line leaves a run to be resumed.
    files.write_json(folder / RUN, seals.sealed({**cause, "layout": LAYOUT, "files": listed}))
    # Damaged, or it would have been linked instead of run again.
    if destination.exists():
        shutil.rmtree(destination)
    # One rename within one file system: other drivers see the whole run or none.
    os.replace(folder, destination)
    discard_checkpoint(destination)


def discard_checkpoint(folder: Path) -> None:
    """Remove the checkpoint of a sealed run: until it stood in its place, all that it cost lay in that."""
    (folder / CHECKPOINT).unlink(missing_ok=True)


def read_run(folder: Path) -> Cause:
    """The run.json of a finished run. UserError if it is missing, or it or a listed file is damaged."""
    cause = read_cause(folder)
    if broken := damaged_files(folder, cause):
        raise _damaged(folder, broken)
    return cause


def read_cause(folder: Path) -> Cause:
    """The same, without a look at the files that it lists."""
    cause = seals.read_sealed(folder / RUN, REMEDY)
    if not _has_shape(cause):
        raise UserError(
            "a record is not one of a finished run",
            expected=", ".join(f"{name} ({kind.__name__})" for name, kind in SHAPE.items()),
            found="others",
            where=folder / RUN,
            remedy=REMEDY,
        )
    return cause


def _has_shape(cause: Any) -> bool:
    if not all(isinstance(cause.get(name), kind) for name, kind in SHAPE.items()):
        return False
    return all(_is_inside(name) for name in cause["files"])


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return "\0" not in name and not path.is_absolute() and ".." not in path.parts


def read_listed(folder: Path, cause: Cause, name: str) -> bytes:
    """The bytes of one of a run's files. UserError unless they are those that run.json lists."""
    digest = cause["files"].get(name)
    # Hashed in memory and returned: a file could change between a check on disk and a second read.
    data = (folder / name).read_bytes() if (folder / name).is_file() else b""
    if digest is None or files.sha256_bytes(data) != digest:
        raise _damaged(folder, [name])
    return data


def peek(folder: Path) -> Cause | None:
    """The content of a whole run.json, without a look at the files that it lists; None without one.

    UserError if it was written by a version of this project with another layout.
    """
    try:
        cause = json.loads((folder / RUN).read_bytes())
    except (OSError, ValueError):
        return None
    # A broken seal is damage: the run is made again. Another layout is not: its results may be worth keeping.
    if not isinstance(cause, dict) or (seals.SEAL in cause and not seals.is_whole(cause)):
        return None
    if cause.get("layout") != LAYOUT:
        raise UserError(
            "results of another version of this project",
            expected=f"run folders of layout {LAYOUT}",
            found=f"layout {cause.get('layout')}",
            where=folder,
            remedy="move the results folder away, or check out the version that made it",
        )
    return cause if seals.is_whole(cause) and _has_shape(cause) else None


def _is(path: Path, digest: str) -> bool:
    return path.is_file() and files.sha256_file(path) == digest


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _stands(path: Path, digest: str, since: int) -> bool:
    try:
        changed = path.stat().st_ctime_ns
    except OSError:
        return False
    return (changed < since and path.is_file()) or _is(path, digest)


def _damaged(folder: Path, broken: Sequence[str]) -> UserError:
    return UserError(
        "a finished run is damaged",
        expected=f"the files that {RUN} lists, with their checksums",
        found=f"{', '.join(broken)} missing or changed",
        where=folder,
        remedy=REMEDY,
    )
