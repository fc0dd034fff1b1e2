"""After a change of code old results are refused, until somebody says why their numbers still stand."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from common import files, scales
from stages import adopt, collect, plan
from stages.planning import fingerprint, plans, runs
from stages.planning.stamp import stamp_path
from tests.stages import tiny

CHAIN = """\
knobs: {temperature: nt_xent.temperature}
runs:
  - chain: [pretrain, linear_eval]
    grid: {temperature: [0.1, 0.5]}
measure: [linear_eval.top1]
seeds: [0]
"""
ALONE = """\
knobs: {}
runs:
  - chain: [supervised]
    grid: {}
measure: [supervised.top1]
seeds: [0]
"""
TWO_LOSSES = """\
knobs:
  loss:
    NT-Xent: {Pretraining.loss: nt_xent}
    NT-Logistic: {Pretraining.loss: nt_logistic, nt_logistic.temperature: 0.5}
runs:
  - chain: [pretrain, linear_eval]
    grid: {loss: [NT-Xent, NT-Logistic]}
measure: [linear_eval.top1]
seeds: [0]
"""
ADOPTED = Path("params/adopted.yaml")
SMOKE = ["--scale", "smoke"]


@pytest.fixture
def code(monkeypatch) -> Callable[..., None]:
    """code(pretrain="b") says what the code of a stage hashes to; others stay as they were ("a" at first)."""
    hashes: dict[str, str] = {}
    monkeypatch.setattr(runs, "code_hash", lambda stage, named: hashes.get(stage, "a"))
    return lambda **changed: hashes.update(changed)


@pytest.fixture
def project_at_a(project, code) -> Path:
    """Two exhibits, finished with code "a"."""
    tiny.declare_only(project, {"table_05": CHAIN, "figure_08": ALONE})
    finish("table_05", "figure_08")
    return project


def finish(*exhibits: str) -> None:
    """Seal and link every run of these exhibits with the code of now."""
    for name in exhibits:
        plan = plans.resolve(name, "smoke")
        plans.write_plan(plan)
        for stage in plan.stages:
            for run in plan.runs(stage):
                tiny.seal(run, {"top1": 50.0})
            tiny.sweep(plan, stage)


def collected(exhibit: str = "table_05") -> int:
    """The exit status of a new `python -m stages collect`."""
    fingerprint.adoptions.cache_clear()
    return collect.main(["--exhibit", exhibit, *SMOKE])


def adopted(reason: str = "renamed a variable") -> int:
    """The exit status of a new `python -m stages adopt`."""
    fingerprint.adoptions.cache_clear()
    return adopt.main(["--reason", reason, *SMOKE])


def reasons(exhibit: str = "table_05") -> dict[str, str | None]:
    runs = files.read_json(tiny.RESULTS / "smoke" / "tidy" / exhibit / "provenance.json")["runs"]
    return {run["stage"]: run["adopted"] and run["adopted"]["reason"] for run in runs.values()}


def test_results_of_other_code_are_refused_and_the_error_names_both_remedies(project_at_a, code, capsys):
    assert collected() == 0
    code(pretrain="b")
    assert collected() == 2
    error = capsys.readouterr().err
    assert "belongs to another plan or to other code" in error and "Traceback" not in error
    assert "python -m stages pretrain --scale smoke --sweep table_05" in error
    assert "python -m stages adopt --reason" in error


def test_an_adoption_stands_in_the_file_and_in_the_provenance_with_its_reason(project_at_a, code, capsys):
    code(pretrain="b")
    capsys.readouterr()
    assert adopted("renamed a variable: ümlaut #1") == 0
    assert capsys.readouterr().out == "pretrain: code b is taken to give the numbers of a\n"
    text = ADOPTED.read_text()
    assert text.startswith("# Made by `python -m stages adopt`")
    reason = "renamed a variable: ümlaut #1"
    assert files.read_yaml(ADOPTED) == [{"stage": "pretrain", "code": "b", "same_as": "a", "reason": reason}]
    assert collected() == 0
    assert reasons() == {"pretrain": reason, "linear_eval": None}


def test_an_adoption_brings_back_what_rests_on_the_stage(project_at_a, code):
    """An evaluation's fingerprint contains that of its pretraining."""
    before = [run.fingerprint for run in plans.resolve("table_05", "smoke").runs("linear_eval")]
    code(pretrain="b")
    assert [run.fingerprint for run in plans.resolve("table_05", "smoke").runs("linear_eval")] != before
    adopted()
    fingerprint.adoptions.cache_clear()
    assert [run.fingerprint for run in plans.resolve("table_05", "smoke").runs("linear_eval")] == before


def test_all_changed_stages_are_adopted_at_once_and_the_others_not(project_at_a, code):
    code(linear_eval="b", supervised="c")
    adopted()
    assert [(entry["stage"], entry["code"]) for entry in files.read_yaml(ADOPTED)] == [
        ("linear_eval", "b"),
        ("supervised", "c"),
    ]
    assert collected() == collected("figure_08") == 0
    assert reasons("figure_08") == {"supervised": "renamed a variable"}


@pytest.mark.parametrize("reason", ["", "  ", "\n\t"])
def test_an_empty_reason_is_refused(project_at_a, code, capsys, reason):
    code(pretrain="b")
    before = ADOPTED.read_bytes()
    assert adopted(reason) == 2
    assert "an adoption needs a reason" in capsys.readouterr().err and ADOPTED.read_bytes() == before


