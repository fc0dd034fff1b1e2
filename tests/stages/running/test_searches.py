"""A run that chooses waits for all runs of its search; what is lost, broken or known elsewhere of them."""

import shutil
import signal
from pathlib import Path

import pytest

from common import files
from common.errors import UserError
from stages import collect
from stages.planning import plans
from stages.planning.plans import Plan
from stages.running import driver, store, sweeps
from tests.stages import tiny
from tests.stages.running.test_driver import (
    eventually,
    files_of,
    is_free,
    prepare,
    replan,
    stages,
    started,
)

EXHIBIT = """\
knobs:
  steps: transfer/transfer_training.steps
runs:
- chain: [initialize, transfer]
  grid: {steps: [4]}
  set:
    transfer/dataset.name: digits
    transfer/dataset.limit: 200
    transfer/transfer_training.batch_size: 32
    transfer/transfer_grid.learning_rates: [0.1, 0.3]
    transfer/transfer_grid.weight_decays: [0.0, 0.001]
measure: [transfer.accuracy]
seeds: [0]
"""
RESULTS = Path("results")


@pytest.fixture
def plan(project) -> Plan:
    """One cell that chooses among four points, planned and prepared."""
    return declared(project, EXHIBIT)


def declared(project, body: str) -> Plan:
    tiny.declare_only(project, {"table_05": body})
    replan()
    prepare()
    return plans.read_plan("table_05", "smoke")


@pytest.fixture
def sealed(project) -> Plan:
    """The same, where every run is there, invented; the third point is best."""
    tiny.declare_only(project, {"table_05": EXHIBIT})
    replan()
    found = plans.read_plan("table_05", "smoke")
    for stage in found.stages:
        for number, run in enumerate(found.runs(stage)):
            values = {"transfer_search": {"validation": [10.0, 20.0, 40.0, 30.0][number]}}
            tiny.seal(run, values.get(stage, {"accuracy": 12.5, "top1": 12.5} if stage == "transfer" else {}))
        tiny.sweep(found, stage)
    return found


def counts(text: str) -> dict[str, str]:
    lines = [line.split(": ran ") for line in text.splitlines() if ": ran " in line]
    return {sweep.split()[0]: said.removesuffix(" runs") for sweep, said in lines}


def remove(*runs: plans.Run) -> None:
    """As if they had never been made."""
    for run in runs:
        for folder in (store.store_folder(RESULTS, run), run.folder(RESULTS)):
            shutil.rmtree(folder, ignore_errors=True)


