"""The request to stop at the next step: set by a signal, or when the driver is gone; trainings ask after each step."""

import time

from common.errors import UserError, explain

LOOK_SECONDS = 0.1


class Request:
    """As a `threading.Event`, without its lock.

    Slurm sends SIGTERM twice within a moment. The second handler then interrupts the first one in the same thread, and
    would wait for a lock that the first one holds: for ever.
    """

    def __init__(self) -> None:
        self._made = False

    def set(self) -> None:
        """Make the request; once more changes nothing."""
        self._made = True

    def is_set(self) -> bool:
        """Whether it was made."""
        return self._made

    def wait(self) -> None:
        """Return when it is made."""
        while not self._made:
            time.sleep(LOOK_SECONDS)


STOP = Request()


class Stopped(Exception):
    """The run wrote a checkpoint and ended on request."""


def outcome_of(error: Stopped | UserError | OSError) -> str:
    """How a run that ended with this is said to have ended: "stopped", or what went wrong, for people."""
    if isinstance(error, Stopped):
        return "stopped"
    told = error if isinstance(error, UserError) else explain(error)
    return str(told).replace("\n", "\n  ")
