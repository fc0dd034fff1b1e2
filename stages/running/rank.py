"""One rank of a run of several processes: `python -m torch.distributed.run ... -m stages.running.rank ...`."""

from __future__ import annotations

import datetime
import importlib
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from common.errors import UserError
from stages.planning.plans import Run, read_plan
from stages.running.job import Job
from stages.running.ranks import MESSAGE, STOP_THROUGH_SRUN
from stages.running.stopping import STOP, Stopped, outcome_of

# Longer than any step and any checkpoint; a rank that is gone is seen at once, this is for one that hangs.
PATIENCE = datetime.timedelta(minutes=20)


def main(results: str, scale: str, exhibit: str, stage: str, name: str) -> int:
    """Do this rank's part of a run; standard output tells how it goes. Returns the exit status."""
    for request in (signal.SIGTERM, STOP_THROUGH_SRUN):
        signal.signal(request, lambda *_: STOP.set())
    threading.Thread(target=_watch_parent, daemon=True).start()
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
    try:
        run = next(run for run in read_plan(exhibit, scale).runs(stage) if run.id == name)
        outcome = _attempt(run, Path(results))
        went_well = outcome in ("finished", "stopped")
        # One is enough to say how all of it went, and each has a failure of its own: the others only miss its answers.
        if dist.get_rank() == 0 or not went_well:
            _tell("end", outcome)
        return 0 if went_well else 1
    finally:
        dist.destroy_process_group()


def _watch_parent() -> None:
    """End with the process that holds the run's lock: it keeps our standard input open, until it is gone."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    STOP.set()


def _attempt(run: Run, results: Path) -> str:
    try:
        work = importlib.import_module(f"stages.{run.stage}").work
        Job(run, results, _report).carry_out(work)
        # Nobody leaves before rank 0 has sealed the run.
        dist.barrier()
    except (Stopped, UserError, OSError) as error:
        return outcome_of(error)
    return "finished"


def _report(done: int, total: int) -> None:
    if dist.get_rank() == 0:
        _tell("progress", (done, total))


def _tell(kind: str, content: Any) -> None:
    print(MESSAGE + json.dumps((kind, content)), flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
