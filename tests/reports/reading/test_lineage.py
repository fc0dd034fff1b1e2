"""From a number to its runs: every measured row leads to the runs that made it, and to their commands."""

import pytest

from reports.page.numbers import numbers as page_numbers
from reports.reading import lineage
from reports.reading.lineage import Step, Trail, by_cell, factored, runs_of

ADOPTED = {"stage": "linear_eval", "code": "new" * 6, "same_as": "old" * 6, "reason": "a renamed variable"}


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
            runs[f"linear_eval/{name}"] = evaluation | {"upstream": f"{width}-{seed}", "adopted": ADOPTED}
            row = {"output_dim": str(width), "seed": str(seed), "metric": "top1", "value": 30.0}
            raw.append(row | {"run": name})
    found = {"exhibit": "figure_08", "scale": "smoke", "raw": raw, "missing": ["pretrain/w64-seed0"]}
    return found | {"provenance": {"runs": runs}} | more


def test_a_run_is_its_stages_in_the_order_in_which_they_read_each_other():
    found = lineage.trails(record())
    assert [(trail.cell, trail.seed) for trail in found] == [
        ({"output_dim": width}, seed) for width in ("32", "128") for seed in ("0", "1")
    ]
    for trail in found:
        assert [step.stage for step in trail.steps] == ["pretrain", "linear_eval"]


def test_a_step_names_folder_command_causes_and_what_is_its_own():
    pretrain, evaluation = lineage.trails(record())[0].steps
    assert pretrain.command == "python -m stages pretrain --scale smoke --sweep figure_08 --run w32-seed0"
    assert pretrain.folder == "results/smoke/pretrain/figure_08/w32-seed0"
    assert pretrain.own == {"projection_head.out_dim": "32"} and evaluation.own == {}
    assert pretrain.causes == {"fingerprint": "32-0"}
    said = lineage.stage_causes(runs_of(record()))
    assert said["pretrain"] == {"code": "c0dec0dec0de"}, "once for the stage"
    assert "upstream" not in evaluation.causes, "it is the step above"
    words = "a renamed variable (code newnewnewnew same as oldoldoldold)"
    assert said["linear_eval"] == {"adopted": words}, "once for the stage"
    assert "adopted" not in evaluation.causes


def test_an_adoption_that_one_run_of_a_stage_has_stands_at_that_run():
    runs = {"pretrain/a-seed0": run(adopted=ADOPTED), "pretrain/b-seed0": run(1, adopted=None)}
    first, second = lineage.trails(record(raw=[], provenance={"runs": runs}))
    assert first.steps[0].causes["adopted"].startswith("a renamed variable (code new")
    assert "adopted" not in second.steps[0].causes
    assert lineage.stage_causes(runs)["pretrain"].keys() == {"code"}


def test_a_step_whose_weights_are_imported_says_from_where():
    runs = {"pretrain/r": run(imported={"checkpoint": "published.safetensors"})}
    (trail,) = lineage.trails(record(raw=[], provenance={"runs": runs}))
    assert trail.steps[0].imported == "published.safetensors"


def test_shared_and_varying_bindings_go_by_stage():
    runs = record()["provenance"]["runs"]
    assert lineage.shared(runs) == {
        "linear_eval": {"Sgd.momentum": "0.9"},
        "pretrain": {"resnet.depth": "8"},
    }
    assert lineage.varying_by_stage(runs)["pretrain"] == {"projection_head.out_dim": ["128", "32"]}


def test_a_binding_that_some_runs_lack_is_not_said_of_all_of_them():
    """Three runs of a stage, of which one has local batch norm: it varies, and stands at that run alone."""
    runs = {f"pretrain/a{place}-seed0": run(place) for place in range(3)}
    runs["pretrain/a1-seed0"]["bindings"]["BatchNorm.groups"] = 8
    assert lineage.varying_by_stage(runs) == {"pretrain": {"BatchNorm.groups": ["8", "not bound"]}}
    assert "BatchNorm.groups" not in lineage.shared(runs)["pretrain"]
    own = [trail.steps[0].own for trail in lineage.trails(record(raw=[], provenance={"runs": runs}))]
    assert own == [{}, {"BatchNorm.groups": "8"}, {}]


def test_values_are_words_without_the_brackets_of_python():
    bound = {"a": ["bn", "bias"], "b": [], "c": 0.1}
    assert [lineage.value_text(bound, name) for name in "abcd"] == ["bn, bias", "empty", "0.1", "not bound"]


