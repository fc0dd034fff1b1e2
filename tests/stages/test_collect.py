"""Collecting: the exact table, every missing run by name, and nothing that the plan does not describe."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from common import files, seals
from common.errors import UserError
from stages import collect, linear_eval, pretrain, supervised  # noqa: F401 (gin then knows their names)
from stages.planning import plans
from stages.planning.code_hashes import code_hash
from stages.running import store
from stages.running.finished import CAUSE, in_evidence
from stages.running.job import Job
from tests.stages import tiny

EXHIBIT = """\
knobs:
  l2_norm:
    "yes, always": {nt_xent.l2_normalize: true}
    'no "never"': {nt_xent.l2_normalize: false}
  temperature: nt_xent.temperature
runs:
  - chain: [pretrain, linear_eval]
    label: {method: SimCLR}
    grid: {l2_norm: ["yes, always", 'no "never"'], temperature: [0.05, 1.0]}
  - chain: [supervised]
    label: {method: Supervisé}
    grid: {}
measure: [pretrain.entropy, linear_eval.top1, supervised.top1]
seeds: [0, 3]
"""
EXACT = """\
method,l2_norm,temperature,seed,metric,value,run
SimCLR,"yes, always",0.05,0,entropy,0.1,part1-l2_norm1-temperature1-seed0
SimCLR,"yes, always",0.05,0,top1,50.1,part1-l2_norm1-temperature1-seed0
SimCLR,"yes, always",0.05,3,entropy,0.30000000000000004,part1-l2_norm1-temperature1-seed3
SimCLR,"yes, always",0.05,3,top1,51.1,part1-l2_norm1-temperature1-seed3
SimCLR,"yes, always",1.0,0,entropy,2.1,part1-l2_norm1-temperature2-seed0
SimCLR,"yes, always",1.0,0,top1,52.1,part1-l2_norm1-temperature2-seed0
SimCLR,"yes, always",1.0,3,entropy,3.1,part1-l2_norm1-temperature2-seed3
SimCLR,"yes, always",1.0,3,top1,53.1,part1-l2_norm1-temperature2-seed3
SimCLR,"no ""never""\",0.05,0,entropy,4.1,part1-l2_norm2-temperature1-seed0
SimCLR,"no ""never""\",0.05,0,top1,54.1,part1-l2_norm2-temperature1-seed0
SimCLR,"no ""never""\",0.05,3,entropy,5.1,part1-l2_norm2-temperature1-seed3
SimCLR,"no ""never""\",0.05,3,top1,55.1,part1-l2_norm2-temperature1-seed3
SimCLR,"no ""never""\",1.0,0,entropy,6.1,part1-l2_norm2-temperature2-seed0
SimCLR,"no ""never""\",1.0,0,top1,56.1,part1-l2_norm2-temperature2-seed0
SimCLR,"no ""never""\",1.0,3,entropy,7.1,part1-l2_norm2-temperature2-seed3
SimCLR,"no ""never""\",1.0,3,top1,57.1,part1-l2_norm2-temperature2-seed3
Supervisé,,,0,top1,58.0,part2-seed0
Supervisé,,,3,top1,59.0,part2-seed3
"""
SPLITS = """\
knobs: {split: linear_eval/evaluate.split}
runs:
  - chain: [pretrain, linear_eval]
    grid: {split: [validation, test]}
measure: [linear_eval.top1]
seeds: [0]
"""
PICTURES = """\
knobs: {copies: illustration.copies}
runs:
  - chain: [operators]
    grid: {copies: [1, 2]}
