"""`python -m stages plan`: files that change only when their content does, and an index for both engines."""

import os
import re
from pathlib import Path

import pytest

from common import files, scales
from common.errors import UserError
from reports.reading.folders import Folders
from stages import plan
from stages.planning import code_hashes, cost, declaration, fingerprint, plans, searches
from stages.running import pace, store, sweeps
from tests.stages import tiny

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
FOLDERS = Folders()


@pytest.fixture
def declared(project) -> Path:
    """Three exhibits: the cell of figure_08 is also one of table_05's four."""
    tiny.declare_only(project, {"table_05": TEMPERATURES, "figure_08": ONE, "table_02": tiny.TWO_GRADIENTS})
    return project


def run(*words: str) -> None:
    assert plan.main([*words]) == 0


def times() -> dict[str, int]:
    """When each file that the command writes was last written, but for the stamp, which remembers these times."""
    written = [path for folder in (PLANS, Path("results")) for path in folder.rglob("*") if path.is_file()]
    written = [path for path in written if path.suffix != ".stamp"]
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
    code = len(searches.stages_with_runs()) + len(
        ("prepare", "collect", "datasets", "judging", "page", "runs")
    )
    assert len(before) == 3 + 1 + 3 + code  # plans, index, code of drawings and of the rest
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
    assert {path for path in after if after[path] != before[path]} == {
        "params/plan/smoke/table_02.yaml",
        "results/smoke/work.json",
    }
    assert capsys.readouterr().out.strip().endswith("  changed: table_02")
    tiny.retune(declared, "pretrain")
    run(*SCALE_SMOKE)
    assert capsys.readouterr().out.strip().endswith("  changed: figure_08, table_05")


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
        assert plans.read_plan(name, "smoke").stages
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
    index = files.read_yaml(PLANS / "index.yaml")
    assert {stage: sweeps for stage, sweeps in index.pop("sweeps").items() if sweeps} == {
        "gradients": ["table_02"],
        "linear_eval": ["figure_08", "table_05"],
        "pretrain": ["figure_08", "table_05"],
    }
    assert index == {
        "exhibits": ["figure_08", "table_02", "table_05"],
        "opens": ["gradients", "pretrain"],
        "searches": {"transfer": "transfer_search"},
    }


def test_a_stage_that_one_scale_leaves_out_is_an_empty_sweep_there(declared, edit):
    """Both engines have one graph for all scales."""
    path = "params/exhibits/table_05.yaml"
    extra = "{thinned: no labels, runs: [{chain: [supervised], grid: {}, label: {temperature: none}}]}"
    edit(path, "reduced: {}", f"reduced: {extra}")
    run("--quiet")
    assert "table_05" in files.read_yaml(PLANS / "index.yaml")["sweeps"]["supervised"]
    resolved = plans.read_plan("table_05", "smoke")
    assert (
        resolved.runs("supervised") == []
        and len(plans.read_plan("table_05", "reduced").runs("supervised")) == 2
    )
    assert sweeps.bring([sweeps.Sweep(resolved, "supervised")], Path("results"), 1, "supervised") == 0
    assert files.read_json(resolved.index_path(Path("results"), "supervised")) == {}


def test_every_scale_has_the_same_index_and_a_plan_of_its_own(declared):
    run("--quiet")
    index = (PLANS / "index.yaml").read_text()
    assert {path.name for path in PLANS.iterdir()} == {*scales.names(), "index.yaml"}
    for scale in ("smoke", "paper"):
        run("--quiet", "--scale", scale)
        assert (PLANS / "index.yaml").read_text() == index


def test_the_summary_counts_cells_and_distinct_runs(declared, capsys):
    """Table 5's temperature 0.5 is the default that Figure 8 trains too."""
    run(*SCALE_SMOKE)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        "smoke: 3 exhibits",
        "  gradients: 2 runs for 2 cells",
        "  linear_eval: 4 runs for 5 cells",
        "  pretrain: 4 runs for 5 cells",
    ]
    assert lines[4].startswith("  sharing: 4 trainings; one for each cell would be 5 (20% saved)")


def test_every_exhibit_has_a_pipeline_of_its_own_for_dvc(declared):
    run(*SCALE_SMOKE)
    found = files.read_yaml("workflows/dvc.yaml")
    assert list(found["stages"]) == files.read_yaml(PLANS / "index.yaml")["exhibits"]
    words = [word for stage in found["stages"].values() for line in stage["cmd"] for word in line.split()]
    assert all(re.fullmatch(r"[a-z][a-z_.]*|--exhibit|-m|(figure|table)_[a-z]?\d+", word) for word in words)


@pytest.mark.parametrize("name", ["figure_08", "table_02", "table_05"])
def test_for_dvc_it_depends_on_all_that_its_drawing_says_it_was_made_from(declared, name):
    """Else a new value of the paper, or a line of code, leaves the drawing as it was."""
    run(*SCALE_SMOKE)
    alone = files.read_yaml("workflows/dvc.yaml")["stages"][name]
    deps = {Path(path.replace("${scale}", "smoke")) for path in alone["deps"]}
    made_here = {Path("results/smoke/tidy", name), Path("results/smoke/judged")}  # by its own commands
    inputs = [FOLDERS.judged(name, "smoke"), *FOLDERS.inputs(name, "smoke")]
    inputs += [Path("reports/drawing/style.mplstyle"), Path("reports/templates/table.html.j2")]
    assert len(inputs) > 8
    assert not [path for path in inputs if not {path, *path.parents} & (deps | made_here)]
    code = {f"results/smoke/code/{part}" for part in ("stages", "collect", "judging", f"drawing/{name}")}
    assert code <= {path.as_posix() for path in deps}
    (left,) = alone["outs"]
    assert list(left) == [f"results/${{scale}}/receipts/drawn/{name}.json"]


