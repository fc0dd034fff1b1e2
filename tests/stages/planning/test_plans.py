"""From a declaration to runs: positions for ids, equal settings for equal fingerprints, stale plans refused."""

from pathlib import Path

import pytest

from common import scales
from common.errors import UserError
from stages.planning import plans
from stages.planning.declaration import exhibit_ids

EXHIBIT = "params/exhibits/table_05.yaml"


def changed_lines(old: dict, new: dict) -> list[str]:
    """The leaves that differ between two plan documents."""

    def leaves(node, path=""):
        if isinstance(node, dict):
            for key, value in node.items():
                yield from leaves(value, f"{path}/{key}")
        else:
            yield path, repr(node)

    return sorted(path for path, _ in set(leaves(old)) ^ set(leaves(new)))


def test_an_edited_temperature_is_one_changed_line_and_one_changed_run(project, edit):
    before = plans.resolve("table_05", "smoke")
    edit(EXHIBIT, "    - 0.1\n", "    - 0.2\n")
    after = plans.resolve("table_05", "smoke")
    paths = changed_lines(before.document, after.document)
    assert set(paths) == {"/stages/pretrain/runs/part1-l2_norm1-temperature2-seed0/nt_xent/temperature"}
    for stage in ("pretrain", "linear_eval"):
        pairs = zip(before.runs(stage), after.runs(stage), strict=True)
        assert [a.id for a, b in pairs if a.fingerprint != b.fingerprint] == [
            "part1-l2_norm1-temperature2-seed0"
        ]


def test_equal_settings_in_two_exhibits_are_one_run(project):
    of = {
        name: plans.resolve(name, "smoke").runs("pretrain") for name in ("table_05", "figure_08", "table_01")
    }
    default = of["table_05"][2]
    assert default.bindings["nt_xent.temperature"] == 0.5
    shown = [
        sum(run.fingerprint == default.fingerprint for run in of[name]) for name in ("figure_08", "table_01")
    ]
    assert shown == [3, 1]  # Figure 8 has it as a bar, and reads the same head from both of its sides


def test_what_does_not_decide_numbers_does_not_change_a_fingerprint(project, edit):
    before = plans.resolve("table_05", "smoke").runs("pretrain")[0].fingerprint
    edit("params/recipes/pretrain_smoke.gin", "execution.device = 'auto'", "execution.device = 'cpu'")
    assert plans.resolve("table_05", "smoke").runs("pretrain")[0].fingerprint == before
    edit("params/recipes/pretrain_smoke.gin", "Lars.eta = 0.001", "Lars.eta = 0.002")
    assert plans.resolve("table_05", "smoke").runs("pretrain")[0].fingerprint != before


def test_other_data_are_another_run(project, edit):
    from stages.planning import fingerprint

    before = plans.resolve("table_05", "smoke").runs("pretrain")[0].fingerprint
    text = (project / "params/datasets.yaml").read_text()
    (project / "params/datasets.yaml").write_text(
        text.replace("validation: {fraction: 0.1, seed: 0}", "validation: {fraction: 0.2, seed: 0}")
    )
    fingerprint.declaration_of.cache_clear()
    assert plans.resolve("table_05", "smoke").runs("pretrain")[0].fingerprint != before


def test_an_evaluation_depends_on_its_training(project, edit):
    plan = plans.resolve("table_05", "smoke")
    assert [run.upstream for run in plan.runs("linear_eval")] == plan.runs("pretrain")


def test_a_written_plan_reads_back_and_is_written_once(project):
    plan = plans.resolve("table_01", "smoke")
    assert plans.write_plan(plan) and not plans.write_plan(plan)
    again = plans.read_plan("table_01", "smoke")
    assert {s: [r.fingerprint for r in again.runs(s)] for s in again.stages} == {
        s: [r.fingerprint for r in plan.runs(s)] for s in plan.stages
    }


def test_the_index_of_a_sweep_lies_by_exhibit_and_by_whether_it_trains_or_evaluates(project):
    plan = plans.resolve("table_05", "smoke")
    assert plan.index_path(Path("r"), "pretrain") == Path("r/smoke/index/table_05/trained/pretrain.json")
    assert plan.index_path(Path("r"), "linear_eval") == Path(
        "r/smoke/index/table_05/evaluated/linear_eval.json"
    )