def test_every_measured_row_leads_to_all_its_runs_and_the_papers_own_to_none():
    header = [
        "output_dim",
        "metric",
        "n",
        "ours",
        "spread",
        "diverged",
        "paper",
        "unit",
        "confidence",
        "note",
    ]
    rows = [
        ["2048", "top1", "", "", "", "", "64.8", "%", "pdf_vector", "a note"],
        ["128", "top1", "2", "30", "0.5", "0", "64.3", "%", "pdf_vector", ""],
        ["32", "top1", "2", "30", "0", "0", "", "", "", ""],
    ]
    knobs, numbers = page_numbers(record(), header, rows)
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
    assert lineage.absent(record()) == {"pretrain/w64-seed0": command}


def test_runs_that_read_each_other_do_not_hang():
    runs = {"a/r": run(fingerprint="1", upstream="2"), "b/r": run(fingerprint="2", upstream="1")}
    (trail,) = lineage.trails(record(raw=[], provenance={"runs": runs}))
    assert len(trail.steps) == 2


@pytest.mark.parametrize("name", ['"><b>', "a b", "w32-seed0"])
def test_an_anchor_is_one_word_without_markup(name):
    assert not set(lineage.anchor("figure_08", name)) & set("\"'<>& ")


def test_what_a_record_says_once_for_a_stage_comes_back_whole():
    runs = record()["provenance"]["runs"]
    runs["tsne/lone"] = run(adopted=None) | {"bindings": {}}
    runs["pretrain/other"] = run(bindings={"projection_head.out_dim": 32}, code="another")
    once = factored({"runs": runs, "versions": {}})
    assert runs_of({"provenance": once}) == runs
    assert "code" not in once["stages"]["pretrain"] and once["stages"]["linear_eval"]["adopted"] == ADOPTED


def chosen_among_two() -> dict:
    """A run that chose among two points, the second of which diverged."""
    base = {"steps": 5, "grid.lr": [0.1, 9.0]}
    points = {
        f"search/w-lr{n}-seed0": run(
            bindings={"steps": 5, "training.lr": lr}, fingerprint=f"p{n}", metrics=found
        )
        for n, (lr, found) in enumerate([(0.1, {"validation": 40.25}), (9.0, {})], start=1)
    }
    chooser = run(bindings=base, fingerprint="c", search=["p1", "p2"], upstream="32-0")
    runs = {"pretrain/w-seed0": run(), "choose/w-seed0": chooser}
    return record(raw=[], missing=[], provenance={"runs": runs, "searched": points})


def test_a_step_that_chose_shows_what_among_in_order_and_points_are_no_trails():
    (trail,) = lineage.trails(chosen_among_two())
    assert [step.stage for step in trail.steps] == ["pretrain", "choose"]
    first, second = trail.steps[1].tried
    assert first.own == {"training.lr": "0.1"} and first.metrics == {"validation": 40.25}
    assert (
        first.command == "python -m stages search --scale smoke --sweep figure_08 --run w-lr1-seed0"
    ) and first.run == "w-lr1-seed0"
    assert second.own == {"training.lr": "9.0"} and second.metrics == {}, "it diverged"
    assert trail.steps[0].tried == []


def test_factored_provenance_gives_back_runs_and_what_they_chose_among():
    whole = chosen_among_two()["provenance"]
    short = {"provenance": factored(whole)}
    assert short["provenance"]["stages"]["search"]["bindings"] == {"steps": 5}
    assert runs_of(short) == whole["runs"] and lineage.searched_of(short) == whole["searched"]
    assert lineage.searched_of(record()) == {}


def test_what_the_runs_of_a_cell_have_in_common_is_said_once():
    def trail(run, rate, seed, **more):
        step = Step("pretrain", "", f"--run {run}", {"training.lr": rate, **more}, {}, None, [])
        return Trail(run, run, {"rate": rate}, seed, [step])

    alike = [trail("rate1-seed0", "0.1", "0"), trail("rate1-seed1", "0.1", "1")]
    apart = [trail("rate2-seed0", "0.2", "0", a="1"), trail("rate2-seed1", "0.2", "1", a="2")]
    first, second = by_cell([*alike, *apart])
    assert first.own == {"pretrain": {"training.lr": "0.1"}}
    assert [step.own for each in first.trails for step in each.steps] == [{}, {}]
    assert second == ({}, apart), "bindings in which two seeds differ stay with their runs"