def test_an_exhibit_of_ones_own_waits_for_no_value_of_the_paper(declared):
    Path("params/paper/table_02.csv").unlink()
    run(*SCALE_SMOKE)
    found = files.read_yaml("workflows/dvc.yaml")["stages"]
    assert "params/paper/table_02.csv" not in found["table_02"]["deps"]
    assert "params/paper/table_05.csv" in found["table_05"]["deps"]


def test_the_cost_is_that_of_distinct_runs_and_hours_need_a_measurement(declared, capsys):
    run(*SCALE_SMOKE, "--cost")
    every = plans.all_plans("smoke")
    pretrainings = {run.fingerprint: run for each in every for run in each.runs("pretrain")}.values()
    images = sum(2 * 2000 * each.bindings["Pretraining.epochs"] for each in pretrainings)
    assert cost.total(pretrainings).images == images
    assert "hours: not known, because no run has finished here yet" in capsys.readouterr().out
    measured = next(iter(pretrainings))
    tiny.seal(measured, {"top1": 1.0})
    record = store.store_folder(Path("results"), measured) / "record.json"
    files.write_json(record, {"seconds": 2.0})
    assert pace.pace_of("smoke", Path("results")).seconds_per_flop == 2 / cost.cost_of(measured).flops
    run("--scale", "paper", "--cost")
    assert "at the median pace measured here at scale smoke" in capsys.readouterr().out


def test_quiet_prints_nothing(declared, capsys):
    run(*SCALE_SMOKE, "--quiet")
    assert capsys.readouterr() == ("", "")


def test_code_and_data_sets_are_written_for_the_engines(declared):
    run(*SCALE_SMOKE, "--quiet", "--results", "elsewhere")
    code = Path("elsewhere/smoke/code")
    assert (code / "datasets").read_text() == "cifar10_subset\n"
    others = {"prepare", "collect", "datasets", "judging", "page"}
    assert {path.name for path in code.iterdir()} == {*others, "stages", "drawing"}
    assert {path.name for path in (code / "stages").iterdir()} == set(searches.stages_with_runs())
    for tool in ("prepare", "collect"):
        assert (code / tool).read_text() == code_hashes.tool_hash(tool) + "\n"
    for stage in searches.stages_with_runs():
        runs = [run for each in plans.all_plans("smoke") for run in each.runs(stage)]
        reads = {f"{run.dataset} {fingerprint.data_hash(run.dataset)}" for run in runs if run.dataset}
        expected = [*sorted({run.code for run in runs}), *sorted(reads)]
        assert (code / "stages" / stage).read_text() == "\n".join(expected) + "\n"
    assert {path.name for path in (code / "drawing").iterdir()} == set(declaration.exhibit_ids())
    assert not Path("results").exists()


def test_the_code_of_what_is_no_longer_declared_goes(declared):
    run(*SCALE_SMOKE, "--quiet")
    stale = Path("results/smoke/code/drawing/figure_99")
    stale.write_text("0\n")
    run(*SCALE_SMOKE, "--quiet")
    assert not stale.exists()


def test_a_change_of_one_stages_code_touches_one_file(declared, monkeypatch):
    run(*SCALE_SMOKE, "--quiet")
    before = age()
    monkeypatch.setattr(plan, "accepted_code", lambda s, code: "changed" if s == "gradients" else code)
    run(*SCALE_SMOKE, "--quiet")
    after = times()
    assert {path for path in after if after[path] != before[path]} == {"results/smoke/code/stages/gradients"}


def test_the_layouts_that_a_scale_lists_are_code_of_prepare(monkeypatch, tmp_path):
    monkeypatch.setattr(plan, "tool_hash", lambda *words: " ".join(words))
    every = [each for each in plans.all_plans("paper") if each.exhibit == "table_05"]
    plan.write_code("paper", every, tmp_path)
    assert (tmp_path / "paper/code/prepare").read_text() == "prepare stages.obtaining.layouts.imagenet\n"


def test_a_stage_that_opens_a_chain_and_evaluates_one_is_refused(declared, capsys):
    alone = ONE.replace("{temperature: nt_xent.temperature}", "{}").replace("{temperature: [0.5]}", "{}")
    alone = alone.replace("[pretrain, linear_eval]", "[linear_eval]")
    tiny.declare_only(declared, {"table_05": TEMPERATURES, "figure_08": alone})
    with pytest.raises(UserError, match="linear_eval both opens a chain and evaluates one"):
        plan.index_of(plans.all_plans("smoke"))
    assert plan.main(SCALE_SMOKE) == 2
    assert "params/exhibits" in capsys.readouterr().err and not (PLANS / "index.yaml").exists()


def test_an_unknown_scale_gets_the_nearest_one(declared, capsys):
    assert plan.main(["--scale", "smok"]) == 2
    assert "did you mean `smoke`?" in capsys.readouterr().err
    assert not PLANS.exists()
