"""From a declaration to runs: positions for ids, equal settings for equal fingerprints, stale plans refused."""

import pytest

from stages.harness import planning
from stages.harness.errors import UserError

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
    before = planning.resolve("table_05", "smoke")
    edit(EXHIBIT, "    - 0.1\n", "    - 0.2\n")
    after = planning.resolve("table_05", "smoke")
    paths = changed_lines(before.document, after.document)
    assert set(paths) == {"/stages/pretrain/runs/part1-l2_norm1-temperature2-seed0/nt_xent/temperature"}
    for stage in ("pretrain", "linear_eval"):
        pairs = zip(before.runs(stage), after.runs(stage), strict=True)
        assert [a.id for a, b in pairs if a.fingerprint != b.fingerprint] == [
            "part1-l2_norm1-temperature2-seed0"
        ]


def test_equal_settings_in_two_exhibits_are_one_run(project):
    of = {
        name: planning.resolve(name, "smoke").runs("pretrain")
        for name in ("table_05", "figure_08", "table_01")
    }
    default = of["table_05"][2]
    assert default.bindings["nt_xent.temperature"] == 0.5
    for others in (of["figure_08"], of["table_01"]):
        assert sum(run.fingerprint == default.fingerprint for run in others) == 1


def test_what_does_not_decide_numbers_does_not_change_a_fingerprint(project, edit):
    before = planning.resolve("table_05", "smoke").runs("pretrain")[0].fingerprint
    edit("params/recipes/pretrain_smoke.gin", "execution.device = 'auto'", "execution.device = 'cpu'")
    assert planning.resolve("table_05", "smoke").runs("pretrain")[0].fingerprint == before
    edit("params/recipes/pretrain_smoke.gin", "Lars.eta = 0.001", "Lars.eta = 0.002")
    assert planning.resolve("table_05", "smoke").runs("pretrain")[0].fingerprint != before


def test_other_data_are_another_run(project, edit):
    from stages.harness import fingerprint

    before = planning.resolve("table_05", "smoke").runs("pretrain")[0].fingerprint
    text = (project / "params/datasets.yaml").read_text()
    (project / "params/datasets.yaml").write_text(
        text.replace("validation: {fraction: 0.1, seed: 0}", "validation: {fraction: 0.2, seed: 0}")
    )
    fingerprint.data_hash.cache_clear()
    assert planning.resolve("table_05", "smoke").runs("pretrain")[0].fingerprint != before


def test_an_evaluation_depends_on_its_training(project, edit):
    plan = planning.resolve("table_05", "smoke")
    assert [run.upstream for run in plan.runs("linear_eval")] == plan.runs("pretrain")


def test_a_written_plan_reads_back_and_is_written_once(project):
    plan = planning.resolve("table_01", "smoke")
    assert planning.write_plan(plan) and not planning.write_plan(plan)
    again = planning.read_plan("table_01", "smoke")
    assert {s: [r.fingerprint for r in again.runs(s)] for s in again.stages} == {
        s: [r.fingerprint for r in plan.runs(s)] for s in plan.stages
    }


def test_a_stale_plan_is_refused_with_the_difference(project, edit):
    planning.write_plan(planning.resolve("table_05", "smoke"))
    edit(EXHIBIT, "    - 0.1\n", "    - 0.2\n")
    with pytest.raises(UserError) as caught:
        planning.read_plan("table_05", "smoke")
    text = str(caught.value)
    assert "temperature2-seed0.nt_xent.temperature: 0.1" in text and "temperature: 0.2" in text
    assert "make plan" in text and "params/plan/smoke/table_05.yaml" in text


def test_a_missing_plan_is_refused(project):
    with pytest.raises(UserError, match="the plan is out of date"):
        planning.read_plan("table_05", "smoke")


def test_a_misspelled_parameter_in_an_exhibit_names_the_file_and_the_run(project, edit):
    edit(EXHIBIT, "temperature: nt_xent.temperature", "temperature: nt_xent.temprature")
    with pytest.raises(UserError) as caught:
        planning.resolve("table_05", "smoke")
    assert "did you mean `temperature`?" in str(caught.value) and EXHIBIT in str(caught.value)


def test_a_misspelled_parameter_in_a_recipe_names_the_line(project, edit):
    edit("params/recipes/pretrain_smoke.gin", "Lars.eta", "Lars.etta")
    with pytest.raises(UserError, match=r"pretrain_smoke\.gin, line \d+"):
        planning.resolve("table_05", "smoke")


def test_committed_plans_are_up_to_date():
    from stages.harness.declaration import SCALES, exhibit_ids

    for scale in SCALES:
        for name in exhibit_ids():
            planning.read_plan(name, scale)


@pytest.mark.parametrize(
    ("exhibit", "cells"), [("figure_09", 60), ("figure_08", 15), ("table_05", 6), ("table_01", 6)]
)
def test_the_paper_scale_has_the_papers_grid(exhibit, cells):
    assert len(planning.resolve(exhibit, "paper").runs("pretrain")) == cells


def test_ids_have_no_dots():
    for name in ("table_05", "figure_09"):
        for runs in planning.resolve(name, "paper").stages.values():
            assert not [run.id for run in runs if "." in run.id or "/" in run.id]


def test_flatten_is_the_inverse_of_the_nesting():
    nested = {"a": {"b": 1, "c": [2]}, "d": {"e": "f"}}
    assert planning.flatten(nested) == {"a.b": 1, "a.c": [2], "d.e": "f"}