def test_a_stale_plan_is_refused_with_the_difference(project, edit):
    plans.write_plan(plans.resolve("table_05", "smoke"))
    edit(EXHIBIT, "    - 0.1\n", "    - 0.2\n")
    with pytest.raises(UserError) as caught:
        plans.read_plan("table_05", "smoke")
    text = str(caught.value)
    assert "temperature2-seed0.nt_xent.temperature: 0.1" in text and "temperature: 0.2" in text
    assert "make plan" in text and "params/plan/smoke/table_05.yaml" in text


def test_a_missing_plan_is_refused(project):
    with pytest.raises(UserError, match="the plan is out of date"):
        plans.read_plan("table_05", "smoke")


def test_a_misspelled_parameter_in_an_exhibit_names_the_file_and_the_run(project, edit):
    edit(EXHIBIT, "temperature: nt_xent.temperature", "temperature: nt_xent.temprature")
    with pytest.raises(UserError) as caught:
        plans.resolve("table_05", "smoke")
    assert "did you mean `temperature`?" in str(caught.value) and EXHIBIT in str(caught.value)


def test_a_chain_of_an_unknown_stage_is_refused_with_the_nearest(project):
    text = (project / EXHIBIT).read_text()
    (project / EXHIBIT).write_text(text.replace("  - pretrain\n", "  - retrain\n", 1))
    with pytest.raises(UserError, match=r"no stage `retrain`.*did you mean `pretrain`") as caught:
        plans.resolve("table_05", "smoke")
    assert EXHIBIT in str(caught.value)


def test_a_misspelled_parameter_in_a_recipe_names_the_line(project, edit):
    edit("params/recipes/pretrain_smoke.gin", "Lars.eta", "Lars.etta")
    with pytest.raises(UserError, match=r"pretrain_smoke\.gin, line \d+"):
        plans.resolve("table_05", "smoke")


def test_committed_plans_are_up_to_date():
    for scale in scales.names():
        for name in exhibit_ids():
            plans.read_plan(name, scale)


PAPERS_GRIDS = {  # distinct pretrainings at scale paper, by exhibit; the paper's own and, after +, ours beside them
    "figure_05": 49 + 1,
    "figure_07": 13 + 3,
    "figure_08": 15,
    "figure_09": 60,
    "figure_b1": 60,
    "figure_b2": 8 * 7,
    "figure_b7": 450,
    "figure_b8": 450,
    "table_01": 6 + 1,
    "table_03": 4,
    "table_04": 4 * 5 * 4 + 1,
    "table_05": 6,
    "table_b1": 48,
}


@pytest.mark.parametrize(("exhibit", "trainings"), PAPERS_GRIDS.items())
def test_the_paper_scale_has_the_papers_grid(exhibit, trainings):
    runs = plans.resolve(exhibit, "paper").runs("pretrain")
    assert len({run.fingerprint for run in runs}) == trainings


def test_the_square_root_half_of_table_b1_is_24_trainings_more_than_figure_9():
    halves = [
        {run.fingerprint for run in plans.resolve(name, "paper").runs("pretrain")}
        for name in ("table_b1", "figure_09")
    ]
    assert len(halves[0] - halves[1]) == 24
    top5 = {run.fingerprint for run in plans.resolve("figure_b1", "paper").runs("pretrain")}
    assert top5 == halves[1]


def test_sharing_saves_a_fifth_of_the_papers_trainings():
    """Even against exhibits that each train every setting once."""
    every = [plans.resolve(name, "paper") for name in exhibit_ids()]
    own = [
        {run.fingerprint for stage in ("pretrain", "supervised") for run in plan.runs(stage)}
        for plan in every
    ]
    assert len(set().union(*own)) <= 0.8 * sum(map(len, own))


