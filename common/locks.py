"""Locks that the kernel keeps: a lock is free as soon as the process that holds it ends, in whatever way."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import sys
from pathlib import Path
from typing import IO

NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)


class Held(Exception):
    """Another process has the lock; the text says which."""


def take(path: str | Path) -> IO[str] | None:
    """Take the lock `path` until the file that comes back is closed or this process ends.

    Programs that it starts do not inherit it.

    Raises Held. None, with a warning, on a file system without locks (Lustre mounted without `flock`).
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    # Not "w", which would erase the name of the holder. Whoever gets the file closes it.
    file = open(path, "a+", encoding="utf-8")  # noqa: SIM115
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with file:
            file.seek(0)
            raise Held(file.read().strip() or "unknown") from None
    except OSError as error:
        file.close()
        if error.errno not in NO_LOCKS:
            raise
        print(
            f"warning: no locks in {Path(path).parent}; do not let two commands work on it", file=sys.stderr
        )
        return None
    sign(file)
    return file


def sign(file: IO[str]) -> None:
    """Write into a lock that this process got who holds it: the Slurm job, or the process and its machine."""
    job = os.environ.get("SLURM_JOB_ID")
    file.truncate(0)
    file.write(f"Slurm job {job}\n" if job else f"process {os.getpid()} on {socket.gethostname()}\n")
    file.flush()


def holder(path: str | Path) -> str | None:
    """Who holds the lock now, as `sign` has written it; None if nobody does. Nothing is written, not even the file.

    A look takes the lock for a moment, shared with other looks.
    """
    try:
        with open(path, encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read().strip() or "unknown"
    except OSError:  # no such file, or no locks
        return None
    return None
