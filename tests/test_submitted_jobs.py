"""What Snakemake would submit to a cluster, read from dry runs of its own profile; and what it refuses to submit."""

import re
import shutil
from pathlib import Path

import pytest

from common import files, locks
from stages.planning import plans
from stages.running import store, submission
from tests.small_copy import Clone, commit_all, copy_tree
from tests.stages import tiny

THROUGH_SLURM = ["snakemake", "--workflow-profile", "profiles/slurm", "--config", "scale=smoke"]
DRY = ["-n", "--", "runs"]
SMALL_NODES = "A100-80GB:\n  memory: 80\n  node: 8\n"
FAST = "H100-80GB:\n  memory: 80\n  node: 8\n  nodes: 4\n  peak: {bfloat16: 989, float32: 494, float64: 67}"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def planned(tmp_path_factory) -> Clone:
    """One exhibit of a few trainings, each with its evaluation; nothing is done."""
    clone = Clone(tmp_path_factory.mktemp("submitted") / "clone", [])
    copy_tree(clone.folder, ["table_05"])
    commit_all(clone)
    return clone


@pytest.fixture
def clone(planned, monkeypatch) -> Clone:
    """The same, as it was, with the current folder in it."""
    monkeypatch.chdir(planned.folder)
    yield planned
    shutil.rmtree(planned.folder / "results", ignore_errors=True)
    planned.run("git", "checkout", "-q", ".")


def jobs_of(said: str) -> list[dict[str, str]]:
    """Each job that a dry run shows: its rule, wildcards, and resources, as words."""
    found = []
    for block in said.split("\nrule ")[1:]:
        found.append(dict(re.findall(r"(\w+)=([^,\s]+)", block)) | {"rule": block.split(":", 1)[0]})
        found[-1]["slurm_extra"] = re.sub(r".*slurm_extra=(.*?)\n.*", r"\1", block, flags=re.S)
        found[-1]["input"] = re.sub(r".*?\n    input: (.*?)\n.*", r"\1", block, flags=re.S)
    return found


def trainings(said: str) -> list[dict[str, str]]:
    return [job for job in jobs_of(said) if job.get("stage") == "pretrain"]


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    paths = [path for part in ("results", "params", "workflows") for path in (folder / part).rglob("*")]
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_ctime_ns) for path in paths}


def test_jobs_are_sized_for_the_nodes_that_the_profile_names(clone):
    clone.edit("params/hardware.yaml", SMALL_NODES, "A100-80GB:\n  memory: 0.004\n  node: 2\n")
    usual = clone.run(*THROUGH_SLURM, *DRY)
    assert {(job["nodes"], job["slurm_extra"]) for job in trainings(usual)} == {
        ("1", "--ntasks-per-node=1 --gpus-per-node=1")
    }
    assert {job["cpus_per_task"] for job in trainings(usual)} == {"8"}
    small = clone.run(*THROUGH_SLURM, "hardware=A100-80GB", *DRY)
    wide = [job for job in trainings(small) if job["rule"] == "on_several_nodes"]
    assert wide and {job["slurm_extra"] for job in wide} == {"--ntasks-per-node=1 --gpus-per-node=2"}
    assert min(int(job["nodes"]) for job in wide) > 1
    assert "nodes=1" in clone.run(*THROUGH_SLURM, *DRY), "the first hardware again"


def test_what_fits_not_even_all_nodes_is_left_out_by_name(clone):
    clone.edit("params/hardware.yaml", SMALL_NODES, "A100-80GB:\n  memory: 0.0001\n  node: 1\n")
    said = clone.run(*THROUGH_SLURM, "hardware=A100-80GB", *DRY)
    assert "are left out: they fit not even all GPUs of A100-80GB" in said
    assert "pretrain table_05 " in said and not trainings(said)


def test_no_job_asks_for_more_than_the_most(clone):
    (job, *_) = trainings(clone.run(*THROUGH_SLURM, *DRY))
    assert job["rule"] == "on_one_node" and job["runtime"] == "30"
    clone.edit("params/hardware.yaml", FAST, FAST.replace("494", "0.0001"))
    (job, *_) = trainings(clone.run(*THROUGH_SLURM, *DRY))
    expected = int(job["runtime"])
    assert job["rule"] == "on_one_node" and 100 < expected < 1440
    (job, *_) = trainings(clone.run(*THROUGH_SLURM, "max_minutes=90", *DRY))
    assert job["rule"] == "long_on_one_node" and job["runtime"] == "90"


