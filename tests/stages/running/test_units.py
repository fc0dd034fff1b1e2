"""Every unit of work leaves out what is known by evidence: a scale, a sweep, and a run alone."""

import dataclasses

import pytest

from common import files
from stages import linear_eval, pretrain, run  # noqa: F401 (gin then knows its names)
from stages.planning import plans
from stages.running import driver, store, sweeps
from tests.stages import tiny

CHAIN = """\
knobs: {temperature: nt_xent.temperature}
runs:
  - chain: [pretrain, linear_eval]
    grid: {temperature: [0.5, 1.0]}
measure: [linear_eval.top1]
seeds: [0]
"""


@pytest.fixture
def begun(project, monkeypatch):
    """The plan of one exhibit; `known` are the fingerprints in evidence, `done` what the driver was told to do."""
    tiny.declare_only(project, {"table_05": CHAIN})
    plan, known, done = plans.resolve("table_05", "smoke"), set(), []
    plans.write_plan(plan)
    files.write_json(tiny.RESULTS / "smoke" / "data" / plan.runs("pretrain")[0].dataset / "manifest.json", {})
    declared = sweeps.scales.read("smoke")
    monkeypatch.setattr(
        sweeps.scales, "read", lambda name: dataclasses.replace(declared, reuses_evidence=True)
    )
    monkeypatch.setattr(sweeps, "_is_known", lambda each, _: each.fingerprint in known)
    monkeypatch.setattr(
        sweeps, "carry_out", lambda title, runs, *rest: done.extend(runs) or driver.Outcome(ran=set())
    )
    monkeypatch.setattr(sweeps, "_settle", lambda *given, **more: None)
    return plan, known, done


def test_a_sweep_trains_nothing_whose_evaluations_are_known(begun):
    plan, known, done = begun
    known |= {each.fingerprint for stage in plan.stages for each in plan.runs(stage)}
    for stage in ("pretrain", "linear_eval"):
        assert sweeps.main(stage, ["--scale", "smoke", "--sweep", "table_05"]) == 0
    assert done == []


def test_a_sweep_trains_what_an_unknown_evaluation_needs(begun):
    plan, known, done = begun
    trained, evaluated = plan.runs("pretrain"), plan.runs("linear_eval")
    known |= {each.fingerprint for each in (*trained, evaluated[0])}
    sweeps.main("pretrain", ["--scale", "smoke", "--sweep", "table_05"])
    sweeps.main("linear_eval", ["--scale", "smoke", "--sweep", "table_05"])
    assert [each.id for each in done] == [trained[1].id, evaluated[1].id]


def test_a_run_alone_too_and_without_evidence_all_are_done(begun):
    plan, known, done = begun
    first = plan.runs("pretrain")[0]
    known |= {each.fingerprint for stage in plan.stages for each in plan.runs(stage)}
    words = ["--scale", "smoke", "--sweep", "table_05", "--run", first.id]
    sweeps.main("pretrain", words)
    assert done == []
    sweeps.main("pretrain", [*words, "--ignore-evidence"])
    assert [each.fingerprint for each in done] == [first.fingerprint]


def test_a_run_that_lies_here_is_not_asked_of_the_evidence(begun):
    plan, known, _ = begun
    first = plan.runs("pretrain")[0]
    known.add(first.fingerprint)
    tiny.seal(first, {"loss": 1.0})
    assert store.is_finished(store.store_folder(tiny.RESULTS, first), first)
    assert sweeps.known_elsewhere(plan.runs("pretrain"), tiny.RESULTS) == set()


def test_exhibits_with_more_claims_have_their_turn_first_and_a_shared_run_the_first_of_its_turns(project):
    claim = "{says: A., type: D, metric: top1, contrast: [{minus: [{temperature: 0.5}, {temperature: 1.0}]}]}"
    beyond = claim.replace("says: A.,", "says: A., min_scale: paper,")
    own = CHAIN.replace("[0.5, 1.0]", "[0.5, 0.7]")
    tiny.declare_only(project, {"table_05": CHAIN, "figure_08": own, "figure_09": own.replace("0.7", "0.9")})
    for name, claims in {
        "table_05": (claim, claim),
        "figure_08": (claim,),
        "figure_09": (beyond,) * 3,
    }.items():
        with open(project / "params" / "exhibits" / f"{name}.yaml", "a") as file:
            listed = "".join(f"  C{place}: {each}\n" for place, each in enumerate(claims, start=1))
            file.write(f"claims:\n{listed}")
    each = {
        name: plans.resolve(name, "smoke").runs("pretrain") for name in ("figure_08", "figure_09", "table_05")
    }
    turns = sweeps.turns([run for runs in each.values() for run in runs])
    assert [[turns[run.fingerprint] for run in runs] for runs in each.values()] == [[0, 1], [0, 2], [0, 0]]


def test_within_an_exhibit_each_seed_of_all_cells_comes_before_the_next(project):
    tiny.declare_only(project, {"table_05": CHAIN.replace("seeds: [0]", "seeds: [0, 1, 2]")})
    plan = plans.resolve("table_05", "smoke")
    runs = [*plan.runs("pretrain"), *plan.runs("linear_eval")]
    turns = sweeps.turns(runs)
    assert sorted({run.seed for run in runs}) == [0, 1, 2]
    assert {(run.seed, turns[run.fingerprint]) for run in runs} == {(0, 0), (1, 1), (2, 2)}


def test_only_a_scale_that_reuses_evidence_has_turns(begun, monkeypatch):
    given = []
    failed = driver.Outcome(failures={"one": "on purpose"})
    monkeypatch.setattr(
        sweeps, "carry_out", lambda title, runs, results, jobs, turns: given.append(turns) or failed
    )
    plan, _, _ = begun
    words = ["--scale", "smoke", "--exhibit", "table_05"]
    assert run.main(words) == run.main([*words, "--ignore-evidence"]) == 1
    assert set(given[0]) == {each.fingerprint for stage in plan.stages for each in plan.runs(stage)}
    assert given[1] == {}


def test_a_lower_turn_goes_before_an_evaluation_and_a_longer_way(project):
    tiny.declare_only(project, {"table_05": CHAIN})
    (one, two), evaluations = (
        plans.resolve("table_05", "smoke").runs(each) for each in ("pretrain", "linear_eval")
    )
    waiting = {each.fingerprint: each for each in (one, two, evaluations[0])}
    state = driver._Driver("test", waiting, tiny.RESULTS, 1, {two.fingerprint: 0, one.fingerprint: 1})
    assert state._next() is two
    del waiting[one.fingerprint]
    state.turns = {two.fingerprint: 1, evaluations[0].fingerprint: 1}
    assert state._next() is evaluations[0]
    state.progress.close()
