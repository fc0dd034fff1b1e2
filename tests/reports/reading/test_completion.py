"""How far a scale is: distinct runs of its plans, what is left of them, and when the others were made."""

import pytest

from reports.page import summary
from reports.reading.completion import Left, left, made, planned
from reports.reading.frozen import Frozen
from tests.reports.conftest import ROOT

PLAN = """\
knobs: {}
measure: []
stages:
  pretrain:
    shared: {Pretraining: {epochs: 10, loss: nt_xent}, nt_xent: {temperature: 0.1}}
    evaluates: []
    runs:
      run-seed0: {seed: 0, labels: {}}
      run-seed1: {seed: 1, labels: {}, Pretraining: {epochs: 20}}
  linear_eval:
    shared: {linear_evaluation: {epochs: 2}}
    evaluates: [pretrain]
    runs:
      run-seed0: {seed: 0, labels: {}}
      run-seed1: {seed: 1, labels: {}}
"""
RUNS = {"f0": {"bindings": {"Pretraining.epochs": 10}}}
RECORD = {
    "fingerprint": "f0",
    "stage": "pretrain",
    "finished": "2026-11-28T06:12:53+00:00",
    "seconds": "40.0",
    "processor": "a CPU",
}


@pytest.fixture
def params(tmp_path):
    for exhibit in ("figure_01", "table_06"):  # both show the same runs
        path = tmp_path / "plan" / "smoke" / f"{exhibit}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PLAN)
    return tmp_path


def test_a_run_that_two_exhibits_share_counts_once(params):
    missing = {
        "figure_01": ["pretrain/run-seed1", "linear_eval/run-seed1"],
        "table_06": ["pretrain/run-seed1"],
    }
    found = left(params, "smoke", missing, [RECORD], RUNS)
    # 4 seconds an epoch; nothing tells how long a linear evaluation takes
    assert found == Left(2, 4, 80.0, ["linear_eval"])
    assert left(params, "smoke", {"figure_01": []}, [RECORD], RUNS) is None


def test_of_an_exhibit_that_was_not_begun_all_runs_are_left_but_those_that_another_one_has(params):
    assert left(params, "smoke", {"figure_01": None, "table_06": None}, [RECORD], RUNS).runs == 4
    missing = {"figure_01": None, "table_06": ["pretrain/run-seed1", "linear_eval/run-seed1"]}
    assert left(params, "smoke", missing, [RECORD], RUNS).runs == 2


def test_the_settings_of_a_loss_that_a_run_does_not_use_tell_no_runs_apart(params):
    path = params / "plan" / "smoke" / "table_04.yaml"
    others = "loss: nt_xent}, nt_logistic: {temperature: 0.5}, "
    path.write_text(PLAN.replace("loss: nt_xent}, ", others).replace("evaluates: []\n    runs:\n", (
        "evaluates: []\n    runs:\n      own-seed0: {seed: 0, labels: {}, Pretraining: {loss: nt_logistic}}\n"
    )))  # fmt: skip
    keys = {run.key for runs in planned(params, "smoke").values() for run in runs.values()}
    assert len(keys) == 5


SEARCH = """\
  transfer_search:
    searches_for: transfer
    grid: {training.lr: grid.rates}
    shared: {}
    evaluates: [pretrain]
    runs: {}
  transfer:
    shared: {grid: {rates: [0.1, 0.2, 0.4]}}
    evaluates: [pretrain]
    runs:
      run-seed0: {seed: 0, labels: {}}
      run-seed1: {seed: 1, labels: {}, grid: {rates: [0.4]}}
"""


def test_the_points_of_a_search_are_runs_that_are_missing_with_the_run_that_chooses(params):
    for exhibit in ("figure_01", "table_06"):
        (params / "plan" / "smoke" / f"{exhibit}.yaml").write_text(PLAN + SEARCH)
    found = left(params, "smoke", {"figure_01": ["transfer/run-seed0"]}, [RECORD], RUNS)
    assert (found.runs, found.of) == (1 + 3, 4 + 2 + 4)
    assert found.unpaced == ["transfer", "transfer_search"]


def test_the_distinct_runs_of_our_own_plans_are_those_of_the_README():
    keys = {run.key for runs in planned(ROOT / "params", "smoke").values() for run in runs.values()}
    assert f"the {len(keys)} runs of all 31 exhibits" in (ROOT / "README.md").read_text()


def test_the_page_says_when_runs_were_made_and_whether_that_was_after_the_freeze():
    found = made([RECORD, RECORD | {"fingerprint": "of another scale"}], RUNS)
    said = summary.when(found, Frozen("2026-11-28", [], []))
    assert said == "Made on 2026-11-28: 1 min of one process at a time on a CPU (1 on record)."
    assert summary.when(found, Frozen("2026-11-29", [], [])).endswith("older than the freeze of 2026-11-29.")
    assert summary.when(made([], RUNS), None) == ""


def test_an_exhibit_whose_runs_two_kinds_of_machine_made_says_so():
    names = ("a", "b", "c", "d")
    kinds = ("AMD EPYC avx2", "Intel Xeon avx2", "Intel Xeon avx2", "")  # an old record names none
    records = [
        RECORD | {"fingerprint": name, "processor": kind} for name, kind in zip(names, kinds, strict=True)
    ]
    found = made(records, {name: {} for name in names})
    assert list(found.machines.items()) == [("Intel Xeon avx2", 2), ("AMD EPYC avx2", 1)]
    said = "2 on Intel Xeon (avx2) and 1 on AMD EPYC (avx2). The same run differs"
    assert summary.mixed(found).startswith(said)
    assert summary.mixed(made(records, {"b": {}, "c": {}, "d": {}})) == ""
    assert summary.mixed(None) == ""


def test_the_page_says_what_is_left():
    said = summary.still(Left(1729, 1799, 7200.0, ["tsne"]), "reduced")
    assert said.startswith("1,729 of 1,799 distinct runs are not made yet, about 2.0 hours of one process")
    assert "not counting tsne, of which none is" in said and "make reports SCALE=reduced" in said
    assert summary.still(None, "reduced") == ""
