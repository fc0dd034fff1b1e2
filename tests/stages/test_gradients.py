"""The formulae of Table 2 agree with automatic differentiation, and the check would see if they did not."""

import math

import gin
import pytest
import torch

from common import files
from simclr import objectives
from stages import gradients
from stages.planning.plans import Run
from stages.running import store
from stages.running.job import Job

LIMIT = 1e-12  # float64, unit vectors, logits up to 20: what the exhibit promises
LOSSES = {
    "nt_xent": (0.05, 0.1, 0.5, 1.0),
    "nt_logistic": (0.1, 0.2, 0.5, 1.0),
    "margin_triplet": (0.0, 0.4, 0.8, 1.6),
}
losses = pytest.mark.parametrize("loss", LOSSES)


def check(loss: str, seed: int = 0, **settings: int) -> dict[str, float]:
    return gradients.gradient_check(seed, loss, LOSSES[loss], **{"cases": 8, **settings})


@losses
@pytest.mark.parametrize("seed", [0, 1])
def test_formula_and_automatic_differentiation_agree(loss, seed):
    found = check(loss, seed)
    assert found["max_error"] < LIMIT
    assert found["cases"] == 8 * len(LOSSES[loss])


@losses
def test_one_negative_in_two_dimensions_agrees_too(loss):
    assert check(loss, negatives=1, dimension=2)["max_error"] < LIMIT


@losses
@pytest.mark.parametrize("fault", ["scaled", "sign", "one case", "one coordinate"])
def test_a_wrong_formula_is_caught(loss, fault, monkeypatch):
    right, calls = getattr(objectives, f"gradient_{loss}"), []

    def wrong(u, positive, negatives, parameter):
        calls.append(parameter)
        gradient = right(u, positive, negatives, parameter).clone()
        if fault == "scaled":
            return gradient * (1 + 1e-9)
        if fault == "sign":
            return -gradient
        if fault == "one case" and len(calls) == 5:
            gradient += 1e-9
        if fault == "one coordinate":
            gradient[-1] += 1e-9
        return gradient

    monkeypatch.setattr(f"simclr.losses.{loss}.gradient_{loss}", wrong)
    assert check(loss)["max_error"] > LIMIT


def test_a_formula_without_its_temperature_is_caught(monkeypatch):
    right = objectives.gradient_nt_xent
    monkeypatch.setattr("simclr.losses.nt_xent.gradient_nt_xent", lambda u, p, n, t: right(u, p, n, t) * t)
    assert check("nt_xent")["max_error"] > 0.01


def test_only_nt_xent_weighs_a_negative_beside_the_others():
    found = {loss: check(loss) for loss in LOSSES}
    assert found["nt_xent"]["least_coupling"] > 1e-9
    assert found["nt_logistic"]["largest_coupling"] == found["margin_triplet"]["largest_coupling"] == 0.0
    assert found["nt_logistic"]["least_coupling"] == 0.0


def test_coupling_of_three_vectors_on_a_line():
    """u.v+ = 1, u.v- = 0 and 0 at temperature 1: a weight of 1 / (e + 2) falls to 1 / (2 e + 1)."""
    u, orthogonal = torch.eye(2, dtype=torch.float64)
    found = gradients.coupling(objectives.objective_nt_xent, u, u, torch.stack([orthogonal] * 2), 1.0)
    assert found == pytest.approx(1 / (math.e + 2) - 1 / (2 * math.e + 1))


def test_cases_are_addressed_and_differ():
    rows = [gradients._unit_rows(seed, case, 4, 8) for seed, case in ((0, 0), (0, 1), (1, 0), (0, 0))]
    assert rows[0].equal(rows[3]) and not rows[0].equal(rows[1]) and not rows[0].equal(rows[2])
    assert rows[0].norm(dim=1).tolist() == pytest.approx([1.0] * 4, abs=1e-15)


def test_the_stage_writes_what_the_check_found(project):
    bindings = {
        "execution.device": "cpu",
        "gradient_check.loss": "margin_triplet",
        "gradient_check.parameters": [0.4, 0.8],
        "gradient_check.cases": 3,
    }
    run = Run("table_02", "smoke", "gradients", "loss3-seed0", 6, bindings, {})
    gradients.work(Job(run, project / "results"))
    found = files.read_json(store.store_folder(project / "results", run) / "metrics.json")
    gin.clear_config()
    assert found == gradients.gradient_check(6, "margin_triplet", (0.4, 0.8), cases=3)
    assert found["cases"] == 6.0