measure: [operators.mean_abs_change]
seeds: [0]
"""
TIDY = tiny.RESULTS / "smoke" / "tidy" / "table_05"
EVIDENCE = Path("reports/evidence/smoke/table_05")


@pytest.fixture
def plan(project) -> plans.Plan:
    """Ten cells, every run of them finished."""
    return finished(project, EXHIBIT)


def finished(project, exhibit: str, stages: tuple[str, ...] = ()) -> plans.Plan:
    """The plan of this exhibit, with all runs of `stages` (none named: all stages) finished and linked."""
    tiny.declare_only(project, {"table_05": exhibit})
    plan = plans.resolve("table_05", "smoke")
    plans.write_plan(plan)
    for stage in stages or plan.stages:
        for number, run in enumerate(plan.runs(stage)):
            if not store.store_folder(tiny.RESULTS, run).exists():
                tiny.seal(run, measured(stage, number), pictures(stage, number))
        tiny.sweep(plan, stage)
    return plan


def measured(stage: str, number: int) -> dict[str, float]:
    if stage == "pretrain":
        return {"entropy": 0.1 + 0.2 if number == 1 else number + 0.1, "loss": 1.0}
    return {
        "top1": {"linear_eval": 50.1, "supervised": 58.0}.get(stage, 0.0) + number,
        "mean_abs_change": 1.5,
    }


def pictures(stage: str, number: int) -> dict[str, np.ndarray] | None:
    return {"image": np.full((2, 2, 3), number, np.uint8)} if stage == "operators" else None


def rows() -> list[str]:
    return (TIDY / "rows.csv").read_text().splitlines()


def provenance() -> dict:
    return files.read_json(TIDY / "provenance.json")


def test_the_table_is_exact(plan):
    collect.collect(plan, tiny.RESULTS)
    assert (TIDY / "rows.csv").read_bytes().decode() == EXACT


def test_a_number_comes_back_from_the_table_to_the_bit(plan):
    import csv

    collect.collect(plan, tiny.RESULTS)
    with open(TIDY / "rows.csv", newline="") as file:
        found = {(row["run"], row["metric"]): row for row in csv.DictReader(file)}
    assert len(found) == 18
    assert float(found["part1-l2_norm1-temperature1-seed3", "entropy"]["value"]) == 0.1 + 0.2
    assert found["part1-l2_norm2-temperature1-seed0", "top1"]["l2_norm"] == 'no "never"'


def test_the_command_writes_the_tidy_folder_and_says_nothing(plan, capsys):
    assert collect.main(["--exhibit", "table_05", "--scale", "smoke"]) == 0
    assert {path.name for path in TIDY.iterdir()} == {"rows.csv", "curves.csv", "provenance.json"}
    assert capsys.readouterr() == ("", "")


def test_the_same_results_give_the_same_bytes(plan):
    collect.collect(plan, tiny.RESULTS)
    before = {path.name: path.read_bytes() for path in TIDY.iterdir()}
    collect.collect(plans.read_plan("table_05", "smoke"), tiny.RESULTS)
    assert {path.name: path.read_bytes() for path in TIDY.iterdir()} == before


def test_the_provenance_has_every_run_with_what_decided_it(plan):
    collect.collect(plan, tiny.RESULTS)
    found = provenance()
    assert (found["scale"], found["exhibit"], found["dataset"]) == ("smoke", "table_05", "cifar10_subset")
    assert found["missing"] == [] and found["versions"].keys() >= {"torch", "numpy", "python"}
    assert found["runs"].keys() == {f"{stage}/{run.id}" for stage in plan.stages for run in plan.runs(stage)}
    run = plan.runs("linear_eval")[2]
    cause = found["runs"][f"linear_eval/{run.id}"]
    assert cause.keys() == {*CAUSE, "adopted", "metrics", "machine"}
    assert seals.is_whole(found)
    assert found["files"] == {name: files.sha256_file(TIDY / name) for name in ("rows.csv", "curves.csv")}
    assert cause["fingerprint"] == run.fingerprint and cause["upstream"] == run.upstream.fingerprint
    assert cause["bindings"] == run.bindings and cause["code"] == code_hash("linear_eval")
    assert cause["seed"] == run.seed and cause["adopted"] is None


def test_versions_that_differ_between_runs_are_all_named(plan):
    folder = store.store_folder(tiny.RESULTS, plan.runs("supervised")[0])
    cause = files.read_json(folder / "run.json")
    changed = {**cause, "versions": {**cause["versions"], "torch": "0.1"}}
    files.write_json(folder / "run.json", seals.sealed(changed))
    collect.collect(plan, tiny.RESULTS)
    assert provenance()["versions"]["torch"] == f"0.1, {cause['versions']['torch']}"


def test_without_any_result_the_table_is_empty_and_every_run_is_missing(project):
    tiny.declare_only(project, {"table_05": EXHIBIT})
    plan = plans.resolve("table_05", "smoke")
    collect.collect(plan, tiny.RESULTS)
    assert rows() == ["method,l2_norm,temperature,seed,metric,value,run"]
    assert provenance()["missing"] == [
        f"{stage}/{run.id}" for stage in plan.stages for run in plan.runs(stage)
    ]
    assert provenance()["runs"] == {}


def test_a_stage_that_did_not_run_is_missing_and_the_others_are_shown(project):
    plan = finished(project, EXHIBIT, ("pretrain", "supervised"))
    collect.collect(plan, tiny.RESULTS)
    assert rows() == [row for row in EXACT.splitlines() if "SimCLR" not in row or "entropy" in row]
    assert provenance()["missing"] == [f"linear_eval/{run.id}" for run in plan.runs("linear_eval")]


def test_runs_that_an_edit_added_are_missing_until_they_are_done(project):
    finished(project, EXHIBIT.replace("seeds: [0, 3]", "seeds: [0]"))
    tiny.declare_only(project, {"table_05": EXHIBIT})
    collect.collect(plans.resolve("table_05", "smoke"), tiny.RESULTS)
    assert {row.split(",")[-1].rsplit("-", 1)[1] for row in rows()[1:]} == {"seed0"}
    cells = provenance()["missing_cells"]
    assert cells["part1-l2_norm2-temperature1"] == {
        "method": "SimCLR",
        "l2_norm": 'no "never"',
        "temperature": "0.05",
    }
    assert {row.split(",")[-1].rsplit("-", 1)[0] for row in rows()[1:]} == set(cells)
    missing = provenance()["missing"]
    assert len(missing) == 4 + 4 + 1 and all(name.endswith("-seed3") for name in missing)


def test_a_knob_of_a_later_stage_is_a_column(project):
    plan = finished(project, SPLITS)
    assert len({run.fingerprint for run in plan.runs("pretrain")}) == 1, "both cells share their pretraining"
    collect.collect(plan, tiny.RESULTS)
    assert rows() == [
        "split,seed,metric,value,run",
        "validation,0,top1,50.1,split1-seed0",
        "test,0,top1,51.1,split2-seed0",
    ]


def test_arrays_are_gathered_under_their_runs_and_leave_with_them(project):
    plan = finished(project, PICTURES)
    collect.collect(plan, tiny.RESULTS)
    arrays = files.read_npz(TIDY / "arrays.npz")
    assert arrays.keys() == {"copies1-seed0/image", "copies2-seed0/image"}
    assert (arrays["copies2-seed0/image"] == 1).all() and arrays["copies2-seed0/image"].shape == (2, 2, 3)
    collect.collect(finished(project, SPLITS), tiny.RESULTS)
    assert not (TIDY / "arrays.npz").exists()


def test_a_result_of_an_older_plan_is_refused_with_the_remedy(plan, project):
    tiny.retune(project, "supervised")
    now = plans.resolve("table_05", "smoke")
    with pytest.raises(UserError, match="belongs to another plan or to other code") as caught:
        collect.collect(now, tiny.RESULTS)
    text = str(caught.value)
    assert now.runs("supervised")[0].fingerprint in text and plan.runs("supervised")[0].fingerprint in text
    assert "python -m stages supervised --scale smoke --sweep table_05" in text
    assert "supervised/table_05" in text and not TIDY.exists()


def test_an_out_of_date_plan_file_is_refused(plan, project, capsys):
    tiny.retune(project, "supervised")
    assert collect.main(["--exhibit", "table_05", "--scale", "smoke"]) == 2
    assert "the plan is out of date" in capsys.readouterr().err


def test_a_damaged_run_is_refused(plan):
    folder = store.store_folder(tiny.RESULTS, plan.runs("linear_eval")[1])
    files.write_json(folder / "metrics.json", {"top1": 99.9})
    with pytest.raises(UserError, match="a finished run is damaged") as caught:
        collect.collect(plan, tiny.RESULTS)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("measure", ["linear_eval.top_1", "linear_evl.top1", "linear_eval.top_1|map_11"])
def test_a_measure_that_no_run_has_is_refused(project, measure):
    """It would be an exhibit without numbers and without a missing run."""
    with pytest.raises(UserError, match="top"):
        collect.collect(finished(project, SPLITS.replace("linear_eval.top1", measure)), tiny.RESULTS)


def test_a_measure_that_only_a_missing_run_has_is_no_mistake(project):
    plan = finished(project, SPLITS.replace("linear_eval.top1", "linear_eval.top1, linear_eval.knn_top1"))
    lost = plan.runs("linear_eval")[0]
    for folder in (lost.folder(tiny.RESULTS), store.store_folder(tiny.RESULTS, lost)):
        shutil.rmtree(folder)
    collect.collect(plan, tiny.RESULTS)
    assert provenance()["missing"] == [f"linear_eval/{lost.id}"]


def test_a_run_that_diverged_is_told_by_its_step_and_has_no_other_number(project):
    tiny.declare_only(project, {"table_05": EXHIBIT})
    plan = plans.resolve("table_05", "smoke")
    upstream, run = plan.runs("pretrain")[0], plan.runs("linear_eval")[0]
    told = {"stage": "pretrain", "step": 7, "last_finite_loss": 3.5}
    for each in (upstream, run):
        Job(each, tiny.RESULTS).finish({}, diverged=told)
    collect.collect(plan, tiny.RESULTS)
    assert rows()[1:] == [f'SimCLR,"yes, always",0.05,0,diverged,7.0,{run.id}']
    assert provenance()["diverged"] == {f"pretrain/{run.id}": told, f"linear_eval/{run.id}": told}


def test_curves_are_gathered_thinned_to_what_can_be_drawn(project):
    tiny.declare_only(project, {"table_05": EXHIBIT})
    plan = plans.resolve("table_05", "smoke")
    job = Job(plan.runs("supervised")[0], tiny.RESULTS)
    job.save_curve([{"epoch": n, "loss": 1 / n, "lr": 0.1} for n in range(1, 251)])
    job.finish({"top1": 50.0})
    collect.collect(plan, tiny.RESULTS)
    lines = (TIDY / "curves.csv").read_text().splitlines()
    assert lines[0] == "run,epoch,metric,value" and len(lines) == 1 + 84
    assert lines[-1] == f"supervised/{job.run.id},250,loss,0.004"


def test_committed_evidence_stands_for_runs_that_are_not_here(plan, project):
    collect.collect(plan, tiny.RESULTS)
    before = {path.name: path.read_bytes() for path in TIDY.iterdir()}
    shutil.copytree(TIDY, project / "reports" / "evidence" / "smoke" / "table_05")
    shutil.rmtree(project / tiny.RESULTS)
    tiny.forget_evidence()
    collect.collect(plan, tiny.RESULTS)
    assert rows() == before["rows.csv"].decode().splitlines() and provenance()["missing"] == []
    assert provenance() == files.read_json(project / EVIDENCE / "provenance.json"), "costs too"
    path = project / "reports" / "evidence" / "smoke" / "table_05" / "provenance.json"
    path.write_text(path.read_text().replace("50.1", "90.1"))
    tiny.forget_evidence()
    with pytest.raises(UserError, match="changed after it was written"):
        collect.collect(plan, tiny.RESULTS)


def test_of_alternative_measures_a_run_gives_what_it_has(project):
    """Data sets have metrics of their own: a transfer is measured by one of three."""
    collect.collect(
        finished(project, SPLITS.replace("linear_eval.top1", "linear_eval.map11|top1")), tiny.RESULTS
    )
    rows = (TIDY / "rows.csv").read_text().splitlines()[1:]
    assert [row.split(",")[2] for row in rows] == ["top1", "top1"]


def test_curves_of_committed_evidence_stay(project):
    tiny.declare_only(project, {"table_05": EXHIBIT})
    plan = plans.resolve("table_05", "smoke")
    job = Job(plan.runs("supervised")[0], tiny.RESULTS)
    job.save_curve([{"epoch": n, "loss": 1 / n, "top1": 50 + n} for n in range(1, 251)])
    job.finish({"top1": 50.0})
    collect.collect(plan, tiny.RESULTS)
    before = (TIDY / "curves.csv").read_text()
    assert before.count("\n") == 1 + 2 * 84
    shutil.copytree(TIDY, project / EVIDENCE)
    shutil.rmtree(project / tiny.RESULTS)
    tiny.forget_evidence()
    collect.collect(plan, tiny.RESULTS)
    assert (TIDY / "curves.csv").read_text() == before


@pytest.mark.parametrize(
    "harm", [lambda path: path.write_text("run,epoch,metric,value\na,1,loss,2\n"), Path.unlink]
)
def test_committed_curves_that_are_not_those_of_their_account_are_refused(plan, project, harm):
    collect.collect(plan, tiny.RESULTS)
    shutil.copytree(TIDY, project / EVIDENCE)
    shutil.rmtree(project / tiny.RESULTS)
    tiny.forget_evidence()
    harm(project / EVIDENCE / "curves.csv")
    with pytest.raises(UserError, match="committed evidence is damaged"):
        collect.collect(plan, tiny.RESULTS)


def test_committed_evidence_stands_before_what_an_older_declaration_left_in_the_sweep(plan, project):
    """Its run of the same name belongs to other numbers; making it again would be refused as known."""
    collect.collect(plan, tiny.RESULTS)
    shutil.copytree(TIDY, project / EVIDENCE)
    known = rows()
    shutil.rmtree(project / tiny.RESULTS)
    older = finished(project, EXHIBIT.replace("0.05", "0.07"))
    shutil.rmtree(project / tiny.RESULTS / "smoke" / "store")
    tiny.declare_only(project, {"table_05": EXHIBIT})
    tiny.forget_evidence()
    assert older.runs("pretrain")[0].folder(tiny.RESULTS).is_dir()
    collect.collect(plan, tiny.RESULTS)
    assert rows() == known


def test_what_a_scale_shares_with_its_parent_is_known_by_the_parent_s_evidence(plan, project):
    """The same bindings, data and seed are the same run, whatever the scale is called."""
    collect.collect(plan, tiny.RESULTS)
    shutil.copytree(TIDY, project / EVIDENCE)
    lab = "about: The parent under another name.\nparent: smoke\n"
    for declared, known in ((lab, 0), (f"{lab}exhibits: {{table_05: {{seeds: [0, 3]}}}}\n", 18)):
        files.write_text("params/scales/lab.yaml", declared)
        tiny.forget_evidence()
        mine = plans.resolve("table_05", "lab")
        found = [in_evidence(run) for stage in mine.stages for run in mine.runs(stage)]
        assert (len(found), sum(map(bool, found))) == (18, known), "only exhibits that it declares itself"


def test_pictures_in_evidence_belong_to_the_run_that_left_them(project):
    """A training that two cells share stands in the evidence beside what the first of them left."""
    tiny.declare_only(project, {"table_05": SPLITS})
    plan = plans.resolve("table_05", "smoke")
    plans.write_plan(plan)
    (trained,) = {run.fingerprint: run for run in plan.runs("pretrain")}.values()
    tiny.seal(trained, {"loss": 1.0})
    for number, run in enumerate(plan.runs("linear_eval")):
        tiny.seal(run, {"top1": 50.0 + number}, {"picture": np.full((2, 2, 3), number, np.uint8)})
    for stage in plan.stages:
        tiny.sweep(plan, stage)
    collect.collect(plan, tiny.RESULTS)
    before = files.read_npz(TIDY / "arrays.npz")
    shutil.copytree(TIDY, project / EVIDENCE)
    shutil.rmtree(project / tiny.RESULTS)
    tiny.forget_evidence()
    assert all(not in_evidence(run).arrays for run in plan.runs("pretrain"))
    collect.collect(plan, tiny.RESULTS)
    after = files.read_npz(TIDY / "arrays.npz")
    assert {name: array.tolist() for name, array in before.items()} == {
        name: array.tolist() for name, array in after.items()
    }


def test_a_knob_that_a_scale_leaves_out_is_an_empty_column(project):
    """The reports look for every knob that the exhibit declares."""
    fewer = EXHIBIT.replace("""l2_norm: ["yes, always", 'no "never"'], """, "")
    collect.collect(finished(project, fewer), tiny.RESULTS)
    assert rows()[0] == "method,temperature,l2_norm,seed,metric,value,run"
    assert rows()[1].startswith("SimCLR,0.05,,0,entropy,")
