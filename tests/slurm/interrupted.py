"""What tests on a cluster share: a clone with a training of two processes, its jobs, and what they left."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.small_copy import TABLE_05, Clone, _environment, commit_all, copy_tree, shorten_training

RUNS = "results/smoke/receipts/runs.json"
LOCALLY = ["snakemake", "--cores", "2", "--config", "unit=run", "--", RUNS]
THROUGH_SLURM = [
    *("snakemake", "--workflow-profile", "profiles/slurm"),
    # What differs from the cluster of the profile: two cores, no GPU, no accounts and no accounting.
    *("--config", "gpus=", "cpus_per_gpu=1", "gb_per_gpu=1", "--slurm-no-account"),
    *("--default-resources", "slurm_partition=test", "runtime=10", "mem_mb=500"),
    *("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "3"),
]
SECOND_CHAIN = """\
- chain:
  - pretrain
  - linear_eval
  grid:
    l2_norm:
    - no
    temperature:
    - 10.0
    - 100.0
"""
UNEQUAL = ("record.json", "provenance.json")  # when and where, which differ from run to run


def small_clone(folder: Path) -> Clone:
    """One training of two processes and of many short steps, and its evaluation."""
    copy_tree(folder, ["table_05"])
    clone = Clone(folder, [])
    clone.edit(TABLE_05, "    - 0.05\n    - 0.1\n    - 0.5\n    - 1.0\n", "    - 0.5\n")
    clone.edit(TABLE_05, SECOND_CHAIN, "")
    shorten_training(clone)
    for old, new in (
        ("dataset.limit = 1000", "dataset.limit = 512"),
        ("Pretraining.batch_size = 128", "Pretraining.batch_size = 64"),
        ("Pretraining.epochs = 1", "Pretraining.epochs = 60"),
    ):
        clone.edit("params/recipes/pretrain_smoke.gin", old, new)
    recipe = folder / "params/recipes/pretrain_smoke.gin"
    recipe.write_text(recipe.read_text() + "execution.processes = 2\n")
    commit_all(clone)
    return clone


def stored(clone: Clone) -> dict[str, bytes]:
    """What the runs left, by its place in the store."""
    store = clone.folder / "results/smoke/store"
    return {
        path.relative_to(store).as_posix(): path.read_bytes()
        for path in sorted(store.rglob("*"))
        if path.is_file() and path.suffix != ".lock" and path.name not in UNEQUAL
    }


def start(clone: Clone, *words: str) -> subprocess.Popen[str]:
    """Snakemake through Slurm, on its way to all runs."""
    return subprocess.Popen(
        [*THROUGH_SLURM, *words, "--", RUNS],
        cwd=clone.folder,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(find: Callable[[], Any], seconds: float, what: str) -> Any:
    """What `find` finds within so many seconds."""
    end = time.monotonic() + seconds
    while not (found := find()):
        assert time.monotonic() < end, f"no {what} within {seconds:.0f} s"
        time.sleep(0.2)
    return found


def said(*words: str) -> str:
    """What a command of Slurm prints."""
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=30).stdout.strip()


def log_of(clone: Clone, job: str) -> Path | None:
    """What a job prints; Slurm empties it when it starts the job again."""
    return next(clone.folder.glob(f".snakemake/slurm_logs/**/{job}.log"), None)


def training_job(clone: Clone, since: float = 0.0) -> str | None:
    """The running job whose training has said, after the time `since`, how far it is."""
    for job in said("squeue", "--noheader", "--states=RUNNING", "--format=%A").split():
        log = log_of(clone, job)
        says = log and log.stat().st_mtime > since and "pretrain table_05: 0 of" in log.read_text()
        if says and list_ranks(clone):
            return job
    return None


def checkpoints(clone: Clone) -> list[Path]:
    """Of the trainings that are not finished."""
    return list((clone.folder / "results/smoke/store/pretrain").glob("*/checkpoint.safetensors"))


def list_ranks(clone: Clone) -> list[str]:
    """The ranks of this clone, and what started them."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            here = (path / "cwd").readlink() == clone.folder
            found += [path.name] if here and b"stages.running.rank" in (path / "cmdline").read_bytes() else []
        except OSError:
            continue
    return found
