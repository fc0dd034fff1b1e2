"""One run in a process of its own: what the driver starts for each run that is left to do."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from common import files, machine
from common.errors import UserError
from stages.planning.plans import Run
from stages.running import origins, ranks, store
from stages.running.stopping import STOP, Stopped, outcome_of

# After a request to stop, for what has no checkpoint. Slurm sends SIGKILL after 30.
GRACE_SECONDS = 25.0


def main(run: Run, results: Path, messages: Connection, slots: list[int]) -> None:
    """Do the run and send how it ended; progress on the way. Ends, with a checkpoint, when the driver is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all of us; the driver decides
    signal.signal(signal.SIGTERM, lambda *_: STOP.set())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # as the fork server has it: see driver.py
    for watch in (_watch_driver, _end_in_time):
        threading.Thread(target=watch, daemon=True).start()
    machine.take(slots)
    outcome = _attempt(run, results, lambda done, total: _send(messages, ("progress", (done, total))))
    _send(messages, ("end", outcome))


def _send(messages: Connection, message: Any) -> None:
    try:
        messages.send(message)
    except OSError:  # nobody listens any more
        STOP.set()


def _watch_driver() -> None:
    """A driver that was killed cannot tell: its end is seen from here."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        STOP.set()


def _end_in_time() -> None:
    STOP.wait()
    time.sleep(GRACE_SECONDS)
    os._exit(128 + signal.SIGTERM)


def _attempt(run: Run, results: Path, report: Callable[[int, int], None]) -> str:
    """Do the run; returns "finished", "found" (another driver did it), "busy", "stopped", or what went wrong."""
    try:
        with store.locked(store.store_folder(results, run)) as mine:
            return _do(run, results, report) if mine else "busy"
    except (Stopped, UserError, OSError) as error:
        return outcome_of(error)
    except Exception as error:
        return _crashed(error, store.partial_folder(results, run) / "error.txt")


def _do(run: Run, results: Path, report: Callable[[int, int], None]) -> str:
    from stages.running.job import Job

    if store.is_finished(store.store_folder(results, run), run):
        return "found"
    origins.check_trainable(run, results)
    if ranks.processes_and_nodes(run)[0] > 1:
        return ranks.carry_out(run, results, report)
    work = importlib.import_module(f"stages.{run.stage}").work
    Job(run, results, report).carry_out(work)
    return "finished"


def _crashed(error: Exception, path: Path) -> str:
    """Leave the traceback of a fault of ours, and say where it is."""
    said = f"{type(error).__name__}: {error}"
    try:
        files.write_text(path, traceback.format_exc())
    except (OSError, UserError):  # what went wrong is said all the same
        return f"{said}\n  {traceback.format_exc()}"
    return f"{said}\n  where: {path} has the traceback"
