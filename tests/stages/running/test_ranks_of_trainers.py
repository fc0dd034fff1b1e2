"""Every trainer over several processes, by the stages' own command: the run of one process, in float64."""

import json
import re
from pathlib import Path

import pytest

from common import atomic, files
from stages.planning import plans
from stages.planning.plans import Run
from stages.running import store
from tests.stages import tiny
from tests.stages.running.test_driver import prepare, ran, replan, stages
from tests.stages.running.test_ranks import assert_equal, kill_a_rank, share_data

EXHIBIT = """\
knobs:
  size: ViewPolicy.size
runs:
- {chain: [pretrain, linear_eval], label: {by: linear}, grid: {size: [16]}}
- {chain: [pretrain, probe], label: {by: probe}, grid: {size: [16]}, set: {probe/probing.operator: grayscale}}
- {chain: [pretrain, finetune], label: {by: labels}, grid: {size: [16]}}
- {chain: [pretrain, transfer], label: {by: transfer}, grid: {size: [16]}}
- {chain: [supervised], label: {by: none}, grid: {size: [16]}}
measure: [linear_eval.top1]
seeds: [0]
"""
TRAINERS = ("linear_eval", "probe", "finetune", "transfer_search", "transfer", "supervised")
# 20 updates of 32 images, or so.
BOUND = {
    "pretrain": {"dataset.limit": 96, "Pretraining.batch_size": 32, "Pretraining.epochs": 1},
    "linear_eval": {
        "dataset.limit": 160,
        "linear_evaluation.batch_size": 32,
        "linear_evaluation.epochs": 4,
        "knn_scores.k": 20,
    },
    "probe": {"dataset.limit": 160, "probe_training.batch_size": 32, "probe_training.epochs": 4},
    "finetune": {"label_subset.fraction": 0.05, "fine_tuning.batch_size": 32, "fine_tuning.epochs": 3},
    "transfer": {
        "dataset.name": "'cifar10_subset'",
        "dataset.limit": 160,
        "transfer_training.batch_size": 32,
        "transfer_training.steps": 20,
    },
    "supervised": {"dataset.limit": 160, "supervised.batch_size": 32, "supervised.epochs": 4},
}


def bind(stage: str, values: dict) -> None:
    path = Path(f"params/recipes/{stage}_smoke.gin")
    text = path.read_text()
    for key, value in values.items():
        text = re.sub(rf"^{re.escape(key)} = .*\n", "", text, flags=re.M) + f"{key} = {value}\n"
    path.write_text(text)


def processes(n: int, minutes: float = 5.0) -> dict[str, Run]:
    """The runs, by stage, to be done by so many processes."""
    for stage in {*TRAINERS} - {"transfer_search"}:  # which is bound as what chooses among its runs
        bind(stage, {"execution.processes": n, "execution.checkpoint_minutes": minutes})
    replan()
    plan = plans.read_plan("table_05", "smoke")
    return {stage: plan.runs(stage)[0] for stage in plan.stages}


@pytest.fixture
def exact(project):
    """One pretraining, four evaluations of it and a supervised training, declared in float64 and prepared."""
    tiny.declare_only(project, {"table_05": EXHIBIT})
    for stage, values in BOUND.items():
        bind(stage, {**values, "execution.precision": "'float64'"})
    runs = processes(1)
    prepare()
    return runs


def assert_equal_runs(run: Run, results: str) -> None:
    found, expected = (store.store_folder(Path(each), run) for each in (results, "results"))
    metrics = json.loads((expected / "metrics.json").read_text())
    assert json.loads((found / "metrics.json").read_text()) == pytest.approx(metrics, rel=1e-10, abs=1e-10)
    assert {path.name for path in found.iterdir()} == {path.name for path in expected.iterdir()}
    if (expected / "weights.safetensors").exists():
        assert_equal(*(files.read_tensors(folder / "weights.safetensors") for folder in (found, expected)))


@pytest.mark.slow
def test_two_processes_do_the_run_of_one(exact):
    done = stages("run", "--exhibit", "table_05")
    assert done.returncode == 0, done.stderr
    share_data("two")
    upstream = exact["pretrain"]
    atomic.link_tree(*(store.store_folder(Path(each), upstream) for each in ("results", "two")))
    again = processes(2)
    assert {stage: run.fingerprint for stage, run in again.items()} == {
        stage: run.fingerprint for stage, run in exact.items()
    }
    done = stages("run", "--exhibit", "table_05", "--results", "two", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    for stage in TRAINERS:
        assert_equal_runs(exact[stage], "two")
        record = files.read_json(store.store_folder(Path("two"), exact[stage]) / "record.json")
        assert record["processes"] == 2, stage
    assert not list(Path("two").rglob("*.log"))


@pytest.mark.slow
def test_a_supervised_training_whose_rank_was_killed_goes_on_by_another_number(exact):
    command = ("supervised", "--sweep", "table_05")
    assert ran(stages(*command)).endswith("ran 1 of 1 runs")
    share_data("broken")
    kill_a_rank(processes(2, minutes=0.0)["supervised"], "broken", command)
    processes(1)
    assert ran(stages(*command, "--results", "broken")).endswith("ran 1 of 1 runs")
    assert_equal_runs(exact["supervised"], "broken")
