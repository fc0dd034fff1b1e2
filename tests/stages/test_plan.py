"""`python -m stages plan`: files that change only when their content does, and an index for both engines."""

import os
from pathlib import Path

import pytest

from stages import plan
from stages.harness import files, planning
from stages.harness.errors import UserError
from stages.harness.fingerprint import accepted_code
from tests.stages import tiny

GRADIENTS = """\
knobs:
  loss:
    NT-Xent: {gradient_check.loss: nt_xent, gradient_check.parameters: [0.5]}
    NT-Logistic: {gradient_check.loss: nt_logistic, gradient_check.parameters: [0.5]}
runs:
  - chain: [gradients]
    grid: {loss: [NT-Xent, NT-Logistic]}
measure: [gradients.max_error]
seeds: [0]
"""
TEMPERATURES = """\
knobs: {temperature: nt_xent.temperature}
runs:
  - chain: [pretrain, linear_eval]
    grid: {temperature: [0.1, 0.5]}
measure: [linear_eval.top1]
seeds: [0, 1]
"""
ONE = """\
knobs: {temperature: nt_xent.temperature}
runs:
  - chain: [pretrain, linear_eval]
    grid: {temperature: [0.5]}
measure: [linear_eval.top1]
seeds: [0]
"""
SCALE_SMOKE = ["--scale", "smoke"]
PLANS = Path("params/plan")


@pytest.fixture
def declared(project) -> Path:
    """Three exhibits: the cell of figure_08 is also one of table_05's four."""
    tiny.declare_only(project, {"table_05": TEMPERATURES, "figure_08": ONE, "table_02": GRADIENTS})
    return project


def run(*words: str) -> None:
    assert plan.main([*words]) == 0


def times() -> dict[str, int]:
    """When each file that the command writes was last written."""
    written = [path for folder in (PLANS, Path("results")) for path in folder.rglob("*") if path.is_file()]
    return {str(path): path.stat().st_mtime_ns for path in written}


def age() -> dict[str, int]:
    """Make every written file look old; returns the times."""
    for path in times():
        os.utime(path, (1_000_000_000, 1_000_000_000))
    return times()


def test_the_second_time_nothing_is_written(declared, capsys):
    run(*SCALE_SMOKE)
    assert "changed: figure_08, table_02, table_05" in capsys.readouterr().out
    before = age()
    assert len(before) == 3 + 1 + 1 + 6  # plans, index, data sets, code of prepare and of five stages
    run(*SCALE_SMOKE)
    assert times() == before
    assert "changed" not in capsys.readouterr().out


def test_an_edit_writes_only_the_plans_that_it_touches(declared, edit, capsys):
    run(*SCALE_SMOKE)
    before = age()
    edit(
        "params/exhibits/table_02.yaml",
        "nt_xent, gradient_check.parameters: [0.5]",
        "nt_xent, gradient_check.parameters: [9.0]",
    )
    capsys.readouterr()
    run(*SCALE_SMOKE)
    after = times()
    assert {path for path in after if after[path] != before[path]} == {"params/plan/smoke/table_02.yaml"}
    assert capsys.readouterr().out.strip().endswith("; changed: table_02")
    tiny.retune(declared, "pretrain")
    run(*SCALE_SMOKE)
    assert capsys.readouterr().out.strip().endswith("; changed: figure_08, table_05")


def test_a_claim_changes_no_plan(declared):
    """What the paper says is judged by the reports: nobody trains again for it."""
    run(*SCALE_SMOKE)
    before, exhibit = age(), Path("params/exhibits/figure_08.yaml")
    exhibit.write_text(exhibit.read_text() + "claims: {C1: {says: More., type: D, metric: top1}}\n")
    run(*SCALE_SMOKE)
    assert times() == before


def test_a_written_plan_is_what_the_stages_accept(declared):
    run(*SCALE_SMOKE)
    for name in ("table_02", "table_05", "figure_08"):
        assert planning.read_plan(name, "smoke").stages
        assert (PLANS / "smoke" / f"{name}.yaml").read_text().startswith("# Made by `make plan`")


