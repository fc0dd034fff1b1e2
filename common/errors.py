"""Errors that a user can act on, and the wrapper that prints them without a traceback."""

from __future__ import annotations

import errno
import functools
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

USER_ERROR_STATUS = 2
CLOSED_PIPE_STATUS = 141  # what a shell reports for a process ended by SIGPIPE
INTERRUPTED_STATUS = 130  # and by SIGINT

FULL_DISK = frozenset({errno.ENOSPC, errno.EDQUOT})
# What the operating system may refuse, by its number, and what a user can do.
REFUSALS = {
    **dict.fromkeys(FULL_DISK, "free some space or choose another folder"),
    errno.EFBIG: "raise the limit of a file's size: ulimit -f unlimited",
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "check the owner and mode of the file"),
    **dict.fromkeys((errno.ENOTDIR, errno.EEXIST), "move away the file that stands where a folder has to be"),
    errno.EISDIR: "move away the folder that stands where a file has to be",
    **dict.fromkeys((errno.ENAMETOOLONG, errno.ELOOP), "choose another path"),
}

PIECES = ("expected", "found", "where", "remedy")
LABELS = {"remedy": "what to do"}
LONGEST = 2500  # characters of a piece, but for the remedy, which is ours
INDENT = 14  # width of the longest label


class UserError(Exception):
    """Something outside the code is not as it must be: a file, a setting, a disk.

    `problem` is one sentence. The other pieces say what was expected, what was found instead, where, and what to do.
    Every piece is optional; the message shows those that were given, each on its own line.
    """

    def __init__(
        self,
        problem: str = "",
        *,
        expected: object = "",
        found: object = "",
        where: str | Path = "",
        remedy: str = "",
    ) -> None:
        self.problem, self.expected, self.found = problem, str(expected), str(found)
        self.where, self.remedy = str(where), remedy
        super().__init__(problem)

    def __str__(self) -> str:
        lines = [_readable(self.problem)] if self.problem else []
        for name in PIECES:
            if text := getattr(self, name):
                text = text if name == "remedy" else _readable(text)
                label = f"  {LABELS.get(name, name)}:".ljust(INDENT)
                lines.append(label + text.replace("\n", "\n" + " " * INDENT))
        return "\n".join(lines)

    def __reduce__(self):
        # Keyword-only arguments are lost by the default pickling, and runs report from child processes.
        pieces = {name: getattr(self, name) for name in PIECES}
        return _rebuild, (self.problem, pieces)


def _readable(piece: str) -> str:
    """A piece of a message, without the middle where it is longer than a person reads."""
    return piece if len(piece) <= LONGEST else f"{piece[: LONGEST - 100]} ... {piece[-80:]}"


def _rebuild(problem: str, pieces: dict[str, str]) -> UserError:
    return UserError(problem, **pieces)


def command(main: Callable[..., int | None]) -> Callable[..., int]:
    """Make `main` return an exit status, and print an error that a user can mend to stderr, without a traceback.

    0 (or what main returns) on success, 2 for a UserError or what the operating system refused, 130 for an
    interrupt. Any other exception is a bug of ours and keeps its traceback. Use: `sys.exit(main())`.
    """

    @functools.wraps(main)
    def run(*args: object, **kwargs: object) -> int:
        # A character that the terminal cannot show is spelled out, as Python does on stderr.
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            return main(*args, **kwargs) or 0
        except UserError as error:
            return _fail(str(error), USER_ERROR_STATUS)
        except KeyboardInterrupt:
            message = "interrupted; finished files are kept, and the same command goes on from them"
            return _fail(message, INTERRUPTED_STATUS)
        except BrokenPipeError:  # the reader of our output has gone, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return CLOSED_PIPE_STATUS
        except OSError as error:
            if error.errno not in REFUSALS:
                raise
            return _fail(str(explain(error)), USER_ERROR_STATUS)

    return run


def explain(error: OSError) -> UserError:
    """A full disk, a limit, a missing permission or something in the way as a UserError."""
    return UserError(
        "the operating system refused",
        found=error.strerror or error,
        where=error.filename or "",
        remedy=REFUSALS.get(error.errno or 0, "check the owner and mode of the file"),
    )


def is_refusal(error: BaseException | None) -> bool:
    """Whether the operating system refused something (`explain` says what), or an error was made from that."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in REFUSALS:
            return True
        error = error.__cause__
    return False


def _fail(message: str, status: int) -> int:
    print(f"error: {message}", file=sys.stderr, flush=True)
    return status
