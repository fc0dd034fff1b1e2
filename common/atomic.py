"""Files and folders that are either whole or absent: written under a temporary name, flushed, renamed.

The old file or folder stays untouched until the new one is complete on disk.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from common.errors import FULL_DISK, UserError

PARTIAL = ".partial"
NO_FOLDER_SYNC = (errno.EINVAL, errno.EACCES, errno.EPERM, errno.EBADF, errno.ENOTSUP, errno.ENOSYS)


@contextmanager
def whole_file(path: str | Path, needed: int | None = None) -> Iterator[BinaryIO]:
    """A binary file for writing that becomes `path` only if the block ends without an exception.

    needed: the expected size in bytes, for the message if the disk is full (UserError). Parent folders are made.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.errno in FULL_DISK:
            raise _full_disk(path, needed) from error
        raise
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def link_tree(source: str | Path, destination: str | Path) -> None:
    """Make `destination` a second copy of the folder `source`, by hard links where the file system can.

    The folder appears by one rename, whole; an existing destination is moved aside for that moment and then
    removed. Linked files share their bytes, which is safe because every writer of this project replaces a file
    and none changes one in place.
    """
    source, destination = Path(source), Path(destination)
    if not source.is_dir():
        raise UserError("there is nothing to link", expected="a folder", found="none", where=source)
    destination.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(destination)
    try:
        ignore = shutil.ignore_patterns("*" + PARTIAL)
        shutil.copytree(source, temporary, copy_function=_link_or_copy, ignore=ignore)
        _replace_folder(temporary, destination)
    except (OSError, shutil.Error) as error:
        # copytree gathers the errors of single files as text, so a full disk is looked for in that text.
        if getattr(error, "errno", None) in FULL_DISK or os.strerror(errno.ENOSPC) in str(error):
            raise _full_disk(destination, None) from error
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def discard_partials(folder: str | Path) -> None:
    """Remove what killed writers left in a folder that this process alone writes to."""
    for leftover in Path(folder).glob(".*" + PARTIAL):
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink(missing_ok=True)


def is_at_work_on(path: str | Path) -> bool:
    """Whether `path` is a temporary file or folder of a process of this machine that lives."""
    name = Path(path).name
    match = re.fullmatch(r"\..*\.(\d+)-[0-9a-f]{8}\.(?:new|old)" + re.escape(PARTIAL), name)
    try:
        return bool(match) and os.kill(int(match[1]), 0) is None
    except PermissionError:  # it lives, and is another user's
        return True
    except (ProcessLookupError, OverflowError):
        return False


def _beside(path: Path, kind: str = "new") -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.{kind}{PARTIAL}")


def _replace_folder(new: Path, destination: Path) -> None:
    old = _beside(destination, "old")
    with suppress(FileNotFoundError):
        os.rename(destination, old)  # a folder cannot be renamed over a full one
    try:
        os.rename(new, destination)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            if old.exists():
                os.rename(old, destination)
            raise
        # Another process put the same there in this moment, whole.
    _sync_folder(destination.parent)
    shutil.rmtree(old, ignore_errors=True)


def _link_or_copy(source: str, destination: str) -> None:
    try:
        os.link(source, destination)
    except OSError:  # another device, or a file system without links
        shutil.copy2(source, destination)


def _sync_folder(folder: Path) -> None:
    # Without this a power cut can undo a rename that the caller already builds upon. Some file systems cannot do it for
    # folders (CIFS, WSL), and that is let pass; a disk that fails says EIO, and that is reported.
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in NO_FOLDER_SYNC:
            raise


def _full_disk(path: Path, needed: int | None) -> UserError:
    return UserError(
        "the disk is full; nothing half-written was kept",
        expected="room to write" if needed is None else f"room for {needed:,} bytes",
        found=f"{shutil.disk_usage(path.parent).free:,} bytes free",
        where=path,
        remedy="free some space or choose another folder, then run the same command again",
    )