def test_a_reason_must_be_given(project_at_a):
    with pytest.raises(SystemExit):
        adopt.main(SMOKE)


def test_with_results_of_todays_code_there_is_nothing_to_adopt(project_at_a, capsys):
    before = ADOPTED.read_bytes()
    capsys.readouterr()
    assert adopted() == 0
    assert capsys.readouterr().out.startswith("nothing to adopt") and ADOPTED.read_bytes() == before


def test_without_results_there_is_nothing_to_adopt(project, code, capsys):
    tiny.declare_only(project, {"table_05": CHAIN})
    code(pretrain="b")
    assert adopted() == 0
    assert capsys.readouterr().out.startswith("nothing to adopt") and files.read_yaml(ADOPTED) == []


def test_results_of_several_versions_are_refused(project_at_a, code, capsys):
    tiny.declare_only(project_at_a, {"table_05": CHAIN, "figure_08": CHAIN.replace("[0.1, 0.5]", "[0.7]")})
    code(pretrain="b")
    finish("figure_08")
    code(pretrain="c")
    before = ADOPTED.read_bytes()
    assert adopted() == 2
    error = capsys.readouterr().err
    assert "stage pretrain are of several versions" in error and "a, b" in error and "would mix them" in error
    assert ADOPTED.read_bytes() == before


def test_a_second_change_is_adopted_to_the_first_code(project_at_a, code):
    """Results of a, and results made since with b adopted as a, are one version."""
    code(pretrain="b")
    adopted("first")
    fingerprint.adoptions.cache_clear()
    one, _ = plans.resolve("table_05", "smoke").runs("pretrain")
    shutil.rmtree(one.folder(tiny.RESULTS))
    finish("table_05")
    assert files.read_json(one.folder(tiny.RESULTS) / "run.json")["code"] == "b"
    code(pretrain="c")
    assert adopted("second") == 0
    assert [(entry["code"], entry["same_as"]) for entry in files.read_yaml(ADOPTED)] == [
        ("b", "a"),
        ("c", "a"),
    ]
    assert collected() == 0 and reasons()["pretrain"] == "second"


def test_code_that_is_taken_back_needs_no_adoption(project_at_a, code, capsys):
    code(pretrain="b")
    adopted()
    code(pretrain="a")
    assert collected() == 0 and reasons()["pretrain"] is None
    capsys.readouterr()
    assert adopted() == 0 and capsys.readouterr().out.startswith("nothing to adopt")


def test_the_latest_adoption_of_a_code_counts(project_at_a, code):
    """What the command says it has adopted must then be accepted: here other results than before."""
    code(pretrain="b")
    older = {"stage": "pretrain", "code": "b", "same_as": "z", "reason": "of results that are gone"}
    files.write_yaml(ADOPTED, [older])
    assert adopted() == 0
    assert collected() == 0


def test_the_plan_says_first_which_finished_runs_an_edit_makes_again(project_at_a, code, capsys):
    assert plan.main([*SMOKE, "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    code(pretrain="b")
    # A real edit touches a file, which the stamp of the last plan would tell.
    stamp_path(Path("results"), "smoke").unlink()
    assert plan.main([*SMOKE, "--quiet"]) == 0
    first = capsys.readouterr().err.splitlines()
    assert "the code of 2 finished runs of scale smoke has changed (2 of pretrain)" in first[0]
    assert "python -m stages adopt --scale smoke" in first[1]
    assert adopted() == 0
    fingerprint.adoptions.cache_clear()
    capsys.readouterr()
    assert plan.main([*SMOKE, "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_codes_of_one_stage_are_adopted_one_by_one(project, monkeypatch):
    """Runs that name another loss have another code: an edit of one loss asks for one adoption."""
    codes = {"nt_xent": "a", "nt_logistic": "b"}
    monkeypatch.setattr(
        runs, "code_hash", lambda stage, named: codes[named[0].rpartition(".")[2]] if named else "s"
    )
    tiny.declare_only(project, {"table_05": TWO_LOSSES})
    finish("table_05")
    codes["nt_logistic"] = "c"
    assert adopted() == 0
    assert files.read_yaml(ADOPTED) == [
        {"stage": "pretrain", "code": "c", "same_as": "b", "reason": "renamed a variable"}
    ]
    assert collected() == 0


def test_numbers_that_lie_in_the_evidence_alone_are_adopted_where_the_scale_reuses_them(
    project_at_a, code, monkeypatch, capsys
):
    """A fresh clone has no results: after an edit nothing of its evidence would be known any more."""
    assert collected() == 0
    shutil.copytree(tiny.RESULTS / "smoke" / "tidy" / "table_05", "reports/evidence/smoke/table_05")
    tiny.forget_evidence()
    shutil.rmtree(tiny.RESULTS)
    code(pretrain="b")
    capsys.readouterr()
    assert adopted() == 0 and "nothing to adopt" in capsys.readouterr().out
    declared = scales.read("smoke")
    monkeypatch.setattr(scales, "read", lambda name: dataclasses.replace(declared, reuses_evidence=True))
    assert adopted() == 0
    assert capsys.readouterr().out == "pretrain: code b is taken to give the numbers of a\n"
