"""A scale of one's own is one file: its parent, and what differs."""

from pathlib import Path

import pytest

from common import files, scales
from common.errors import UserError
from stages import plan
from stages.planning import plans
from stages.planning.declaration import exhibit_ids

LAB = """\
about: The parent with longer training and an own grid of temperatures.
parent: reduced
seeds: [7, 8]
recipes:
  pretrain: {Pretraining.epochs: 11, Lars.eta: 0.002}
exhibits:
  table_05:
    thinned: Two temperatures.
    set: {Pretraining.batch_size: 128}
    runs:
    - chain: [pretrain, linear_eval]
      grid: {temperature: [0.3, 0.7]}
"""


def declare(project: Path, text: str, name: str = "lab") -> Path:
    path = project / "params" / "scales" / f"{name}.yaml"
    path.write_text(text)
    return path


def complaint(call, *arguments) -> str:
    with pytest.raises(UserError) as caught:
        call(*arguments)
    return str(caught.value)


def test_the_four_stand_in_their_order(project):
    assert scales.names() == scales.roots() == ("smoke", "reduced", "cifar10", "paper")


def test_a_file_alone_gives_a_plan_of_every_exhibit(project):
    declare(project, "about: The parent, with another seed.\nparent: smoke\nseeds: [3]\n")
    assert plan.main(["--scale", "lab", "--quiet"]) == 0
    assert {path.stem for path in Path("params/plan/lab").iterdir()} == set(exhibit_ids())
    for name in ("table_05", "figure_09"):
        mine, parents = plans.read_plan(name, "lab"), plans.resolve(name, "smoke")
        assert {run.seed for runs in mine.stages.values() for run in runs} == {3}
        for stage in mine.stages:
            assert [run.bindings for run in mine.runs(stage)] == [run.bindings for run in parents.runs(stage)]


def test_what_differs_differs_and_the_rest_is_the_parents(project):
    declare(project, LAB)
    runs = plans.resolve("table_05", "lab").runs("pretrain")
    assert [run.id for run in runs] == [f"temperature{n}-seed{s}" for n in (1, 2) for s in (7, 8)]
    bound = runs[0].bindings
    assert (
        bound["Pretraining.epochs"] == 11
        and bound["Lars.eta"] == 0.002
        and bound["nt_xent.temperature"] == 0.3
    )
    assert bound["Pretraining.batch_size"] == 128
    parent = plans.resolve("table_05", "reduced").runs("pretrain")[0].bindings
    changed = {"Pretraining.epochs", "Pretraining.batch_size", "Lars.eta"}
    changed |= {"nt_xent.temperature", "nt_xent.l2_normalize"}
    assert {key for key in bound if bound[key] != parent[key]} <= changed
    other = plans.resolve("table_01", "lab"), plans.resolve("table_01", "reduced")
    assert [run.seed for run in other[0].runs("supervised")][:2] == [7, 8]
    assert len({run.id.split("-seed")[0] for run in other[0].runs("pretrain")}) == len(
        {run.id.split("-seed")[0] for run in other[1].runs("pretrain")}
    )


def test_a_scale_of_a_scale(project):
    declare(project, LAB)
    declare(project, "about: More.\nparent: lab\nrecipes: {pretrain: {Lars.eta: 0.003}}\n", "desk")
    assert scales.names() == ("smoke", "reduced", "lab", "desk", "cifar10", "paper")
    assert scales.lineage("desk") == ("desk", "lab", "reduced")
    bound = plans.resolve("table_05", "desk").runs("pretrain")[0].bindings
    assert (bound["Lars.eta"], bound["Pretraining.epochs"]) == (0.003, 11)


def test_numbers_by_scale_fall_back_to_the_parents(project):
    declare(project, LAB)
    bounds = {"smoke": 1, "reduced": 2, "cifar10": 3, "paper": 4}
    assert scales.value_at("lab", bounds) == 2 and scales.value_at("lab", {**bounds, "lab": 9}) == 9
    declare(project, "about: Alone.\norder: 9\n", "alone")
    with pytest.raises(UserError, match="no value for `alone`"):
        scales.value_at("alone", bounds)
    assert scales.reaches("lab", "reduced") and not scales.reaches("lab", "cifar10")


def test_plans_of_a_scale_that_is_no_longer_declared_go(project):
    path = declare(project, "about: Short.\nparent: smoke\n")
    assert plan.main(["--scale", "lab", "--quiet"]) == 0 and Path("params/plan/lab").is_dir()
    path.unlink()
    assert plan.main(["--scale", "smoke", "--quiet"]) == 0
    assert not Path("params/plan/lab").exists()


def test_the_index_is_one_for_all_scales(project):
    """A stage that only an own scale uses is an empty sweep at the others: both engines have one graph."""
    runs = "[{chain: [supervised], grid: {}, label: {l2_norm: none}}]"
    entry = f"exhibits: {{table_05: {{thinned: Labels., runs: {runs}}}}}"
    declare(project, f"about: With labels.\nparent: smoke\n{entry}\n")
    assert plan.main(["--scale", "smoke", "--quiet"]) == 0
    assert "table_05" in files.read_yaml("params/plan/index.yaml")["sweeps"]["supervised"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("about: A.\nparent: redcued\n", "did you mean `reduced`"),
        ("about: A.\nparent: lab\n", "no parent `lab`"),
        ("about: A.\n", "lab.yaml, line 1"),
        ("about: A.\norder: 3\nparent: smoke\n", "order"),
        ("about: A.\nparent: smoke\nseed: [1]\n", "did you mean `seeds`"),
        ("about: A.\nparent: smoke\nseeds: [-1]\n", "lab.yaml, line 3"),
        ("about: A.\nparent: smoke\nrecipes: {pretrian: {Lars.eta: 1.0}}\n", "did you mean `pretrain`"),
        ("about: A.\nparent: smoke\nrecipes: {pretrain: {Lars.etta: 1.0}}\n", "lab.yaml, line 3"),
        ("about: A.\nparent: smoke\nrecipes: {pretrain: {Lars.eta: [1]}}\n", "lab.yaml, line 3"),
        ("about: A.\nparent: smoke\nexhibits: {table_55: {}}\n", "mentions an unknown exhibit, `table_55`"),
        ("about: A.\nparent: smoke\nexhibits: {table_05: {runs: []}}\n", "lab.yaml, line 3"),
        (
            "about: A.\nparent: smoke\nexhibits:\n  table_05:\n    thinned: B.\n    runs:\n    - chain: [pretrain]\n"
            "      grid: {temprature: [1.0]}\n",
            "lab.yaml, line 8",
        ),
        ("- 1\n", "lab.yaml"),
        ("", "lab.yaml"),
    ],
)
def test_a_mistake_is_told_with_its_line(project, text, said):
    declare(project, text)
    assert said in complaint(plans.all_plans, "lab")


def test_an_exhibit_may_speak_of_an_own_scale_and_of_no_unknown_one(project, edit):
    edit("params/exhibits/table_05.yaml", "\nscales:\n", "\nscales:\n  lab: {seeds: [5]}\n")
    assert "unknown scale `lab`" in complaint(plans.resolve, "table_05", "smoke")
    declare(project, "about: A.\nparent: smoke\n")
    assert {run.seed for run in plans.resolve("table_05", "lab").runs("pretrain")} == {5}
