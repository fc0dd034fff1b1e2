"""Runs whose numbers are committed: not done again, also where a damaged copy of them lies here; per exhibit."""

import dataclasses
import os
import shutil

import pytest

from common import files, receipts, scales
from stages import collect, linear_eval, pretrain, run  # noqa: F401 (gin then knows its names)
from stages.planning import plans
from stages.running import finished, lost, pace, store, sweeps
from stages.running.job import Job
from tests.stages import tiny
from tests.stages.running.test_units import CHAIN

SHARING = CHAIN.replace("[0.5, 1.0]", "[0.5]")


@pytest.fixture
def committed(project, monkeypatch):
    """committed(exhibits, ...) -> plans, all of whose runs lie here, and whose tidy folders are committed."""
    declared = scales.read("smoke")

    def commit(exhibits: dict[str, str]) -> list[plans.Plan]:
        tiny.declare_only(project, exhibits)
        found = [plans.resolve(name, "smoke") for name in exhibits]
        for plan in found:
            plans.write_plan(plan)
            for stage in plan.stages:
                for each in plan.runs(stage):
                    if not store.store_folder(tiny.RESULTS, each).exists():
                        tiny.seal(each, {"top1": 50.0, "loss": 1.0})
                tiny.sweep(plan, stage)
            collect.collect(plan, tiny.RESULTS)
            shutil.copytree(
                tiny.RESULTS / "smoke" / "tidy" / plan.exhibit,
                project / "reports" / "evidence" / "smoke" / plan.exhibit,
            )
        read = scales.read
        monkeypatch.setattr(
            scales,
            "read",
            lambda name: (
                dataclasses.replace(declared, reuses_evidence=True) if name == "smoke" else read(name)
            ),
        )
        tiny.forget_evidence()
        return found

    yield commit
    tiny.forget_evidence()


def cut(name: str):
    def harm(folder) -> None:
        os.truncate(folder / name, 3)  # in place: its link has it too

    return harm


def lose(folder, name="metrics.json") -> None:
    (folder / name).unlink()


@pytest.mark.parametrize("harm", [cut("metrics.json"), cut("run.json"), lose])
@pytest.mark.parametrize("stage", ["pretrain", "linear_eval"])
def test_a_damaged_run_that_is_committed_is_removed_and_its_numbers_come_from_the_evidence(
    committed, harm, stage, capsys
):
    (plan,) = committed({"table_05": CHAIN})
    rows = (tiny.RESULTS / "smoke" / "tidy" / "table_05" / "rows.csv").read_bytes()
    hurt, whole = plan.runs(stage)
    folders = store.store_folder(tiny.RESULTS, hurt), hurt.folder(tiny.RESULTS)
    for folder in folders if harm is lose else folders[:1]:
        harm(folder)
    collect.collect(plan, tiny.RESULTS)
    words = ["--scale", "smoke", "--exhibit", "table_05"]
    assert run.main(words) == 0 and "not whole, removed" in capsys.readouterr().out
    assert not any(folder.exists() for folder in folders)
    index = files.read_json(plan.index_path(tiny.RESULTS, stage))
    assert index[hurt.id]["sha256"] == "evidence" and len(index[whole.id]["sha256"]) == 64
    collect.collect(plan, tiny.RESULTS)
    assert (tiny.RESULTS / "smoke" / "tidy" / "table_05" / "rows.csv").read_bytes() == rows
    assert lost.discard_indices(tiny.RESULTS, "smoke") == []
    assert receipts.discard_broken(tiny.RESULTS / "smoke") == []
    assert run.main(words) == 0 and "removed" not in capsys.readouterr().out


def test_what_an_older_declaration_left_whole_is_not_taken_for_damage(committed):
    (plan,) = committed({"table_05": CHAIN})
    first, second = plan.runs("linear_eval")
    shutil.rmtree(first.folder(tiny.RESULTS))
    shutil.rmtree(store.store_folder(tiny.RESULTS, first))
    shutil.copytree(store.store_folder(tiny.RESULTS, second), first.folder(tiny.RESULTS))
    assert run.main(["--scale", "smoke", "--exhibit", "table_05"]) == 0
    assert first.folder(tiny.RESULTS).is_dir()


def test_a_run_is_known_only_if_the_evidence_has_it_for_every_exhibit_that_shows_it(committed, project):
    """A child scale asks its parent only for the exhibits that it declares: the last exhibit may be one of them."""
    committed({"table_05": CHAIN, "table_06": SHARING})
    lab = "about: A child.\nparent: smoke\nreuses_evidence: true\nexhibits: {table_06: {seeds: [0]}}\n"
    files.write_text("params/scales/lab.yaml", lab)
    tiny.forget_evidence()
    five, six = (plans.resolve(name, "lab") for name in ("table_05", "table_06"))
    assert {each.fingerprint for each in sweeps.runs_of([six])} < {
        each.fingerprint for each in sweeps.runs_of([five])
    }
    assert sweeps.known_elsewhere(sweeps.runs_of([five, six]), tiny.RESULTS) == set()
    assert len(sweeps.known_elsewhere(sweeps.runs_of([six]), tiny.RESULTS)) == 2


