"""A run of several processes: started by torchrun on one machine, or over the nodes of a Slurm job.

The process that the driver started for the run keeps its lock and listens; the ranks do the work, and rank 0 writes.
How many they are is no part of what decides the numbers: state is replicated, and orders and draws are addressed, so
that any number of them goes on from a checkpoint.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from common import machine
from common.errors import UserError
from common.machine import HARDWARE
from stages.planning.plans import Run
from stages.planning.price import hardware_named, price_of
from stages.running import store
from stages.running.stopping import STOP

PORT, PORTS = 29500, 1000  # from which the rendezvous has one
# srun hands it on to its tasks; at SIGTERM it kills them.
STOP_THROUGH_SRUN = signal.SIGUSR1
# Beside the run's folder, and not within: all that lies there when a run is sealed is part of the run.
LOG = ".ranks.log"
MESSAGE = "run: "  # before what a rank tells; libraries may print, too


def command_of(
    run: Run, results: Path, processes: int, nodes: int, environment: Mapping[str, str]
) -> list[str]:
    """The command line that starts the ranks: torchrun, and where it takes srun to reach their machines, srun.

    A Slurm job has one srun and no srun within another: to SIGTERM srun answers by killing its tasks. So a driver that
    srun has started, or a batch script, calls torchrun alone on its own node.
    """
    if processes % nodes:
        raise ValueError(f"{processes} processes do not divide among {nodes} nodes")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--max-restarts", "0"]
    torchrun += ["--nproc-per-node", str(processes // nodes)]
    job, start = environment.get("SLURM_JOB_ID"), []
    if nodes == 1:
        torchrun += ["--standalone"]
        # The shell of `salloc` is on another machine than what it got.
        if job and "SLURMD_NODENAME" not in environment and "SLURM_JOB_NODELIST" in environment:
            start = _srun(nodes)
    else:
        start = _srun(nodes)
        torchrun += ["--nnodes", str(nodes), "--rdzv-backend", "c10d", "--rdzv-id", str(job)]
        torchrun += ["--rdzv-endpoint", f"{_first_node(environment)}:{_port(job)}"]
    which = [str(results), run.scale, run.exhibit, run.stage, run.id]
    return [*start, *torchrun, "-m", "stages.running.rank", *which]


def _srun(nodes: int) -> list[str]:
    """One task a node, with all that the job has there; the first that fails ends the others.

    The request to stop comes through srun as STOP_THROUGH_SRUN, which torchrun is to leave to the ranks.
    """
    step = ["srun", f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", "--overlap"]
    step += ["--cpu-bind=none", "--kill-on-bad-exit=1"]
    return [*step, "env", f"--ignore-signal={STOP_THROUGH_SRUN.name.removeprefix('SIG')}"]


def _first_node(environment: Mapping[str, str]) -> str:
    """The host where the ranks meet: the first of a Slurm list such as "gpu[03-05,09]"; without one this machine."""
    match = re.match(r"([^,\[]+)(?:\[(\d+))?", environment.get("SLURM_JOB_NODELIST", ""))
    return match[1] + (match[2] or "") if match else socket.gethostname()


def _port(job: str | None) -> int:
    """The port of the rendezvous, by the number of the job: jobs that share a node must not meet each other."""
    return PORT + int(job or 0) % PORTS


def processes_and_nodes(run: Run) -> tuple[int, int]:
    """How many processes do the run together, on how many machines.

    As declared; else one, or on GPUs as many as it takes to hold the batch. On GPUs it is what a job of the run asks
    for, by the entry of params/hardware.yaml that the environment names or by the first.
    """
    visible = len(machine.devices())
    if not visible:
        return run.bindings.get("execution.processes", 1), run.bindings.get("execution.nodes", 1)
    price = price_of(run, hardware_named(os.environ.get(HARDWARE)))
    here = "execution.nodes" not in run.bindings and price.gpus <= visible
    return price.gpus, 1 if here else price.nodes


def carry_out(run: Run, results: Path, report: Callable[[int, int], None]) -> str:
    """Start the ranks and listen until they end; returns how the run ended, as a child says it.

    UserError where GPUs are visible, and fewer than the run has processes on this machine.
    """
    processes, nodes = processes_and_nodes(run)
    if 0 < len(machine.devices()) < processes // nodes:
        raise UserError(
            "the run needs more GPUs than are visible here",
            expected=f"{processes // nodes} on each of {nodes} machines (execution.processes, execution.nodes)",
            found=f"{len(machine.devices())}",
            where=f"run {run.id} of {run.stage} {run.exhibit}",
            remedy="run it where they are, or bind execution.processes to what fits here: it changes no number",
        )
    path = store.store_folder(results, run).with_suffix(LOG)
    with open(path, "w", encoding="utf-8") as log:
        ranks = subprocess.Popen(
            command_of(run, results, processes, nodes, os.environ),
            # Nothing is written to it: when it ends, the ranks know that this process is gone.
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
        stop = threading.Thread(target=_pass_on_the_stop, args=(ranks,), daemon=True)
        stop.start()
        outcome = _listen(ranks.stdout, report)
        ranks.wait()
        _end(ranks)
    if outcome is None:
        return f"one of the {processes} processes ended without a word\n  where: {path} has what they printed"
    if outcome in ("finished", "stopped"):
        path.unlink()
    return outcome


def _listen(lines: IO[str], report: Callable[[int, int], None]) -> str | None:
    """How the ranks say that the run ended, the first that failed before all others; None if none says it."""
    outcome = None
    for line in lines:
        if not line.startswith(MESSAGE):
            continue
        kind, content = json.loads(line.removeprefix(MESSAGE))
        if kind == "progress":
            report(*content)
        elif outcome in (None, "finished", "stopped"):
            outcome = content
    return outcome


def _pass_on_the_stop(ranks: subprocess.Popen[str]) -> None:
    STOP.wait()
    if ranks.poll() is None:
        os.killpg(ranks.pid, STOP_THROUGH_SRUN if ranks.args[0] == "srun" else signal.SIGTERM)


def _end(ranks: subprocess.Popen[str]) -> None:
    """No process of the group outlives the run."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(ranks.pid, signal.SIGKILL)
