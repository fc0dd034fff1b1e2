"""A clone for faults: two exhibits, three trainings of a second each, and how its processes and files are found."""

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

import psutil

from tests import small_copy
from tests.small_copy import TABLE_05, Clone, commit_all, copy_tree, shorten_training

ENGINES = {"snakemake": ["snakemake", "--cores", "2", "reports"], "dvc": ["python", "-m", "stages", "repro"]}
MADE = ("results", "reports/out", "reports/metrics", "reports/evidence")


def tiny(folder: Path, engine: str) -> Clone:
    """A committed clone with Figure 6 and three temperatures of Table 5."""
    copy_tree(folder, ("figure_06", "table_05"))
    clone = Clone(folder, ENGINES[engine])
    clone.edit(TABLE_05, "    - 0.05\n    - 0.1\n    - 0.5\n    - 1.0\n", "    - 0.1\n    - 0.5\n")
    clone.edit(TABLE_05, "    - 10.0\n    - 100.0\n", "    - 10.0\n")
    clone.edit("params/exhibits/figure_06.yaml", "    - 229\n    - 506\n", "    - 229\n")
    shorten_training(clone)
    commit_all(clone)
    return clone


def start(clone: Clone) -> subprocess.Popen[bytes]:
    """The engine, at the head of a session of its own; what it says goes to said.txt."""
    with open(clone.folder / "said.txt", "wb") as said:
        return subprocess.Popen(
            clone.engine,
            cwd=clone.folder,
            env=small_copy._environment(),
            stdout=said,
            stderr=said,
            start_new_session=True,
        )


def processes_of(clone: Clone) -> list[psutil.Process]:
    """Everything that works in the clone's folder, orphans too."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(clone.folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def victims(clone: Clone, engine: subprocess.Popen[bytes]) -> dict[str, list[int]]:
    """Process ids by what they are: the engine, the driver of the runs, its children, other tools."""
    found: dict[str, list[int]] = {"engine": [engine.pid], "driver": [], "child": [], "tool": []}
    for process in processes_of(clone):
        try:
            words = process.cmdline()
        except psutil.NoSuchProcess:
            continue
        if process.pid == engine.pid:
            continue
        kind = "driver" if "run" in words and "stages" in words else "tool"
        found["child" if "multiprocessing" in " ".join(words) else kind].append(process.pid)
    return found


def kill(kind: str, clone: Clone, engine: subprocess.Popen[bytes]) -> str:
    """SIGKILL: the whole group, or one process of a kind (the engine if none of it lives). Returns what died."""
    if kind == "group":
        os.killpg(engine.pid, signal.SIGKILL)
        return kind
    for pid in victims(clone, engine)[kind][:1]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            return kind
    engine.kill()
    return "engine"


def wipe(clone: Clone) -> None:
    """As it was before the first command; the engines' notes on what they did stay."""
    for name in MADE:
        shutil.rmtree(clone.folder / name, ignore_errors=True)
    clone.run("git", "checkout", "-q", "--", "reports")
