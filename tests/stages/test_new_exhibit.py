"""The command that writes a new exhibit: what it refuses, and that what it writes plans, runs and draws as it is."""

import json
import sys
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides

from common import files
from stages.__main__ import main
from stages.planning import plans
from stages.planning.scaffold import CLAIMS, FORMS
from tests.small_copy import Clone, commit_all, copy_tree, shorten_training

DECLARED, DRAWN = Path("params/exhibits"), Path("reports/exhibits")
BOTH = "linear_eval.top1,linear_eval.knn_top1"


def new(*words: str, status: int = 0) -> None:
    assert main(["new_exhibit", *words]) == status


def left() -> set[str]:
    return {path.stem for folder in (DECLARED, DRAWN) for path in folder.glob("*_x*")}


@pytest.mark.parametrize("form", FORMS)
def test_what_it_writes_is_a_plan_at_every_scale(project, form):
    name = f"{FORMS[form]}_x1"
    new(name, "--form", form, "--claim", "difference", "--seeds", "3,4")
    for scale in ("smoke", "paper"):
        runs = plans.resolve(name, scale).runs("pretrain")
        assert len(runs) == 8 and {run.seed for run in runs} == {3, 4}
        assert {run.bindings["nt_xent.temperature"] for run in runs} == {0.1, 0.5}
    compile((DRAWN / f"{name}.py").read_text(), name, "exec")


def test_it_has_the_form_in_which_dvc_writes_it(project):
    new("figure_x1", *(word for claim in CLAIMS for word in ("--claim", claim)), "--measure", BOTH)
    before = (DECLARED / "figure_x1.yaml").read_text()
    apply_overrides(DECLARED / "figure_x1.yaml", ["kind=figure"])
    assert (DECLARED / "figure_x1.yaml").read_text() == before


def test_any_title_and_further_claims_of_ours(project):
    new("figure_x1", "--claim", "difference", "--claim", "trend", "--title", "What: a #1 'title'")
    new("table_x1", "--claim", "equivalence")
    first, second = (files.read_yaml(DECLARED / f"{name}.yaml") for name in ("figure_x1", "table_x1"))
    assert first["title"] == "What: a #1 'title'"
    assert [*first["claims"], *second["claims"]] == ["X1", "X2", "X3"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["figure_08"], "figure_08 exists already"),
        (["figure_x"], "not an id for an exhibit"),
        (["figur_x1"], "not an id for an exhibit"),
        (["../figure_x1"], "not an id for an exhibit"),
        (["table_x1", "--form", "bars"], "figure_x1, or another --form"),
        (["figure_x1", "--form", "bras"], "did you mean `bars`"),
        (["figure_x1", "--claim", "diference"], "did you mean `difference`"),
        (["figure_x1", "--vary", "nt_xent.temperature"], "needs a parameter and its values"),
        (["figure_x1", "--vary", "nt_xent.temperature=1,2"], "drawn over two knobs"),
        (["table_x1", "--vary", "nt_xent.temprature=1,2"], "did you mean `temperature`"),
        (["table_x1", "--vary", "nt_xent.temperature=-1"], "temperature must be"),
        (["table_x1", "--claim", "trend", "--vary", "nt_xent.temperature=1"], "two or more values"),
        (["figure_x1", "--claim", "correlation"], "needs two metrics"),
        (["figure_x1", "--chain", "pretrian"], "pretrian"),
        (["figure_x1", "--seeds", "-1"], "figure_x1.yaml, line"),
        (["figure_x1", "--measure", "top1"], "figure_x1.yaml, line"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_left(project, capsys, words, said):
    new(*words, status=2)
    assert said in capsys.readouterr().err and not left()


@pytest.mark.slow
def test_every_form_plans_runs_and_draws_as_it_is(tmp_path):
    copy_tree(tmp_path, [])
    clone = Clone(tmp_path, [])
    shorten_training(clone)
    claims = [word for claim in CLAIMS for word in ("--claim", claim)]
    for number, (form, kind) in enumerate(FORMS.items(), start=1):
        words = ["--form", form, "--seeds", "0,1", "--measure", BOTH, *(claims if number == 1 else [])]
        clone.run(sys.executable, "-m", "stages", "new_exhibit", f"{kind}_x{number}", *words)
    commit_all(clone)
    for command in ("prepare", "run", "collect"):
        clone.run(sys.executable, "-m", "stages", command)
    for command in ("verdict", "draw", "index"):
        clone.run(sys.executable, "-m", f"reports.{command}")
    products = clone.products()
    for number, kind in enumerate(FORMS.values(), start=1):
        record = json.loads(products[f"{kind}_x{number}.json"])
        assert (
            not record["missing"] and f"{kind}_x{number}.{'svg' if kind == 'figure' else 'html'}" in products
        )
    verdicts = {claim["id"]: claim for claim in json.loads(products["verdicts.json"])["claims"]}
    assert set(verdicts) == {f"X{place}" for place in range(1, len(CLAIMS) + 1)}
    assert all(claim["verdict"] != "not run" for claim in verdicts.values())
    stored = [path for path in (tmp_path / "results/smoke/store/pretrain").iterdir() if path.is_dir()]
    assert len(stored) == 8  # four cells of two seeds, which all four exhibits share
