"""From a number to its runs: every measured row leads to the runs that made it, and to their commands."""

import json
import shlex
import subprocess
import sys

import pytest

from reports import trace
from reports.files import exit_code
from reports.record import factored, runs_of


def run(seed=0, width=32, **more):
    bindings = {"projection_head.out_dim": width, "resnet.depth": 8}
    return {
        "bindings": bindings,
        "fingerprint": f"{width}-{seed}",
        "code": "c0de" * 9,
        "upstream": None,
    } | more


def record(**more):
    """Two widths with two seeds, pretrained and evaluated, and a run that is missing."""
    runs, raw = {}, []
    for width in (128, 32):
        for seed in (0, 1):
            name = f"w{width}-seed{seed}"
            runs[f"pretrain/{name}"] = run(seed, width)
            evaluation = {"bindings": {"Sgd.momentum": 0.9}, "fingerprint": f"e{width}-{seed}"}
            runs[f"linear_eval/{name}"] = evaluation | {"upstream": f"{width}-{seed}", "adopted": "a reason"}
            row = {"output_dim": str(width), "seed": str(seed), "metric": "top1", "value": 30.0}
            raw.append(row | {"run": name})
    found = {"exhibit": "figure_08", "scale": "smoke", "raw": raw, "missing": ["pretrain/w64-seed0"]}
    return found | {"provenance": {"runs": runs}} | more


def test_a_run_is_its_stages_in_the_order_in_which_they_read_each_other():
    trails = trace.trails(record())
    assert [(trail.cell, trail.seed) for trail in trails] == [
        ({"output_dim": width}, seed) for width in ("32", "128") for seed in ("0", "1")
    ]
    for trail in trails:
        assert [step.stage for step in trail.steps] == ["pretrain", "linear_eval"]


def test_a_step_names_folder_command_causes_and_what_is_its_own():
    pretrain, evaluation = trace.trails(record())[0].steps
    assert pretrain.command == "python -m stages pretrain --scale smoke --sweep figure_08 --run w32-seed0"
    assert pretrain.folder == "results/smoke/pretrain/figure_08/w32-seed0"
    assert pretrain.own == {"projection_head.out_dim": "32"} and evaluation.own == {}
    assert pretrain.causes == {"fingerprint": "32-0"}
    said = trace.stage_causes(runs_of(record()))
    assert said["pretrain"] == {"code": "c0dec0dec0de"}, "once for the stage"
    assert "upstream" not in evaluation.causes, "it is the step above"
    assert evaluation.adopted == "a reason"


def test_a_step_whose_weights_are_imported_says_from_where():
    runs = {"pretrain/r": run(imported={"checkpoint": "published.safetensors"})}
    (trail,) = trace.trails(record(raw=[], provenance={"runs": runs}))
    assert trail.steps[0].imported == "published.safetensors"


def test_shared_and_varying_bindings_go_by_stage():
    runs = record()["provenance"]["runs"]
    assert trace.shared(runs) == {
        "linear_eval": {"Sgd.momentum": "0.9"},
        "pretrain": {"resnet.depth": "8"},
    }
    assert trace.varying_by_stage(runs)["pretrain"] == {"projection_head.out_dim": ["128", "32"]}


def test_every_measured_row_leads_to_all_its_runs_and_the_papers_own_to_none():
    header = ["output_dim", "metric", "n", "ours", "spread", "paper", "unit", "confidence", "note"]
    rows = [
        ["2048", "top1", "", "", "", "64.8", "%", "pdf_vector", "a note"],
        ["128", "top1", "2", "30", "0.5", "64.3", "%", "pdf_vector", ""],
        ["32", "top1", "2", "30", "0", "", "", "", ""],
    ]
    knobs, numbers = trace.numbers(record(), header, rows)
    assert knobs == ["output_dim"]
    assert [(row.cell, row.ours[0], row.paper[0]) for row in numbers] == [
        (["32"], "30.0 ± 0.0", ""),
        (["128"], "30.0 ± 0.5", "64.3"),
        (["2048"], "", "64.8"),
    ]
    assert [[trail.run for trail in row.runs] for row in numbers] == [
        ["w32-seed0", "w32-seed1"],
        ["w128-seed0", "w128-seed1"],
        [],
    ]
    assert numbers[2].source == "pdf vector: a note" and numbers[0].metric == "Top-1 accuracy (%)"


def test_a_missing_run_has_its_command_too():
    command = "python -m stages pretrain --scale smoke --sweep figure_08 --run w64-seed0"
    assert trace.absent(record()) == {"pretrain/w64-seed0": command}


def test_runs_that_read_each_other_do_not_hang():
    runs = {"a/r": run(fingerprint="1", upstream="2"), "b/r": run(fingerprint="2", upstream="1")}
    (trail,) = trace.trails(record(raw=[], provenance={"runs": runs}))
    assert len(trail.steps) == 2


@pytest.mark.parametrize("name", ['"><b>', "a b", "w32-seed0"])
def test_an_anchor_is_one_word_without_markup(name):
    assert not set(trace.anchor("figure_08", name)) & set("\"'<>& ")


def test_what_a_record_says_once_for_a_stage_comes_back_whole():
    runs = record()["provenance"]["runs"]
    runs["tsne/lone"] = run(adopted=None) | {"bindings": {}}
    runs["pretrain/other"] = run(bindings={"projection_head.out_dim": 32}, code="another")
    once = factored({"runs": runs, "versions": {}})
    assert runs_of({"provenance": once}) == runs
    assert "code" not in once["stages"]["pretrain"] and once["stages"]["linear_eval"]["adopted"] == "a reason"


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
    return lab


def options(lab, *more):
    places = [f"--results={lab.results}", f"--params={lab.params}"]
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


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--run", "t7"], "expected --run to be one of 4 runs, such as t0-seed0"),
        (["--cell", "temperatur=0.1"], "found temperatur=0.1. Did you mean temperature?"),
        (["--cell", "temperature"], "expected --cell KNOB=VALUE"),
        (["--cell", "temperature=7"], "expected temperature to be one of 0.1, 0.5; found 7."),
        (["--exhibit", "table_06"], "Did you mean table_05?"),
        (["--scale", "smokey"], "Did you mean smoke?"),
    ],
)
def test_what_cannot_be_traced_is_said(traced, capsys, more, message):
    assert exit_code(lambda: trace.main(options(traced, *more))) == 2
    found = capsys.readouterr()
    assert message in found.err and found.out == ""


def test_a_broken_record_of_a_run_is_said(traced, capsys):
    (traced.results / "smoke" / "pretrain" / "table_05" / "t0-seed0" / "record.json").write_text("{")
    assert exit_code(lambda: trace.main(options(traced))) == 2
    assert "found broken JSON" in capsys.readouterr().err


def test_a_reader_that_has_seen_enough_ends_it_quietly(traced):
    words = shlex.join([sys.executable, "-m", "reports.trace", *options(traced)])
    done = subprocess.run(f"{words} | true", shell=True, capture_output=True, text=True)
    assert done.stderr == ""