def test_nothing_is_trained_for_a_run_whose_data_set_is_absent(committed, project, monkeypatch):
    (plan,) = committed({"table_05": CHAIN})
    shutil.rmtree(tiny.RESULTS / "smoke")
    record = files.read_json(project / "reports/evidence/smoke/table_05/provenance.json")
    first = plan.runs("linear_eval")[0]
    del record["runs"][f"linear_eval/{first.id}"]
    tiny.seal_evidence(project / "reports/evidence/smoke/table_05", record)
    every = sweeps.runs_of([plan])
    assert first.upstream.fingerprint not in sweeps.known_elsewhere(every, tiny.RESULTS)
    absent = dataclasses.replace(first, bindings={**first.bindings, "dataset.name": "digits"})
    monkeypatch.setitem(plan.stages, "linear_eval", [absent, plan.runs("linear_eval")[1]])
    files.write_json(tiny.RESULTS / "smoke" / "data" / "manifest.json", {"missing": ["digits"]})
    asked = []
    monkeypatch.setattr(
        sweeps, "carry_out", lambda title, runs, *rest: asked.extend(runs) or sweeps.Outcome(ran=set())
    )
    evidence = sweeps.runs_of([plan])
    swept = [sweeps.Sweep(plan, stage) for stage in plan.stages]
    assert sweeps.bring(swept, tiny.RESULTS, 1, "all", evidence=evidence) == 0
    assert asked == [] and pace.left("smoke", [plan], tiny.RESULTS) == [absent]


def test_a_driver_that_ends_leaves_what_another_is_linking(committed):
    (plan,) = committed({"table_05": CHAIN})
    place = tiny.RESULTS / "smoke" / "pretrain" / "table_05"
    theirs, left = (place / f".run.{pid}-0123abcd.new.partial" for pid in (os.getpid(), 10**9))
    for folder in (theirs, left, place / "undeclared"):
        folder.mkdir()
    tiny.sweep(plan, "pretrain")
    assert theirs.is_dir() and not left.exists() and not (place / "undeclared").exists()


def test_evidence_of_our_own_weights_does_not_stand_for_published_ones(committed):
    """Else the table would say "published weights" over a number of ours."""
    (plan,) = committed({"table_05": CHAIN})
    shutil.rmtree(tiny.RESULTS / "smoke")
    (trained, other), (evaluated, _) = plan.runs("pretrain"), plan.runs("linear_eval")
    every = sweeps.runs_of([plan])
    assert sweeps.known_elsewhere(every, tiny.RESULTS) == {each.fingerprint for each in every}
    imported = {
        "checkpoint": "model.ckpt-1",
        "sha256": {"model.ckpt-1.index": "a" * 64},
        "parity": "not checked",
    }
    Job(trained, tiny.RESULTS).finish({"params": 1.0}, imported=imported)
    known = sweeps.known_elsewhere(every, tiny.RESULTS)
    assert evaluated.fingerprint not in known and other.fingerprint in known
    assert finished.finished(evaluated, tiny.RESULTS) is None
    assert finished.finished(plan.runs("linear_eval")[1], tiny.RESULTS).metrics == {"top1": 50.0, "loss": 1.0}


def test_a_run_that_evaluates_what_cannot_be_trained_is_not_run_and_says_why(project, capsys):
    """It has its own data set, and would fail for want of weights."""
    tiny.declare_only(project, {"table_05": CHAIN})
    first, second = plans.resolve("table_05", "smoke").runs("linear_eval")
    trained = dataclasses.replace(
        first.upstream, bindings={**first.upstream.bindings, "dataset.name": "digits"}
    )
    evaluated = dataclasses.replace(first, upstream=trained)
    files.write_json(tiny.RESULTS / "smoke" / "data" / "manifest.json", {"missing": ["digits"]})
    runs = [trained, evaluated, second.upstream, second]
    assert sweeps.without_data(runs, tiny.RESULTS) == {trained.fingerprint, evaluated.fingerprint}
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2 and f"{evaluated.id} of linear_eval table_05, data set digits is missing" in said[1]
    tiny.seal(trained, {"loss": 1.0})
    assert sweeps.without_data(runs, tiny.RESULTS) == {trained.fingerprint}
