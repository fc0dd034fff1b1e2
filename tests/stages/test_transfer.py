"""Transfer by fine-tuning: validation alone chooses, test is read once, and a kill leaves no trace."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from common import files
from common.errors import UserError
from simclr.classification import Classification, top_k
from simclr.divergence import Diverged
from simclr.labels import UNJUDGED
from simclr.metrics import map11, mean_per_class, score
from stages import transfer
from stages.data import datasets
from stages.running.job import Job
from stages.transfer import Point
from tests.stages import tiny

GRID = {"transfer_grid__learning_rates": [0.1, 0.3], "transfer_grid__weight_decays": [0.0, 0.001]}


@pytest.fixture
def trained(monkeypatch) -> list[tuple[int, float, float]]:
    """(images, lr, weight decay) of every training in order."""
    seen, make = [], transfer.transfer_training

    def spy(encoder, images, labels, classes, seed, **point):
        seen.append((len(images), point["lr"], point["weight_decay"]))
        return make(encoder, images, labels, classes, seed, **point)

    monkeypatch.setattr(transfer, "transfer_training", spy)
    return seen


def metrics_of(folder: Path) -> dict[str, float]:
    return files.read_json(folder / "metrics.json")


def grid_of(folder: Path) -> list[dict[str, float]]:
    rows = csv.DictReader((folder / "grid.csv").read_text().splitlines())
    return [{name: float(value) for name, value in row.items()} for row in rows]


def metric_of_tiny(folder: Path, name: str) -> None:
    """Let the data set be reported by another metric."""
    manifest = files.read_json(folder / "manifest.json")
    tiny.rewrite_manifest(folder, {**manifest, "metric": name})


def with_several_labels(folder: Path) -> None:
    """Every image shows two of the three classes; the last quarter of train is the validation split."""
    manifest = files.read_json(folder / "manifest.json")
    for split in ("train", "test"):
        labels = 1 - np.eye(3, dtype=np.int64)[np.load(folder / f"{split}.labels.npy")]
        files.write_array(folder / f"{split}.labels.npy", labels)
        manifest["splits"][split]["labels"] = {
            "dtype": labels.dtype.name,
            "shape": list(labels.shape),
            "sha256": datasets.array_sha256(labels),
        }
    changed = {"metric": "map11", "validation": {"official": 12}}
    tiny.rewrite_manifest(folder, manifest | changed)


def test_every_point_trains_on_train_and_the_chosen_one_once_more_on_all(upstream, reads, trained):
    folder = tiny.work(tiny.a_run("transfer", upstream, **GRID))
    assert reads == ["train", "validation", "train+validation", "test"]
    points = [(lr, decay) for lr in (0.1, 0.3) for decay in (0.0, 0.001)]
    assert trained[:-1] == [(36, *point) for point in points]
    metrics = metrics_of(folder)
    assert trained[-1] == (48, metrics["chosen_lr"], metrics["chosen_weight_decay"])
    assert [(row["lr"], row["weight_decay"]) for row in grid_of(folder)] == points


def test_validation_alone_chooses(upstream, monkeypatch):
    """Known outcomes: the third point is best on validation, the first would be on test; equal ones: the first."""
    outcomes = {"validation": iter([40.0, 55.0, 70.0, 70.0]), "test": iter([12.5])}

    def told(metric, logits, labels, classes):
        return next(outcomes["validation"], None) or next(outcomes["test"])

    monkeypatch.setattr(transfer, "score", told)
    folder = tiny.work(tiny.a_run("transfer", upstream, **GRID))
    metrics = metrics_of(folder)
    assert (metrics["chosen_lr"], metrics["chosen_weight_decay"]) == (0.3, 0.0)
    assert (metrics["validation"], metrics["top1"]) == (70.0, 12.5)
    assert [row["validation"] for row in grid_of(folder)] == [40.0, 55.0, 70.0, 70.0]


def test_what_stands_on_test_cannot_move_the_choice(upstream, data):
    folder = tiny.work(tiny.a_run("transfer", upstream, **GRID))
    before, grid = metrics_of(folder), grid_of(folder)
    labels = np.load(data / "test.labels.npy")[::-1].copy()
    manifest = files.read_json(data / "manifest.json")
    files.write_array(data / "test.labels.npy", labels)
    manifest["splits"]["test"]["labels"]["sha256"] = datasets.array_sha256(labels)
    tiny.rewrite_manifest(data, manifest)
    folder = tiny.work(tiny.a_run("transfer", upstream, **GRID))
    after = metrics_of(folder)
    assert grid_of(folder) == grid and after["top1"] != before["top1"]
    assert {k: v for k, v in after.items() if k not in ("top1", "accuracy")} == {
        k: v for k, v in before.items() if k not in ("top1", "accuracy")
    }


def test_the_metrics_are_those_of_the_saved_predictions(upstream):
    folder = tiny.work(tiny.a_run("transfer", upstream, transfer_training__steps=20))
    metrics, arrays = metrics_of(folder), files.read_npz(folder / "arrays.npz")
    assert metrics.keys() == {"top1", "accuracy", "chosen_lr", "chosen_weight_decay", "validation"}
    assert arrays.keys() == {"transfer_predictions", "transfer_labels"}
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.int64)}
    assert arrays["transfer_labels"].tolist() == tiny.coloured(12, seed=1)[1].tolist()
    right = (arrays["transfer_predictions"] == arrays["transfer_labels"]).mean()
    assert metrics["top1"] == metrics["accuracy"] == pytest.approx(100 * right, abs=1e-9)
    assert metrics["top1"] > 50, "a third would be chance"


def test_the_data_sets_own_metric_chooses_and_is_reported(upstream, data):
    metric_of_tiny(data, "mean_per_class")
    metrics = metrics_of(tiny.work(tiny.a_run("transfer", upstream)))
    assert "mean_per_class" in metrics and "top1" not in metrics


def test_each_metric_is_the_librarys():
    logits = torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0], [1.0, 0.0, 0.5], [0.0, 1.0, 2.0]])
    labels = torch.tensor([0, 1, 2, 2])
    several = torch.tensor([[1, 0, 1], [0, 1, 0], [1, 1, 0], [0, 0, 1]])
    assert score("top1", logits, labels, 3) == top_k(logits, labels, 1) == 75
    expected = mean_per_class(logits.argmax(1), labels, 3)
    assert score("mean_per_class", logits, labels, 3) == float(expected)
    assert float(expected) == pytest.approx(100 * (1 + 1 + 0.5) / 3)
    assert score("map11", logits, several, 3) == float(map11(logits, several))


def test_images_with_several_labels(upstream, data):
    with_several_labels(data)
    bindings = {"transfer_training__steps": 20, "transfer_grid__learning_rates": [0.03, 0.1]}
    folder = tiny.work(tiny.a_run("transfer", upstream, **bindings))
    metrics, arrays = metrics_of(folder), files.read_npz(folder / "arrays.npz")
    assert {"map11", "accuracy"} < metrics.keys() and "top1" not in metrics
    for array in arrays.values():
        assert array.dtype == np.uint8 and array.shape == (12, 3) and set(np.unique(array)) <= {0, 1}
    assert arrays["transfer_labels"].sum(1).tolist() == [2] * 12
    right = (arrays["transfer_predictions"] == arrays["transfer_labels"]).mean()
    assert metrics["accuracy"] == pytest.approx(100 * right, abs=1e-9)
    assert metrics["map11"] > 67, (
        "two thirds of the images have a label: the precision of any order is about that"
    )


def test_labels_that_are_not_judged_are_no_outcomes(upstream, data):
    with_several_labels(data)
    labels, manifest = np.load(data / "test.labels.npy"), files.read_json(data / "manifest.json")
    labels[:4, 0] = UNJUDGED
    files.write_array(data / "test.labels.npy", labels)
    manifest["splits"]["test"]["labels"]["sha256"] = datasets.array_sha256(labels)
    tiny.rewrite_manifest(data, manifest)
    folder = tiny.work(tiny.a_run("transfer", upstream))
    metrics, arrays = metrics_of(folder), files.read_npz(folder / "arrays.npz")
    assert np.array_equal(arrays["transfer_predictions"] == UNJUDGED, labels == UNJUDGED)
    right = (arrays["transfer_predictions"] == labels)[labels != UNJUDGED].mean()
    assert metrics["accuracy"] == pytest.approx(100 * right, abs=1e-9)


def test_every_training_starts_from_the_upstream_encoder(upstream, monkeypatch):
    starts, make = [], transfer.transfer_training

    def spy(encoder, *rest, **point):
        training = make(encoder, *rest, **point)
        starts.append({name: t.clone() for name, t in training.encoder.state_dict().items()})
        return training

    monkeypatch.setattr(transfer, "transfer_training", spy)
    run = tiny.a_run("transfer", upstream)
    tiny.work(run)
    expected = Job(run, tiny.RESULTS).upstream_tensors("encoder")
    assert len(starts) == 3
    for start in starts:
        assert all(torch.equal(start[name], expected[name]) for name in expected)


def test_a_rate_that_diverges_is_not_chosen(upstream):
    bindings = {"transfer_grid__learning_rates": [1e30, 0.1]}
    folder = tiny.work(tiny.a_run("transfer", upstream, **bindings))
    assert metrics_of(folder)["chosen_lr"] == 0.1
    assert grid_of(folder)[0]["validation"] == -math.inf
    with pytest.raises(Diverged, match="every training of the grid"):
        tiny.work(tiny.a_run("transfer", upstream, transfer_grid__learning_rates=[1e30]))


# Two points and the chosen one, five steps each. A step of 5 or 10 is the first of the next training: the last
# checkpoint is then of the one before it, which is made good from its fourth step.
@pytest.mark.parametrize("steps", [2, 5, 7, 11])
def test_a_killed_run_resumes_to_the_bytes_of_an_unbroken_one(upstream, project, steps, monkeypatch):
    run = tiny.a_run("transfer", upstream, execution__checkpoint_minutes=0.0)
    expected = tiny.listed(tiny.work(run))
    assert expected.keys() == {
        "arrays.npz",
        "grid.csv",
        "metrics.json",
        "operative.gin",
        "weights.safetensors",
    }
    broken = tiny.killed_after(steps, run, project / "broken")
    made, step = [], Classification.step
    monkeypatch.setattr(Classification, "step", lambda training: made.append(training) or step(training))
    assert tiny.listed(tiny.work(run, broken)) == expected
    assert len(made) == 15 - steps + (steps % 5 == 0), "finished points and steps are not done again"


def test_equal_runs_have_equal_bytes_and_another_seed_has_others(upstream):
    first = tiny.listed(tiny.work(tiny.a_run("transfer", upstream)))
    torch.manual_seed(17)
    assert tiny.listed(tiny.work(tiny.a_run("transfer", upstream))) == first
    other = tiny.listed(tiny.work(tiny.a_run("transfer", upstream, seed=1)))
    assert other["weights.safetensors"] != first["weights.safetensors"]


@pytest.mark.parametrize(
    "changes",
    [
        {"transfer_grid__learning_rates": []},
        {"transfer_grid__weight_decays": []},
        {"transfer_grid__learning_rates": [0.1, 0.0]},
        {"transfer_grid__weight_decays": [-1e-4]},
    ],
)
def test_a_grid_that_is_none_is_refused_before_training(upstream, reads, changes):
    with pytest.raises(UserError, match="not a grid"):
        tiny.work(tiny.a_run("transfer", upstream, **changes))
    assert reads == []


def test_a_metric_that_nobody_computes_is_refused(upstream, data):
    metric_of_tiny(data, "f1")
    with pytest.raises(UserError, match="metric") as caught:
        tiny.work(tiny.a_run("transfer", upstream))
    assert "map11" in str(caught.value) and "f1" in str(caught.value)


def test_of_equal_scores_the_first_point_is_chosen():
    grid = [Point(0.1, 0.0), Point(0.1, 1e-3), Point(0.3, 0.0)]
    assert transfer.choose(grid, [50.0, 60.0, 60.0]) == grid[1]


def test_the_papers_grid_is_the_papers(project):
    from stages.planning.recipes import read_recipe, recipe_path

    recipe = {name: value for name, (value, _) in read_recipe(recipe_path("transfer", "paper")).items()}
    np.testing.assert_allclose(recipe["transfer_grid.learning_rates"], np.logspace(-4, -1, 7), rtol=1e-12)
    decays = recipe["transfer_grid.weight_decays"]
    assert decays[0] == 0
    np.testing.assert_allclose(decays[1:], np.logspace(-6, -3, 7), rtol=1e-12)
    assert (recipe["transfer_training.steps"], recipe["transfer_training.batch_size"]) == (20000, 256)