@pytest.mark.parametrize("unit", ["sweep", "scale"])
@pytest.mark.parametrize("dry", [[], ["-n"]])
def test_units_that_ask_a_cluster_for_nothing_are_refused(clone, unit, dry):
    said = clone.run(*THROUGH_SLURM, f"unit={unit}", *dry, "--", "runs", check=False)
    assert f"found:      unit={unit}" in said and "expected:   unit=run" in said
    assert "Traceback" not in said and not (clone.folder / "results/smoke/receipts").exists()


def test_a_dry_run_changes_no_file_alone_or_beside_a_call_that_is_at_work(clone):
    clone.run(*THROUGH_SLURM, *DRY)
    run = plans.read_plan("table_05", "smoke").runs("pretrain")[0]
    tiny.seal(run, {"loss": 1.0})
    (clone.folder / "results/smoke/done").mkdir()
    (clone.folder / "results/smoke/done/all").touch()
    before = tree(clone.folder)
    clone.run(*THROUGH_SLURM, *DRY)
    assert tree(clone.folder) == before
    with locks.take("results/smoke/.lock"):
        clone.edit("params/recipes/pretrain_smoke.gin", "Pretraining.epochs = 3", "Pretraining.epochs = 4")
        before = tree(clone.folder)
        for unit in ("run", "scale"):
            clone.run("snakemake", "--cores", "1", "--config", f"unit={unit}", *DRY)
        assert tree(clone.folder) == before
        refused = clone.run("snakemake", "--cores", "1", "--", "runs", check=False)
        assert "error: another command is at work on this scale" in refused


def test_a_finished_run_asks_for_no_job_and_blocks_nothing(clone):
    clone.run(*THROUGH_SLURM, *DRY)
    finished, *failed = plans.read_plan("table_05", "smoke").runs("pretrain")
    tiny.seal(finished, {"loss": 1.0})
    jobs = jobs_of(clone.run(*THROUGH_SLURM, *DRY))
    evaluations = [job for job in jobs if job.get("stage") == "linear_eval"]
    assert len(failed) > 1 and len(evaluations) == 2
    blocked = ["/pretrain/" in job["input"] for job in evaluations]
    assert sorted(blocked) == [False, True]


def test_runs_that_are_at_work_are_not_submitted_again(clone):
    clone.run(*THROUGH_SLURM, *DRY)
    run = plans.read_plan("table_05", "smoke").runs("pretrain")[0]
    with store.locked(store.store_folder(tiny.RESULTS, run)) as mine:
        assert mine
        said = clone.run("snakemake", "--cores", "1", "--config", "unit=run", "--", "runs", check=False)
        assert "error: runs that are left are at work already" in said and "1 in process " in said
        assert not (clone.folder / "results/smoke/jobs.json").exists()
        assert trainings(clone.run(*THROUGH_SLURM, *DRY)), "a dry run may look all the same"


def test_a_job_knows_the_jobs_of_its_call_and_one_of_an_earlier_call_ends_at_once(clone):
    """As Snakemake starts it on a node; from the queue of a Snakemake that was killed comes the second."""
    clone.run(*THROUGH_SLURM, *DRY)
    for name in (".lock", "data/manifest.json"):
        files.write_text(f"results/smoke/{name}", '{"missing": []}')
    decided = submission.decide(tiny.RESULTS, "smoke", ["table_05"])
    stage, job = next(name for name in decided["jobs"] if name.startswith("pretrain/")).split("/")
    start = ["snakemake", "--cores", "1", "--mode", "remote", "-n", "--force", "--config", "unit=run"]
    start += ["--snakefile", "Snakefile", "--allowed-rules", "on_one_node", "--target-jobs"]
    said = clone.run(*start, f"on_one_node:call={decided['call']},stage={stage},job={job}")
    assert f"done/{decided['call']}/on_one_node/{stage}/{job}" in said
    said = clone.run(*start, f"on_one_node:call=0a1b2c3d,stage={stage},job={job}", check=False)
    assert "error: a job of an earlier call" in said and "rule on_one_node:" not in said
