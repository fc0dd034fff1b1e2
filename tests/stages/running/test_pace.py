"""What is left of a scale, and how long it takes: by runs that are here, that are committed, or of another scale."""

import dataclasses

import pytest

from common import files, machine, scales
from common.run_records import COLUMNS
from stages import pretrain  # noqa: F401 (gin then knows its names)
from stages.planning import cost, plans
from stages.running import pace, store, sweeps
from tests.stages import tiny

CLAIM = """\
claims: {C1: {says: A., type: D, metric: loss, contrast: [{minus: [{temperature: 0.5}, {temperature: 1.0}]}]}}
"""


@pytest.fixture
def two(project, monkeypatch):
    """Two pretrainings of one exhibit, and two gradients of another, at a scale that reuses evidence."""
    tiny.declare_only(project, {"table_05": tiny.TWO_PRETRAININGS, "table_02": tiny.TWO_GRADIENTS})
    declared = scales.read("smoke")
    monkeypatch.setattr(scales, "read", lambda name: dataclasses.replace(declared, reuses_evidence=True))
    monkeypatch.setattr(machine, "slots", lambda: 2)
    return plans.all_plans("smoke")


def runs_of(found: list[plans.Plan], stage: str) -> list[plans.Run]:
    return [run for plan in found for run in plan.runs(stage)]


def made(run: plans.Run, seconds: float) -> None:
    """The run lies in the store, and took so long."""
    tiny.seal(run, {"loss": 1.0})
    files.write_json(store.store_folder(tiny.RESULTS, run) / store.RECORD, {"seconds": seconds})


def records(scale: str, seconds: dict[str, float]) -> None:
    lines = [f"{key},pretrain,2026-01-01,{each},10,1,cpu,another,abc" for key, each in seconds.items()]
    files.write_text(f"reports/evidence/{scale}/records.csv", "\n".join([",".join(COLUMNS), *lines]) + "\n")


def test_without_any_run_nothing_is_said_of_hours(two):
    assert pace.pace_of("smoke", tiny.RESULTS) is None
    assert pace.cost_lines("smoke", two, tiny.RESULTS).endswith("because no run has finished here yet")


def test_a_run_takes_its_operations_at_the_pace_of_its_stage_or_the_time_of_another(two):
    first, second = runs_of(two, "pretrain")
    one, other = runs_of(two, "gradients")
    made(first, 7200.0)
    made(one, 60.0)
    found = pace.pace_of("smoke", tiny.RESULTS)
    assert found.seconds([first]) == pytest.approx(7200)
    assert found.seconds([second]) == pytest.approx(
        7200 * cost.cost_of(second).flops / cost.cost_of(first).flops
    )
    assert found.seconds([other]) == 60 and found.source == "here"
    said = pace.cost_lines("smoke", two, tiny.RESULTS)
    assert "4 hours of one process, at the median pace measured here" in said
    assert "left: 2 of 4 runs, 2 hours of one process, or 1 hour of 2 at a time here" in said


def test_a_run_that_was_made_beside_other_work_does_not_count(two):
    first, second = runs_of(two, "pretrain")
    taken = {first.fingerprint: cost.cost_of(first).flops, second.fingerprint: 9 * cost.cost_of(second).flops}
    found = pace._pace("here", [first, second, first], taken)
    assert found.seconds_per_flop == found.of_stage["pretrain"] == 1


def test_of_a_stage_without_a_finished_run_the_pace_of_all_is_taken(two):
    first, _ = runs_of(two, "pretrain")
    made(first, 10.0)
    found = pace.pace_of("smoke", tiny.RESULTS)
    other = dataclasses.replace(found, of_stage={})
    assert other.seconds([first]) == pytest.approx(10)


def test_runs_that_are_committed_give_the_pace_where_none_is_here(two, monkeypatch):
    first, second = runs_of(two, "pretrain")
    records("smoke", {first.fingerprint: 3600.0, "of another code": 1.0})
    monkeypatch.setattr(sweeps, "_is_known", lambda run, _: run.fingerprint == first.fingerprint)
    said = pace.cost_lines("smoke", two, tiny.RESULTS)
    assert "at the median pace measured by the committed runs" in said and "left: 3 of 4 runs, 1 hour" in said
    made(second, 36.0)
    assert "at the median pace measured here" in pace.cost_lines("smoke", two, tiny.RESULTS)


def test_another_scale_here_gives_the_pace_last(two):
    made(runs_of(two, "pretrain")[0], 10.0)
    assert pace.pace_of("paper", tiny.RESULTS).source == "here at scale smoke"


def test_a_record_that_is_not_whole_gives_no_pace(two):
    first, second = runs_of(two, "pretrain")
    made(first, 10.0)
    tiny.seal(second, {"loss": 1.0})
    files.write_text(store.store_folder(tiny.RESULTS, second) / store.RECORD, '{"seconds": "long"}')
    assert pace.pace_of("smoke", tiny.RESULTS).seconds([first]) == pytest.approx(10)


def test_nothing_is_left_when_all_are_made(two):
    for run in (*runs_of(two, "pretrain"), *runs_of(two, "gradients")):
        made(run, 1.0)
    said = pace.cost_lines("smoke", two, tiny.RESULTS)
    assert said.endswith("left: nothing; all 4 runs are here or committed")


def test_what_is_left_is_told_by_exhibit_in_the_order_in_which_it_is_run(project, two):
    with open(project / "params" / "exhibits" / "table_05.yaml", "a") as file:
        file.write(CLAIM)
    made(runs_of(two, "pretrain")[0], 3600.0)
    made(runs_of(two, "gradients")[0], 1.0)
    lines = pace.cost_lines("smoke", plans.all_plans("smoke"), tiny.RESULTS).splitlines()
    assert [line.split(",")[:2] for line in lines[2:]] == [
        ["    table_05: 1 claim", " 1 runs"],
        ["    table_02: 0 claims", " 1 runs"],
    ]
