"""The cells of a grid: their ids, what each binds to which stage, and the line where it stands."""

import pytest

from stages.planning.declaration import open_exhibit
from stages.planning.grid import cells_of, shared_of

EXHIBIT = "params/exhibits/table_05.yaml"
LAB = """\
about: A scale of one's own.
parent: reduced
seeds: [7, 8]
exhibits:
  table_05:
    thinned: Two temperatures.
    set:
      Pretraining.batch_size: 128
      linear_eval/linear_evaluation.epochs: 5
    runs:
    - chain: [pretrain, linear_eval]
      set: {Lars.eta: 0.5}
      label: {of: mine}
      grid: {temperature: [0.3, 0.7]}
"""


@pytest.fixture
def lab(project) -> str:
    (project / "params" / "scales" / "lab.yaml").write_text(LAB)
    return "lab"


def line(text: str, said: str, after: str = "") -> int:
    """The number of the line, counted from 1, that starts with `said`, after the one that starts with `after`."""
    lines = [each.strip() for each in text.splitlines()]
    start = next(place for place, each in enumerate(lines) if each.startswith(after))
    return next(place for place, each in enumerate(lines, 1) if place > start and each.startswith(said))


def cells(scale: str, exhibit: str = "table_05") -> list:
    return list(cells_of(open_exhibit(exhibit), scale))


def test_ids_are_places_in_the_grid_of_each_part(project):
    grid = [(1, t) for t in (1, 2, 3, 4)] + [(2, t) for t in (1, 2)]
    assert [cell.id for cell in cells("smoke")] == [f"part{p}-l2_norm1-temperature{t}-seed0" for p, t in grid]
    seeds = [cell.seed for cell in cells("reduced")]
    assert seeds == list(range(8)) * 6 and len({cell.id for cell in cells("reduced")}) == 48


def test_a_single_part_has_no_number_and_a_grid_without_knobs_is_one_run(lab, project):
    assert [cell.id for cell in cells(lab)] == [f"temperature{t}-seed{s}" for t in (1, 2) for s in (7, 8)]
    text = LAB.replace("grid: {temperature: [0.3, 0.7]}", "grid: {}")
    (project / "params" / "scales" / "lab.yaml").write_text(text)
    assert [cell.id for cell in cells(lab)] == ["run-seed7", "run-seed8"]


def test_a_cell_knows_its_labels_its_values_and_where_they_stand(project):
    text = (project / EXHIBIT).read_text()
    last = cells("smoke")[-1]
    assert (last.chain, last.labels) == (["pretrain", "linear_eval"], {"l2_norm": "no"})
    assert last.bound == {
        "pretrain": {
            "nt_xent.l2_normalize": (False, f"{EXHIBIT}, line {line(text, 'no: {')}"),
            "nt_xent.temperature": (100.0, f"{EXHIBIT}, line {line(text, '- 100.0')}"),
        }
    }


def test_what_a_scale_of_ones_own_binds_stands_in_its_file(lab):
    file = "params/scales/lab.yaml"
    first, *_, last = cells(lab)
    assert first.labels == last.labels == {"of": "mine"}
    grid = f"{file}, line {line(LAB, 'grid')}"
    assert last.bound["pretrain"] == {
        "Lars.eta": (0.5, f"{file}, line {line(LAB, 'set: {')}"),
        "nt_xent.temperature": (0.7, grid),
    }
    exhibit = open_exhibit("table_05")
    epochs = {"linear_evaluation.epochs": (5, f"{file}, line {line(LAB, 'linear_eval/')}")}
    size = {"Pretraining.batch_size": (128, f"{file}, line {line(LAB, 'Pretraining.batch')}")}
    assert shared_of(exhibit, lab, "linear_eval", opens=False) == epochs
    assert shared_of(exhibit, lab, "pretrain", opens=True) == size
    assert shared_of(exhibit, lab, "pretrain", opens=False) == {}
    # A binding of another stage is not for the one that opens, and what names no stage is.
    assert shared_of(exhibit, lab, "supervised", opens=True) == size


def test_a_parents_grid_and_settings_are_said_where_the_parent_has_them(project):
    (project / "params" / "scales" / "lab.yaml").write_text("about: A child.\nparent: smoke\nseeds: [7]\n")
    text = (project / "params/exhibits/figure_b2.yaml").read_text()
    exhibit = open_exhibit("figure_b2")
    for scale in ("smoke", "lab"):
        shared = shared_of(exhibit, scale, "pretrain", opens=True)
        set_above, set_below = (
            line(text, "Pretraining.lr_scaling"),
            line(text, "Pretraining.base_lr", "smoke:"),
        )
        assert shared["Pretraining.lr_scaling"] == (
            "sqrt",
            f"params/exhibits/figure_b2.yaml, line {set_above}",
        )
        assert shared["Pretraining.base_lr"][1] == f"params/exhibits/figure_b2.yaml, line {set_below}"
        first = next(iter(cells_of(exhibit, scale)))
        size = line(text, f"- {first.bound['pretrain']['Pretraining.batch_size'][0]}", "smoke:")
        assert first.bound["pretrain"]["Pretraining.batch_size"][1].endswith(f"line {size}")


def test_a_binding_that_names_a_stage_goes_to_that_stage(project, edit):
    edit(
        EXHIBIT, "  temperature: nt_xent.temperature", "  temperature: linear_eval/linear_evaluation.base_lr"
    )
    bound = cells("smoke")[0].bound
    assert bound["linear_eval"]["linear_evaluation.base_lr"][0] == 0.05
    assert set(bound["pretrain"]) == {"nt_xent.l2_normalize"}
