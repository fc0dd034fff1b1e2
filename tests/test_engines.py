"""Both engines, end to end, on a copy of this repository with few and short runs.

One file, one worker, one order: each test goes on where the one before it stopped, as a user's day does.
"""

import json
import re
import subprocess
import sys

import pytest

from stages.running.store import RECORD, RUN
from tests.bench import stand_ins
from tests.small_copy import ROOT, TABLE_05, Clone, commit_all, copy_tree, ran, shorten_training

KEPT = ("figure_06", "figure_08", "table_02", "table_05")
pytestmark = pytest.mark.slow


def shorten(clone: Clone) -> None:
    """Fewer runs, and shorter ones."""
    clone.edit(TABLE_05, "    - 0.05\n    - 0.1\n    - 0.5\n    - 1.0\n", "    - 0.1\n    - 0.5\n")
    clone.edit(TABLE_05, "    - 10.0\n    - 100.0\n", "    - 10.0\n")
    clone.edit("params/exhibits/figure_08.yaml", "- 8\n        - 32\n        - 64\n", "- 32\n")
    clone.edit("params/exhibits/figure_06.yaml", "    - 229\n    - 506\n", "    - 229\n")
    clone.edit("params/recipes/gradients_smoke.gin", "cases = 64", "cases = 2")
    shorten_training(clone)


@pytest.fixture(scope="module")
def clones(tmp_path_factory):
    """(for Snakemake, for DVC): two equal clones, committed."""
    made = []
    for name, engine in (
        ("snakemake", ["snakemake", "--cores", "2", "reports"]),
        ("dvc", ["dvc", "repro"]),
    ):
        folder = tmp_path_factory.mktemp(name) / "clone"
        copy_tree(folder, KEPT)
        clone = Clone(folder, engine)
        shorten(clone)
        commit_all(clone)
        made.append(clone)
    return made


def test_from_scratch_both_engines_leave_the_same_bytes_and_train_equal_runs_once(clones):
    outputs = [clone.reports() for clone in clones]
    snakemake, dvc = (clone.products() for clone in clones)
    assert sorted(snakemake) == sorted(dvc) and "index.html" in snakemake and "figure_08.svg" in snakemake
    assert [name for name in snakemake if snakemake[name] != dvc[name]] == []
    for output in outputs:
        trained = [
            int(done.split()[0]) for sweep, done in ran(output).items() if sweep.startswith("pretrain")
        ]
        assert sum(trained) == 5  # six cells: the default stands in Figure 8 and in Table 5
    metrics = [(clone.folder / "reports/metrics/smoke.json").read_bytes() for clone in clones]
    assert metrics[0] == metrics[1] and "table_05" in json.loads(metrics[0])


def test_the_benchmark_stands_in_for_runs_with_as_many_files_as_they_leave(clones):
    store = clones[0].folder / "results" / "smoke" / "store"
    runs = [folder for folder in store.glob("*/*") if folder.is_dir()]
    assert {folder.parent.name for folder in runs} >= {"pretrain", "linear_eval", "operators", "gradients"}
    for run in runs:
        left = {path.name for path in run.iterdir()} - {RUN, RECORD}
        assert left == set(stand_ins.written_by(run.parent.name)), run


def test_the_second_time_neither_does_anything(clones):
    snakemake, dvc = clones
    assert "Nothing to be done" in snakemake.reports()
    assert "up to date" in dvc.reports()


def test_a_data_set_that_has_come_is_prepared_by_the_next_call(clones):
    """Of one that was missing nobody has noted what lay there: it is tried once more."""
    for clone, engine in zip(
        clones, (clones[0].engine, [sys.executable, "-m", "stages", "repro"]), strict=True
    ):
        manifest = clone.folder / "results/smoke/data/manifest.json"
        whole = manifest.read_bytes()
        manifest.write_text('{"missing": ["cifar10_subset"], "prepared": {}}')
        output = clone.run(*engine)
        assert "cifar10_subset: already prepared" in output and not ran(output)
        assert manifest.read_bytes() == whole
    test_the_second_time_neither_does_anything(clones)


def test_each_engine_takes_over_the_others_results(clones):
    snakemake, dvc = clones
    snakemake.run("dvc", "commit", "-f")
    assert "up to date" in snakemake.run("dvc", "status")
    assert not ran(snakemake.run("dvc", "repro"))
    dvc.run("snakemake", "--cores", "1", "--touch", "reports")
    assert "Nothing to be done" in dvc.run("snakemake", "--cores", "1", "reports")
    for clone in clones:
        clone.commit()