@pytest.mark.parametrize(
    ("exhibit", "cells", "of_others"),
    [
        ("figure_b1", 60, 60),
        ("table_b1", 48, 24),
        ("figure_b2", 56, 24),
        ("figure_b3", 1, 1),
        ("figure_b8", 450, 450),
    ],
)
def test_appendix_trainings_are_shared_at_scale_paper(exhibit, cells, of_others):
    """Figure 9 has B.1 and half of Table B.1, B.2 the other half; Figure 8 has B.3; B.7 and B.8 are one sweep."""
    lenders = {"figure_b2": "table_b1", "figure_b3": "figure_08", "figure_b8": "figure_b7"}
    own, lent = (
        {run.fingerprint for run in plans.resolve(name, "paper").runs("pretrain")}
        for name in (exhibit, lenders.get(exhibit, "figure_09"))
    )
    assert len(own) == cells and len(own & lent) == of_others


@pytest.mark.parametrize("scale", ["smoke", "reduced", "cifar10"])
def test_appendix_trainings_are_shared_below_it(scale):
    appendix = ("figure_b1", "figure_b2", "figure_b3", "figure_b7", "figure_b8", "table_b1")
    trained = {
        name: {run.fingerprint for run in plans.resolve(name, scale).runs("pretrain")}
        for name in ("figure_08", "figure_09", *appendix)
    }
    assert trained["figure_b1"] == trained["figure_09"] and trained["figure_b3"] <= trained["figure_08"]
    assert len(trained["table_b1"] & trained["figure_09"]) == len(trained["table_b1"]) // 2
    assert trained["table_b1"] - trained["figure_09"] <= trained["figure_b2"]
    assert trained["figure_b7"] == trained["figure_b8"] and trained["figure_b7"] & trained["figure_09"]


@pytest.mark.parametrize("scale", ["smoke", "reduced", "cifar10", "paper"])
def test_a_spectrum_is_of_a_head_as_wide_as_h(scale):
    """The widths are written in the exhibit; the encoder says what they must be."""
    import torch

    from simclr.encoder import resnet

    run = plans.resolve("figure_b3", scale).runs("pretrain")[0]
    shape = {name.split(".")[1]: value for name, value in run.bindings.items() if name.startswith("resnet.")}
    with torch.device("meta"):
        assert run.bindings["projection_head.out_dim"] == resnet(**shape).feature_dim


def test_square_root_scaling_starts_where_linear_scaling_is():
    """Appendix B.1: both give one peak at the recipe's batch size (4.8 at 4096)."""
    from simclr.schedule import peak_learning_rate
    from stages.planning.recipes import read_recipe, recipe_path

    for scale in scales.names():
        recipe = {name: value for name, (value, _) in read_recipe(recipe_path("pretrain", scale)).items()}
        size = recipe["Pretraining.batch_size"]
        for exhibit in ("table_b1", "figure_b2"):
            runs = [run.bindings for run in plans.resolve(exhibit, scale).runs("pretrain")]
            [base] = {run["Pretraining.base_lr"] for run in runs if run["Pretraining.lr_scaling"] == "sqrt"}
            linear = peak_learning_rate(recipe["Pretraining.base_lr"], size)
            assert peak_learning_rate(base, size, "sqrt") == pytest.approx(linear, rel=1e-3)


def test_the_sweep_on_cifar_is_of_cifar_at_scale_paper():
    plan = plans.resolve("figure_b7", "paper")
    for stage in ("pretrain", "linear_eval", "supervised"):
        for run in plan.runs(stage):
            assert run.dataset == "cifar10" and run.bindings["ViewPolicy.size"] == 32
            assert "blur" not in run.bindings["ViewPolicy.ops"]
    for run in [*plan.runs("pretrain"), *plan.runs("supervised")]:
        assert (run.bindings["resnet.depth"], run.bindings["resnet.stem"]) == (50, "cifar")
        assert run.bindings["color_distortion.strength"] == 0.5


def test_ids_have_no_dots():
    for name in ("table_05", "figure_09"):
        for runs in plans.resolve(name, "paper").stages.values():
            assert not [run.id for run in runs if "." in run.id or "/" in run.id]


def test_flatten_is_the_inverse_of_the_nesting():
    nested = {"a": {"b": 1, "c": [2]}, "d": {"e": "f"}}
    assert plans.flatten(nested) == {"a.b": 1, "a.c": [2], "d.e": "f"}
