"""One exhibit through Slurm: its training is interrupted in every way that Slurm has, and ends in the same bytes."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.slurm.interrupted import (
    LOCALLY,
    RUNS,
    THROUGH_SLURM,
    checkpoints,
    list_ranks,
    said,
    small_clone,
    start,
    stored,
    training_job,
    wait_for,
)

pytestmark = pytest.mark.slow
KILL_WAIT = 30  # seconds between Slurm's SIGTERM and its SIGKILL, as conftest.py and most clusters have it


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """What this machine alone leaves, by two processes."""
    clone = small_clone(tmp_path_factory.mktemp("local") / "clone")
    clone.run(*LOCALLY)
    return stored(clone)


@pytest.fixture
def cluster(tmp_path):
    return small_clone(tmp_path / "clone")


@pytest.fixture
def wide(cluster):
    """The same with its training on two nodes."""
    recipe = cluster.folder / "params/recipes/pretrain_smoke.gin"
    recipe.write_text(recipe.read_text() + "execution.nodes = 2\n")
    return cluster


def assert_equal(here, there):
    assert here.keys() == there.keys() and any(name.endswith("weights.safetensors") for name in here)
    assert [name for name in here if here[name] != there[name]] == []


def test_an_exhibit_that_is_cancelled_in_the_middle_goes_on_to_the_same_bytes(slurm, local, cluster):
    first = start(cluster, "--retries", "0")
    try:
        job = wait_for(lambda: training_job(cluster), 600, "training at work")
        said("scancel", job)
        end_in_time(cluster, job)
        printed, _ = first.communicate(timeout=600)
    finally:
        first.kill()
    assert first.returncode != 0, printed
    assert len(checkpoints(cluster)) == 1, printed
    cluster.run(*THROUGH_SLURM, "--", RUNS)
    assert checkpoints(cluster) == []
    assert_equal(local, stored(cluster))
    assert "Nothing to be done" in cluster.run(*THROUGH_SLURM, "--", RUNS)


def test_after_a_kill_of_snakemake_the_job_at_work_is_named_and_not_submitted_again(slurm, local, cluster):
    first = start(cluster)
    try:
        job = wait_for(lambda: training_job(cluster), 600, "training at work")
    finally:
        first.kill()
    first.wait(30)
    (rank, *_) = list_ranks(cluster)
    assert b"SIMCLR_HARDWARE=H100-80GB\0" in Path("/proc", rank, "environ").read_bytes()
    told = cluster.run(*THROUGH_SLURM, "--", RUNS, check=False)
    assert f"1 in Slurm job {job}" in told and f"scancel {job}" in told
    said("scancel", job)
    end_in_time(cluster, job)
    assert len(checkpoints(cluster)) == 1
    cluster.run(*THROUGH_SLURM, "--", RUNS)
    assert_equal(local, stored(cluster))


@pytest.mark.parametrize("how", [[], ["--signal=TERM", "--batch"]], ids=["cancelled", "signalled"])
def test_a_run_over_two_nodes_stops_with_a_checkpoint_and_goes_on_to_the_same_bytes(slurm, local, wide, how):
    """Two nodes that are one machine: what starts a run over nodes is Slurm's own, srun with torchrun under it."""
    command = start(wide)
    try:
        job = wait_for(lambda: training_job(wide), 600, "training at work")
        assert said("squeue", "--noheader", f"--jobs={job}", "--format=%D") == "2"
        said("scancel", *how, job)
        end_in_time(wide, job)
        assert len(checkpoints(wide)) == 1
        printed, _ = command.communicate(timeout=900)
    finally:
        command.kill()
    assert command.returncode == 0, printed
    told = ("run.json", "operative.gin")  # they say execution.nodes
    here, there = (
        {name: data for name, data in files.items() if not name.endswith(told)}
        for files in (local, stored(wide))
    )
    assert_equal(here, there)


def signal_the_batch_shell(clone, job):
    said("scancel", "--signal=TERM", "--batch", job)


def signal_the_steps(clone, job):
    said("scancel", "--signal=TERM", job)


def reach_the_time_limit(clone, job):
    """Slurm looks twice a minute which jobs are over it, and wakes a job (SIGCONT) before it ends it."""
    hold_still(clone)
    soon = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() + 2))
    said("scontrol", "update", f"JobId={job}", f"EndTime={soon}")


def preempt(clone, job):
    """A job of a partition that goes first takes the node; Slurm starts the other one again after it."""
    hold_still(clone)
    node = said("squeue", "--noheader", f"--jobs={job}", "--format=%N")
    where = ["--partition=urgent", f"--nodelist={node}", "--ntasks=2"]
    said("sbatch", *where, "--output=/dev/null", "--wrap=sleep 2")


def hold_still(clone):
    """So that the training is not over before Slurm ends it."""
    for rank in list_ranks(clone):
        os.kill(int(rank), signal.SIGSTOP)


INTERRUPTIONS = {signal_the_batch_shell: 1, signal_the_steps: 1, reach_the_time_limit: 65, preempt: 15}


def test_one_command_goes_on_after_signals_a_time_limit_and_a_preemption(slurm, local, cluster):
    """As the profile has it: Snakemake starts again what failed, and Slurm what it preempted."""
    command, jobs, since = start(cluster), [], 0.0
    try:
        for interrupt, seconds in INTERRUPTIONS.items():
            job = training_again(cluster, since, interrupt.__name__)
            before, since = newest(cluster), time.time()
            interrupt(cluster, job)
            end_in_time(cluster, job, seconds)
            assert newest(cluster) > before, f"no checkpoint at {interrupt.__name__}"
            jobs.append(job)
        job = training_again(cluster, since, "the end")
        printed, _ = command.communicate(timeout=600)
    finally:
        command.kill()
    assert command.returncode == 0, printed
    assert len(set(jobs)) == 4 and job == jobs[-1]  # a preempted job keeps its number
    assert checkpoints(cluster) == []
    assert_equal(local, stored(cluster))


def training_again(clone, since, what):
    return wait_for(lambda: training_job(clone, since), 600, f"training before {what}")


def newest(clone):
    return max([path.stat().st_mtime for path in checkpoints(clone)], default=0.0)


def end_in_time(clone, job, seconds=1):
    """Its ranks end in the time that Slurm leaves them, which begins within `seconds`; it has nothing to kill."""
    wait_for(lambda: not list_ranks(clone), seconds + KILL_WAIT, "end of the ranks")
    wait_for(
        lambda: job not in said("squeue", "-h", "--states=R,CG", "--format=%A").split(), 90, "end of job"
    )
    drained = said("sinfo", "--noheader", "--format=%E", "--list-reasons")
    assert not drained, f"Slurm could not end job {job}: {drained}"