def test_one_driver_does_the_grid_and_then_what_chooses(plan):
    done = stages("run", "--exhibit", "table_05", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert counts(done.stdout) == {"initialize": "1 of 1", "transfer_search": "4 of 4", "transfer": "1 of 1"}
    (final,) = plan.runs("transfer")
    metrics = files.read_json(final.folder(RESULTS) / "metrics.json")
    scores = [files.read_json(run.folder(RESULTS) / "metrics.json")["validation"] for run in final.search]
    best = final.search[scores.index(max(scores))]
    assert metrics["validation"] == max(scores)
    assert metrics["chosen_lr"] == best.bindings["transfer_training.lr"]
    assert metrics["chosen_weight_decay"] == best.bindings["transfer_training.weight_decay"]
    done = stages("run", "--exhibit", "table_05")
    assert counts(done.stdout) == {"initialize": "0 of 1", "transfer_search": "0 of 4", "transfer": "0 of 1"}
    # A point that was lost is made again, and nothing else.
    before = files_of(final.search[2])
    remove(final.search[2])
    done = stages("run", "--exhibit", "table_05")
    assert counts(done.stdout) == {"initialize": "0 of 1", "transfer_search": "1 of 4", "transfer": "0 of 1"}
    assert files_of(final.search[2]) == before
    # So is one that was changed.
    (store.store_folder(RESULTS, final.search[1]) / "metrics.json").write_text("{}")
    done = stages("run", "--exhibit", "table_05")
    assert counts(done.stdout)["transfer_search"] == "1 of 4" and counts(done.stdout)["transfer"] == "0 of 1"


def test_a_failed_point_fails_what_chooses_and_no_other_point(plan):
    (final,) = plan.runs("transfer")
    broken = final.search[1]
    folder = store.partial_folder(RESULTS, broken)
    folder.parent.mkdir(parents=True)
    folder.write_text("in its way")
    done = stages("run", "--exhibit", "table_05")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"run {broken.id} of transfer_search table_05 failed" in done.stderr
    assert f"its transfer_search run {broken.id} of table_05 failed" in done.stderr
    assert counts(done.stdout) == {"initialize": "1 of 1", "transfer_search": "3 of 4", "transfer": "0 of 1"}
    index = RESULTS / "smoke" / "index" / "table_05" / "evaluated"
    assert not list(index.glob("*.json"))
    folder.unlink()
    done = stages("run", "--exhibit", "table_05")
    assert done.returncode == 0
    assert counts(done.stdout) == {"initialize": "0 of 1", "transfer_search": "1 of 4", "transfer": "1 of 1"}
    assert {path.stem for path in index.glob("*.json")} == {"transfer_search", "transfer"}


def test_a_point_stopped_on_its_way_goes_on_and_all_ends_in_the_bytes_of_an_unbroken_search(project):
    plan = declared(project, EXHIBIT.replace("steps: [4]", "steps: [150]").replace("[0.1, 0.3]", "[0.1]"))
    (final,) = plan.runs("transfer")
    words = ("run", "--exhibit", "table_05", "--jobs", "1")
    process = started(*words)
    checkpoint = store.partial_folder(RESULTS, final.search[0]) / "checkpoint.safetensors"
    eventually(checkpoint.parent.is_dir, 60)
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM and "Traceback" not in error
    eventually(lambda: all(map(is_free, final.search)), 15)
    assert not final.folder(RESULTS).exists()
    assert stages(*words).returncode == 0
    Path("unbroken/smoke").mkdir(parents=True)
    Path("unbroken/smoke/data").symlink_to(Path("results/smoke/data").resolve())
    assert stages(*words, "--results", "unbroken").returncode == 0
    for run in (*final.search, final):
        assert files_of(run) == files_of(run, Path("unbroken"))


def test_a_run_that_chooses_alone_asks_for_its_search(plan):
    assert stages("initialize", "--sweep", "table_05").returncode == 0
    done = stages("transfer", "--sweep", "table_05")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "a run among which this one chooses is not there" in done.stderr
    assert "run stage transfer_search for this sweep first" in done.stderr
    name = plan.runs("transfer_search")[2].id
    done = stages("transfer_search", "--sweep", "table_05", "--run", name)
    assert counts(done.stdout) == {"transfer_search": "1 of 1"}


def test_a_run_starts_when_all_that_it_reads_are_done_and_a_way_is_as_long_as_what_comes_after(sealed):
    (final,), points = sealed.runs("transfer"), sealed.runs("transfer_search")
    (first,) = sealed.runs("initialize")
    runs = {run.fingerprint: run for run in (final, *points, first)}
    ways = driver._ways_to_the_end(runs)
    longest = max(ways[point.fingerprint] for point in points)
    assert ways[first.fingerprint] == driver._weight(first) + longest
    assert longest == driver._weight(points[0]) + driver._weight(final)
    state = driver._Driver("test", dict(runs), RESULTS, 1, {})
    order = []
    while state.waiting:
        run = state._next()
        order.append(state.waiting.pop(run.fingerprint).stage)
        if order[-1] != "transfer":
            at_work = driver._Child(run, None, None, [])
            state.children = [at_work]
            assert final is not state._next(), "one of its search is still at work"
            state.children = []
    state.progress.close()
    assert order == ["initialize", *["transfer_search"] * 4, "transfer"]


def test_what_is_known_elsewhere_needs_no_search_and_a_search_that_is_known_no_points(sealed, project):
    """Committed evidence has both: of a search its numbers are enough, the encoder's weights are not in it."""
    collect.collect(sealed, RESULTS)
    evidence = project / "reports" / "evidence" / "smoke" / "table_05"
    shutil.copytree(RESULTS / "smoke" / "tidy" / "table_05", evidence)
    (final,), points, (first,) = (
        sealed.runs(stage) for stage in ("transfer", "transfer_search", "initialize")
    )
    every = [first, *points, final]
    remove(*every)
    tiny.forget_evidence()
    assert sweeps.known_elsewhere(every, RESULTS) == {run.fingerprint for run in every}
    # Without what it chose: the points are still known, and the encoder has to be made again.
    record = files.read_json(evidence / "provenance.json")
    del record["runs"][f"transfer/{final.id}"]
    tiny.seal_evidence(evidence, record)
    assert sweeps.known_elsewhere(every, RESULTS) == {point.fingerprint for point in points}
    # Without two of the points alone: nobody needs them.
    record = files.read_json(RESULTS / "smoke" / "tidy" / "table_05" / "provenance.json")
    for point in points[:2]:
        del record["searched"][f"transfer_search/{point.id}"]
    tiny.seal_evidence(evidence, record)
    assert sweeps.known_elsewhere(every, RESULTS) == {run.fingerprint for run in every}
    tiny.forget_evidence()


def test_a_score_comes_from_the_committed_evidence_where_the_point_is_not_here(sealed, project):
    from stages.running.job import Job

    collect.collect(sealed, RESULTS)
    evidence = project / "reports" / "evidence" / "smoke" / "table_05"
    shutil.copytree(RESULTS / "smoke" / "tidy" / "table_05", evidence)
    (final,) = sealed.runs("transfer")
    remove(*final.search)
    tiny.forget_evidence()
    import stages.transfer  # noqa: F401, gin knows only the names of what is imported

    found = Job(final, RESULTS).search()
    assert [each.metrics["validation"] for each in found] == [10.0, 20.0, 40.0, 30.0]
    tiny.forget_evidence()


def test_collected_the_search_stands_beside_the_runs_and_in_no_row(sealed):
    collect.collect(sealed, RESULTS)
    folder = RESULTS / "smoke" / "tidy" / "table_05"
    record = files.read_json(folder / "provenance.json")
    (final,) = sealed.runs("transfer")
    assert list(record["searched"]) == sorted(f"transfer_search/{run.id}" for run in final.search)
    assert record["runs"][f"transfer/{final.id}"]["search"] == [run.fingerprint for run in final.search]
    assert not [name for name in record["runs"] if name.startswith("transfer_search/")]
    assert "transfer_search" not in (folder / "rows.csv").read_text() and record["missing"] == []
    remove(final.search[0])
    collect.collect(sealed, RESULTS)
    assert files.read_json(folder / "provenance.json")["missing"] == [], "what was chosen is there"


def test_of_a_missing_data_set_each_cell_is_named_once(sealed, capsys):
    files.write_json(RESULTS / "smoke" / "data" / "manifest.json", {"missing": ["digits"]})
    runs = [run for stage in sealed.stages for run in sealed.runs(stage)]
    absent = sweeps.without_data(runs, RESULTS)
    assert len(absent) == 5 and sealed.runs("initialize")[0].fingerprint not in absent
    (line,) = capsys.readouterr().out.splitlines()
    assert sealed.runs("transfer")[0].id in line and "data set digits is missing" in line


def test_what_a_point_found_is_no_measure_of_an_exhibit(sealed, project):
    path = project / "params" / "exhibits" / "table_05.yaml"
    path.write_text(path.read_text().replace("[transfer.accuracy]", "[transfer_search.validation]"))
    replan()
    with pytest.raises(UserError, match=r"nothing measures `transfer_search\.validation`"):
        collect.collect(plans.read_plan("table_05", "smoke"), RESULTS)