@pytest.mark.parametrize("which", [0, 1], ids=["snakemake", "dvc"])
def test_one_edited_temperature_reruns_one_run_its_evaluation_and_its_exhibit(clones, which):
    clone = clones[which]
    before = clone.products()
    clone.edit(TABLE_05, "    - 0.1\n", "    - 0.2\n")
    output = clone.reports()
    assert ran(output) == {"pretrain table_05": "1 of 3", "linear_eval table_05": "1 of 3"}
    after = clone.products()
    changed = {re.split(r"\.|_curves", name)[0] for name in after if after[name] != before[name]}
    assert changed == {"table_05", "index", "verdicts"}  # claims about 0.1 are not run any more
    lines = [line for line in clone.run("dvc", "params", "diff").splitlines() if "params/plan" in line]
    assert len(lines) == 1 and "nt_xent.temperature" in lines[0] and re.search(r"0\.1\s+0\.2$", lines[0])
    moved = clone.run("dvc", "metrics", "diff")
    assert "table_05.part1-l2_norm1-temperature1.top1" in moved and "figure_08" not in moved


def test_after_the_edit_both_still_have_the_same_bytes(clones):
    assert clones[0].products() == clones[1].products()


@pytest.mark.parametrize("which", [0, 1], ids=["snakemake", "dvc"])
def test_a_comment_retrains_nothing_and_taking_an_edit_back_neither(clones, which):
    clone = clones[which]
    clone.edit(TABLE_05, "    - 0.2\n", "    - 0.1\n")
    path = clone.folder / "simclr" / "lars.py"
    path.write_text(path.read_text() + "\n# a remark\n")
    assert not ran(clone.reports())


@pytest.mark.parametrize("which", [0, 1], ids=["snakemake", "dvc"])
def test_a_line_of_method_code_retrains_unless_the_user_says_that_results_stay_valid(clones, which):
    clone = clones[which]
    clone.commit()
    path = clone.folder / "simclr" / "lars.py"
    text = path.read_text()
    path.write_text(text + "\nUNUSED = 1\n")
    said = clone.run(sys.executable, "-m", "stages", "adopt", "--reason", "a constant that nobody reads")
    assert "pretrain: code" in said and "linear_eval" not in said
    assert not ran(clone.reports())
    assert "a constant that nobody reads" in (clone.folder / "reports/out/smoke/table_05.json").read_text()
    path.write_text(text + "\nUNUSED = 2\n")
    assert ran(clone.reports()).keys() >= {"pretrain table_05", "linear_eval table_05"}


@pytest.mark.parametrize("which", [0, 1], ids=["snakemake", "dvc"])
def test_one_exhibit_alone_does_its_own_runs_alone(clones, which):
    clone = clones[which]
    clone.commit()
    only = [["snakemake", "--cores", "2", "table_05"], ["dvc", "repro", "workflows/dvc.yaml:table_05"]][which]
    clone.edit(TABLE_05, "    - 0.1\n", "    - 0.4\n")
    clone.edit(
        "params/exhibits/figure_08.yaml", "- 32\n        representation:", "- 16\n        representation:"
    )
    before = clone.products()
    assert ran(clone.run(*only)) == {"pretrain table_05": "1 of 3", "linear_eval table_05": "1 of 3"}
    after = clone.products()
    changed = {re.split(r"\.|_curves", name)[0] for name in after if after[name] != before[name]}
    assert changed == {"table_05"}
    clone.edit("params/paper/table_05.csv", "yes,0.5,top1,6", "yes,0.5,top1,5")
    assert not ran(clone.run(*only))
    again = clone.products()
    assert {name.partition(".")[0] for name in again if again[name] != after[name]} == {"table_05"}
    rows = clone.folder / "stages/collecting/rows.py"
    rows.write_text(rows.read_text() + "\nUNUSED = 1\n")
    assert ["(Rule: table_05)", "stages collect --exhibit table_05"][which] in clone.run(*only)
    assert ("Nothing to be done" if which == 0 else "up to date") in clone.run(*only)
    clone.run("git", "checkout", "--", "params/exhibits", "params/paper", "stages")
    assert not ran(clone.reports())


def test_an_experiment_on_a_parameter_is_one_line_and_one_run(clones):
    dvc = clones[1]
    dvc.commit()
    output = dvc.run("dvc", "exp", "run", "-S", f"{TABLE_05}:runs.0.grid.temperature.0=0.3")
    assert ran(output) == {"pretrain table_05": "1 of 3", "linear_eval table_05": "1 of 3"}
    changed = dvc.run("git", "diff", "--numstat", "--", "params/exhibits").split()
    assert changed == ["1", "1", TABLE_05]


def test_a_broken_declaration_stops_both_before_anything_runs(clones):
    for clone in clones:
        clone.edit("params/recipes/pretrain_smoke.gin", "Lars.momentum", "Lars.momentun")
        output = clone.run(*clone.engine, check=False)
        assert "did you mean `momentum`?" in output and "Traceback" not in output and not ran(output)


def test_a_newcomer_is_told_which_python_is_needed(tmp_path):
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\ncase "$1" in -c) exit 1;; *) echo Python 3.9.1;; esac\n')
    old.chmod(0o755)
    done = subprocess.run(
        ["make", f"PYTHON={old}", "INSTALLED=nothing", "install"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode != 0 and "Python 3.11 or newer is needed; found Python 3.9.1" in done.stderr
