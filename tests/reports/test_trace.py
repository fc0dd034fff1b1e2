"""The command that leads from a number to its runs, and what it says of runs that there are not."""

import json
import shlex
import subprocess
import sys

import pytest

from common.run_records import COLUMNS, RECORDS
from reports import trace
from reports.reading.lineage import Tried
from tests.reports.conftest import flat


@pytest.fixture
def traced(lab):
    """trace(options): the lines that the command prints of Table 5, of two temperatures with two seeds each."""
    rows = [
        ["yes", tau, s, "top1", tau + s, f"t{n}-seed{s}"] for n, tau in enumerate((0.1, 0.5)) for s in (0, 1)
    ]
    lab.put("table_05", ["l2_norm", "temperature"], rows, missing=["pretrain/t2-seed0"])
    for row in rows:
        folder = lab.results / "smoke" / "pretrain" / "table_05" / row[-1]
        folder.mkdir(parents=True)
        git = {"commit": f"{row[-1]:0>40}", "patch_sha256": None}
        cost = {"seconds": 4.25, "images_per_second": 2537.5, "device": "cpu"}
        (folder / "record.json").write_text(json.dumps({"git": git} | cost))
        (folder / "run.json").write_text(json.dumps({"fingerprint": "f" * 24}))
    return lab


def options(lab, *more):
    places = lab.places("results", "params")
    return ["--scale=smoke", "--exhibit=table_05", *places, *more]


def test_the_command_prints_of_each_number_what_made_it(traced, capsys):
    trace.main(options(traced, "--cell", "temperature=0.10", "l2_norm=yes"))
    first, second = capsys.readouterr().out.split("l2 norm yes, temperature 0.1, seed ")[1:]
    folder = traced.results / "smoke" / "pretrain" / "table_05" / "t0-seed1"
    assert [line.split(maxsplit=1) for line in second.splitlines()] == [
        ["1"],
        ["top1", "1.1"],
        ["pretrain"],
        ["folder", str(folder)],
        ["parameters", f"{folder}/operative.gin"],
        ["commit", f"{'t0-seed1':0>40}"],
        ["cost", "4.25 s, 2537.5 images/s, cpu"],
        ["command", "python -m stages pretrain --scale smoke --sweep table_05 --run t0-seed1"],
    ]
    assert "t0-seed0" in first and "missing" not in second


@pytest.mark.parametrize(("run", "seeds"), [("t1", 2), ("t1-seed1", 1)])
def test_a_run_is_traced_by_its_name_with_its_seed_or_without(traced, capsys, run, seeds):
    trace.main(options(traced, "--run", run))
    said = capsys.readouterr().out
    assert said.count("temperature 0.5, seed") == seeds and "temperature 0.1" not in said


def test_without_a_choice_all_runs_and_the_missing_ones_are_traced(traced, capsys):
    trace.main(options(traced))
    said = capsys.readouterr().out
    assert said.count("  pretrain\n") == 4
    assert "missing: pretrain/t2-seed0\n" in said and said.rstrip().endswith("--run t2-seed0")


def test_changes_that_were_not_committed_and_a_lost_record_are_said(traced, capsys):
    folder = traced.results / "smoke" / "pretrain" / "table_05"
    (folder / "t0-seed0" / "record.json").unlink()
    edited = {"git": {"commit": "abc", "patch_sha256": "def"}, "seconds": 1.0, "images_per_second": None}
    (folder / "t0-seed1" / "record.json").write_text(json.dumps(edited))
    trace.main(options(traced, "--run", "t0"))
    said = capsys.readouterr().out
    assert "commit     not known: there is no record.json in this folder" in said
    assert "commit     abc, with uncommitted changes (their SHA-256: def)\n    cost       1.0 s\n" in said


def test_the_commit_of_another_run_in_the_folder_is_not_told(traced, capsys):
    """The numbers may be committed, and the folder hold what an older declaration made."""
    path = traced.results / "smoke" / "pretrain" / "table_05" / "t0-seed0" / "run.json"
    path.write_text(json.dumps({"fingerprint": "e" * 24}))
    trace.main(options(traced, "--run", "t0-seed0"))
    said = capsys.readouterr().out
    assert "commit     not known: another run lies in this folder" in said and "4.25 s" not in said


def test_a_cell_is_named_by_a_knob_that_it_does_not_have(lab, capsys):
    """As the message lists it: one of h, none."""
    rows = [["linear", "h", 0, "top1", 41, "a-seed0"], ["linear", "", 0, "top1", 40, "b-seed0"]]
    lab.put("figure_08", ("projection", "representation"), rows)
    words = ["--scale=smoke", "--exhibit=figure_08", *lab.places("results", "params")]
    assert trace.main([*words, "--cell", "representation=none"]) == 0
    said = capsys.readouterr().out
    assert "top1 40.0" in said and "top1 41.0" not in said


def test_commit_and_cost_of_a_run_that_is_not_here_are_those_that_were_committed(traced, capsys):
    folder = traced.results / "smoke" / "pretrain" / "table_05" / "t0-seed0"
    (folder / "record.json").unlink()
    place = traced.evidence / "smoke" / RECORDS
    place.parent.mkdir(parents=True)
    row = ["f" * 24, "pretrain", "2026-01-01", "4.5", "None", "1", "cpu", "AMD EPYC", "abc"]
    place.write_text("\n".join(map(",".join, [COLUMNS, row, ["e" * 24, *row[1:8], "def"]])) + "\n")
    trace.main(options(traced, "--run", "t0-seed0", *traced.places("evidence")))
    said = capsys.readouterr().out
    assert "commit     abc\n    cost       4.5 s, cpu\n" in said


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--run", "t7"], "expected one of 4 runs, such as t0-seed0"),
        (["--cell", "temperatur=0.1"], "temperatur=0.1 (did you mean `temperature`?)"),
        (["--cell", "temperature"], "expected --cell KNOB=VALUE"),
        (["--cell", "temperature=7"], "expected one of 0.1, 0.5 found 7"),
        (["--exhibit", "table_06"], "(did you mean `table_05`?)"),
        (["--scale", "smokey"], "(did you mean `smoke`?)"),
    ],
)
def test_what_cannot_be_traced_is_said(traced, capsys, more, message):
    assert trace.main(options(traced, *more)) == 2
    found = capsys.readouterr()
    assert message in flat(found.err) and found.out == ""


def test_a_broken_record_of_a_run_is_said(traced, capsys):
    (traced.results / "smoke" / "pretrain" / "table_05" / "t0-seed0" / "record.json").write_text("{")
    assert trace.main(options(traced)) == 2
    assert "a file is damaged" in capsys.readouterr().err


def test_a_reader_that_has_seen_enough_ends_it_quietly(traced):
    words = shlex.join([sys.executable, "-m", "reports.trace", *options(traced)])
    done = subprocess.run(f"{words} | true", shell=True, capture_output=True, text=True)
    assert done.stderr == ""


def test_what_a_run_chose_among_is_told_with_its_settings_scores_and_commands():
    tried = [
        Tried("w-lr1-seed0", "python -m one", {"training.lr": "0.1"}, {"validation": 40.25}),
        Tried("w-lr2-seed0", "python -m two", {"training.lr": "9.0"}, {}),
    ]
    assert [line.split() for line in trace._told_search(tried)] == [
        ["chosen", "of", "training.lr", "0.1:", "validation", "40.25;", "python", "-m", "one"],
        ["training.lr", "9.0:", "diverged;", "python", "-m", "two"],
    ]
