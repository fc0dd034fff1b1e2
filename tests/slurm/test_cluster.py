"""One exhibit through Slurm: its training by two processes, cancelled in the middle, resumed by the same command."""

import subprocess
import time
from pathlib import Path

import pytest

from tests.small_copy import TABLE_05, Clone, _environment, commit_all, copy_tree, shorten_training

pytestmark = pytest.mark.slow
RUNS = "results/smoke/receipts/runs.json"
LOCALLY = ["snakemake", "--cores", "2", "--config", "unit=run", "--", RUNS]
THROUGH_SLURM = [
    *("snakemake", "--workflow-profile", "profiles/slurm", "--retries", "0"),
    # What differs from the cluster of the profile: two cores, no GPU, no accounts and no accounting.
    *("--config", "gpus=", "cpus_per_gpu=1", "gb_per_gpu=1", "--slurm-no-account"),
    *("--default-resources", "slurm_partition=test", "runtime=10", "mem_mb=500"),
    *("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "3", "--", RUNS),
]
UNEQUAL = ("record.json", "provenance.json")  # when and where, which differ from run to run


@pytest.fixture(scope="module")
def clones(tmp_path_factory):
    """(for this machine alone, for the cluster): two trainings of two processes each in one job, two evaluations."""
    return [_clone(tmp_path_factory.mktemp(name) / "clone") for name in ("local", "cluster")]


def _clone(folder: Path) -> Clone:
    copy_tree(folder, ["table_05"])
    clone = Clone(folder, [])
    clone.edit(TABLE_05, "    - 0.05\n    - 0.1\n    - 0.5\n    - 1.0\n", "    - 0.5\n")
    clone.edit(TABLE_05, "    - 10.0\n    - 100.0\n", "    - 10.0\n")
    shorten_training(clone)
    clone.edit("params/recipes/pretrain_smoke.gin", "Pretraining.epochs = 1", "Pretraining.epochs = 12")
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


def wait_for(find, seconds: float, what: str):
    end = time.monotonic() + seconds
    while not (found := find()):
        assert time.monotonic() < end, f"no {what} within {seconds:.0f} s"
        time.sleep(0.2)
    return found


def training_job(clone: Clone) -> str | None:
    """The Slurm job whose training says how far it is."""
    for log in clone.folder.glob(".snakemake/slurm_logs/**/*.log"):
        if "pretrain table_05: 0 of" in log.read_text():
            return log.stem
    return None


def test_an_exhibit_that_is_cancelled_in_the_middle_goes_on_to_the_same_bytes(slurm, clones):
    local, cluster = clones
    local.run(*LOCALLY)
    first = subprocess.Popen(
        THROUGH_SLURM,
        cwd=cluster.folder,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        job = wait_for(lambda: training_job(cluster), 120, "training at work")
        subprocess.run(["scancel", job], check=True, timeout=30)
        cancelled = time.monotonic()
        said, _ = first.communicate(timeout=240)
    finally:
        first.kill()
    wait_for(lambda: not list_ranks(cluster), 35 - (time.monotonic() - cancelled), "end of the ranks")
    assert first.returncode != 0, said
    checkpoints = list((cluster.folder / "results/smoke/store/pretrain").glob("*/checkpoint.safetensors"))
    assert len(checkpoints) == 1, said
    cluster.run(*THROUGH_SLURM)
    assert not checkpoints[0].exists()
    here, there = stored(local), stored(cluster)
    assert here.keys() == there.keys() and any(name.endswith("weights.safetensors") for name in here)
    assert [name for name in here if here[name] != there[name]] == []
    again = cluster.run(*THROUGH_SLURM)
    assert "Nothing to be done" in again


def list_ranks(clone: Clone) -> list[str]:
    """Processes of this clone that compute."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            here = (path / "cwd").readlink() == clone.folder
            found += [path.name] if here and b"stages.running.rank" in (path / "cmdline").read_bytes() else []
        except OSError:
            continue
    return found