def test_plans_of_exhibits_that_are_no_longer_declared_are_removed(declared):
    run(*SCALE_SMOKE)
    run("--scale", "reduced")
    (declared / "params" / "exhibits" / "table_02.yaml").unlink()
    run(*SCALE_SMOKE)
    assert sorted(path.name for path in (PLANS / "smoke").iterdir()) == ["figure_08.yaml", "table_05.yaml"]
    assert (PLANS / "reduced" / "table_02.yaml").exists(), "a scale that was not asked for stays"
    assert "table_02" not in files.read_yaml(PLANS / "index.yaml")["exhibits"]


def test_the_index_lists_sweeps_by_stage(declared):
    run(*SCALE_SMOKE)
    assert files.read_yaml(PLANS / "index.yaml") == {
        "exhibits": ["figure_08", "table_02", "table_05"],
        "figures": ["figure_08"],
        "tables": ["table_02", "table_05"],
        "opens": ["gradients", "pretrain"],
        "sweeps": {
            "gradients": ["table_02"],
            "linear_eval": ["figure_08", "table_05"],
            "operators": [],
            "pretrain": ["figure_08", "table_05"],
            "supervised": [],
        },
    }


def test_every_scale_has_the_same_index_and_a_plan_of_its_own(declared):
    run("--quiet")
    index = (PLANS / "index.yaml").read_text()
    assert {path.name for path in PLANS.iterdir()} == {"smoke", "reduced", "cifar10", "paper", "index.yaml"}
    for scale in ("smoke", "paper"):
        run("--quiet", "--scale", scale)
        assert (PLANS / "index.yaml").read_text() == index


def test_the_summary_counts_cells_and_distinct_runs(declared, capsys):
    run(*SCALE_SMOKE)
    line = capsys.readouterr().out.split("; changed")[0]
    assert line == (
        "smoke: 3 exhibits; gradients 2 cells, 2 runs; linear_eval 5 cells, 4 runs; pretrain 5 cells, 4 runs"
    )


def test_quiet_prints_nothing(declared, capsys):
    run(*SCALE_SMOKE, "--quiet")
    assert capsys.readouterr() == ("", "")


def test_code_and_data_sets_are_written_for_the_engines(declared):
    run(*SCALE_SMOKE, "--quiet", "--results", "elsewhere")
    code = Path("elsewhere/code")
    assert (code / "datasets-smoke").read_text() == "cifar10_subset\n"
    stages = {"prepare", "pretrain", "supervised", "linear_eval", "gradients", "operators"}
    assert {path.name for path in code.iterdir()} == {*stages, "datasets-smoke"}
    for stage in stages:
        assert (code / stage).read_text() == accepted_code(stage) + "\n"
    assert not Path("results").exists()


def test_a_change_of_one_stages_code_touches_one_file(declared, monkeypatch):
    run(*SCALE_SMOKE, "--quiet")
    before = age()
    monkeypatch.setattr(plan, "accepted_code", lambda s: "changed" if s == "gradients" else accepted_code(s))
    run(*SCALE_SMOKE, "--quiet")
    after = times()
    assert {path for path in after if after[path] != before[path]} == {"results/code/gradients"}


def test_a_stage_that_opens_a_chain_and_evaluates_one_is_refused(declared, capsys):
    alone = ONE.replace("{temperature: nt_xent.temperature}", "{}").replace("{temperature: [0.5]}", "{}")
    alone = alone.replace("[pretrain, linear_eval]", "[linear_eval]")
    tiny.declare_only(declared, {"table_05": TEMPERATURES, "figure_08": alone})
    with pytest.raises(UserError, match="linear_eval both opens a chain and evaluates one"):
        plan.index_of(planning.all_plans("smoke"))
    assert plan.main(SCALE_SMOKE) == 2
    assert "params/exhibits" in capsys.readouterr().err and not (PLANS / "index.yaml").exists()


def test_an_unknown_scale_gets_the_nearest_one(declared, capsys):
    assert plan.main(["--scale", "smok"]) == 2
    assert "did you mean `smoke`?" in capsys.readouterr().err
    assert not PLANS.exists()
