"""Every complaint about a declaration names the file, the line, and what is allowed."""

import pytest

from common import scales
from common.errors import UserError
from stages.planning import declaration, recipes

EXHIBIT = "params/exhibits/table_05.yaml"


def complaint(call, *arguments) -> str:
    with pytest.raises(UserError) as caught:
        call(*arguments)
    return str(caught.value)


def line_with(path, text) -> int:
    return next(number for number, line in enumerate(path.read_text().splitlines(), start=1) if text in line)


def test_every_committed_exhibit_is_valid(project):
    for name in declaration.exhibit_ids():
        assert declaration.read_exhibit(name)["id"] == name


def test_figures_come_before_tables_and_the_body_before_the_appendix(project):
    for name in ("figure_b1", "table_c1"):
        (project / "params" / "exhibits" / f"{name}.yaml").touch()
    names = declaration.exhibit_ids()
    assert (
        names.index("figure_09")
        < names.index("table_01")
        < names.index("figure_b1")
        < names.index("table_c1")
    )


def test_an_unknown_key_is_named_with_its_line_and_the_nearest_one(project, edit):
    edit(EXHIBIT, "caption: >-", "captoin: >-")
    text = complaint(declaration.read_exhibit, "table_05")
    assert f"line {line_with(project / EXHIBIT, 'captoin')}" in text
    assert "`captoin` (did you mean `caption`?)" in text
    assert "knobs" in text  # what is allowed


def test_a_wrong_type_is_named_with_its_line(project, edit):
    edit(EXHIBIT, "seeds:\n- 0\n", "seeds:\n- zero\n")
    text = complaint(declaration.read_exhibit, "table_05")
    assert f"{EXHIBIT}, line {line_with(project / EXHIBIT, '- zero')}" in text
    assert "integer" in text


def test_a_missing_key_is_named(project, edit):
    edit(EXHIBIT, "section: '5.1'\n", "")
    assert "'section' is a required property" in complaint(declaration.read_exhibit, "table_05")


def test_broken_yaml_is_named_with_its_line(project, edit):
    edit(EXHIBIT, "seeds:\n- 0\n", "seeds: [0\n")
    text = complaint(declaration.read_exhibit, "table_05")
    assert "not YAML" in text and "line" in text


def test_an_unknown_exhibit_gets_the_nearest_name(project):
    assert "did you mean `table_05`?" in complaint(declaration.read_exhibit, "table_5")


def test_an_unknown_scale_gets_the_nearest_name(project):
    assert "did you mean `smoke`?" in complaint(scales.check_scale, "smok")
    (project / "params" / "scale.yaml").write_text("scale: papre\n")
    assert "did you mean `paper`?" in complaint(scales.default)


def test_a_grid_over_an_unknown_knob_is_refused(project, edit):
    edit(EXHIBIT, "    l2_norm:\n    - no\n", "    l2_nrom:\n    - no\n")
    text = complaint(declaration.read_exhibit, "table_05")
    assert "unknown knob `l2_nrom` (did you mean `l2_norm`?)" in text and "line" in text


def test_a_chain_of_an_unknown_stage_is_refused(project):
    text = (project / EXHIBIT).read_text()
    (project / EXHIBIT).write_text(text.replace("  - pretrain\n", "  - retrain\n", 1))
    said = complaint(declaration.read_exhibit, "table_05")
    assert "no stage `retrain` (did you mean `pretrain`?)" in said and "line" in said


def test_a_grid_over_an_unknown_label_is_refused(project, edit):
    edit(EXHIBIT, "    - no\n", "    - nope\n")
    assert "has no value `nope` (did you mean `no`?)" in complaint(declaration.read_exhibit, "table_05")


def test_a_file_under_another_name_is_refused(project):
    (project / EXHIBIT).rename(project / "params" / "exhibits" / "table_06.yaml")
    assert "id: table_06" in complaint(declaration.read_exhibit, "table_06")


@pytest.mark.parametrize(
    "line",
    [
        "nt_xent.temperature = %tau",
        "nt_xent.temperature = @other",
        "include 'other.gin'",
        "nt_xent.temperature =",
    ],
)
def test_a_recipe_holds_literals_only(project, line):
    path = project / "recipe.gin"
    path.write_text(f"# header\n{line}\n")
    assert "literal" in complaint(recipes.read_recipe, path)


def test_a_parameter_is_bound_once(project):
    path = project / "recipe.gin"
    path.write_text("a.b = 1\na.b = 2\n")
    text = complaint(recipes.read_recipe, path)
    assert "a.b is bound twice" in text and "recipe.gin, line 2" in text


def test_a_recipe_knows_its_lines(project):
    path = project / "recipe.gin"
    path.write_text("# header\n\na.b = (1, 2)\nc.d = 'text'\n")
    assert recipes.read_recipe(path) == {"a.b": ((1, 2), 3), "c.d": ("text", 4)}


def test_a_missing_recipe_lists_those_there_are(project):
    assert "pretrain_smoke.gin" in complaint(
        recipes.read_recipe, project / "params" / "recipes" / "pretrain_huge.gin"
    )
