"""Transfer by fine-tuning: the runs of a search, which validation alone chooses among, and the run that chooses."""

import csv
import importlib
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
from stages import transfer, transfer_search
from stages.data import datasets
from stages.running import store
from stages.running.job import Job
from stages.steps import transferring
from stages.transfer import Point
from tests.bench import stand_ins
from tests.stages import tiny

GRID = {"transfer_grid__learning_rates": [0.1, 0.3], "transfer_grid__weight_decays": [0.0, 0.001]}


@pytest.fixture
def trained(monkeypatch) -> list[tuple[int, float, float]]:
    """(images, lr, weight decay) of every training in order."""
    seen, make = [], transferring.transfer_training

    def spy(encoder, images, *rest, **given):
        training = make(encoder, images, *rest, **given)
        lr = training.schedule.peak
        # The grid's decay is divided by its rate, so that their product is what the grid says.
        seen.append((len(images), lr, round(training.optimizer.weight_decay * lr, 12)))
        return training

    monkeypatch.setattr(transferring, "transfer_training", spy)
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
    assert reads == [*["train", "validation"] * 4, "train+validation", "test"]
    points = [(lr, decay) for lr in (0.1, 0.3) for decay in (0.0, 0.001)]
    assert trained[:-1] == [(36, *point) for point in points]
    metrics = metrics_of(folder)
    assert trained[-1] == (48, metrics["chosen_lr"], metrics["chosen_weight_decay"])
    assert [(row["lr"], row["weight_decay"]) for row in grid_of(folder)] == points


def test_the_benchmark_stands_in_for_its_runs_with_as_many_files(upstream):
    tiny.work(tiny.a_run("transfer", upstream, **GRID))
    made = tiny.RESULTS / "smoke" / "store"
    for stage, runs in (("transfer_search", 4), ("transfer", 1)):
        left = [{path.name for path in run.iterdir()} for run in (made / stage).iterdir() if run.is_dir()]
        assert left == runs * [{*stand_ins.written_by(stage), store.RUN, store.RECORD}]


def test_validation_alone_chooses(upstream, monkeypatch):
    """Known outcomes: the third point is best on validation, the first would be on test; equal ones: the first."""
    outcomes = iter([40.0, 55.0, 70.0, 70.0])
    monkeypatch.setattr(transfer_search, "score", lambda *given: next(outcomes))
    monkeypatch.setattr(transfer, "score", lambda *given: 12.5)
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
    starts, make = [], transferring.transfer_training

    def spy(encoder, *rest, **point):
        training = make(encoder, *rest, **point)
        starts.append({name: t.clone() for name, t in training.encoder.state_dict().items()})
        return training

    monkeypatch.setattr(transferring, "transfer_training", spy)
    run = tiny.a_run("transfer", upstream)
    tiny.work(run)
    expected = Job(run, tiny.RESULTS).upstream_tensors("encoder")
    assert len(starts) == 3
    for start in starts:
        assert all(torch.equal(start[name], expected[name]) for name in expected)


def test_a_rate_that_diverges_is_not_chosen(upstream):
    bindings = {"transfer_grid__learning_rates": [1e30, 0.1]}
    run = tiny.a_run("transfer", upstream, **bindings)
    folder = tiny.work(run)
    assert metrics_of(folder)["chosen_lr"] == 0.1
    assert grid_of(folder)[0]["validation"] == -math.inf
    found = [store.read_run(store.find(tiny.RESULTS, point)).get("diverged") for point in run.search]
    assert found[0]["stage"] == "transfer_search" and found[1] is None


def test_where_every_training_of_the_grid_diverged_so_has_the_run(upstream):
    run = tiny.a_run("transfer", upstream, transfer_grid__learning_rates=[1e30, 1e31])
    for point in run.search:
        tiny.carry_out(point)
    with pytest.raises(Diverged, match="every training of the grid"):
        transfer.work(Job(run, tiny.RESULTS))
    folder = tiny.carry_out(run)
    assert metrics_of(folder) == {}
    told = store.read_run(folder)["diverged"]
    assert told == {"stage": "transfer", "step": 0, "last_finite_loss": None}


def test_what_the_upstream_run_lost_is_said_by_the_whole_search_and_not_tried(upstream, data, trained):
    lost = tiny.a_run("pretrain", Pretraining__base_lr=1e30)
    tiny.carry_out(lost)
    run = tiny.a_run("transfer", lost)
    folders = [tiny.carry_out(each) for each in (*run.search, run)]
    assert {store.read_run(folder)["diverged"]["stage"] for folder in folders} == {"pretrain"}
    assert trained == []


def test_a_search_that_is_not_there_is_asked_for(upstream, reads):
    run = tiny.a_run("transfer", upstream)
    tiny.carry_out(run.search[0])
    del reads[:]
    with pytest.raises(UserError, match="a run among which this one chooses is not there") as caught:
        transfer.work(Job(run, tiny.RESULTS))
    said = str(caught.value)
    assert run.search[1].id in said and "run stage transfer_search for this sweep first" in said
    assert reads == []


def test_a_score_that_was_changed_is_refused(upstream):
    run = tiny.a_run("transfer", upstream)
    tiny.work(run)
    path = store.store_folder(tiny.RESULTS, run.search[1]) / "metrics.json"
    files.write_json(path, {"validation": -1.0})
    with pytest.raises(UserError, match="a finished run is damaged") as caught:
        transfer.work(Job(run, tiny.RESULTS))
    assert "metrics.json" in str(caught.value)


def test_the_search_decides_which_run_it_is_and_stands_in_its_cause(upstream):
    run = tiny.a_run("transfer", upstream, **GRID)
    cause = store.read_run(tiny.work(run))
    assert cause["search"] == [point.fingerprint for point in run.search] and len(set(cause["search"])) == 4
    assert cause["upstream"] == upstream.fingerprint
    for name, value in (("lr", 0.1), ("weight_decay", 0.001)):
        assert run.search[1].bindings[f"transfer_training.{name}"] == value
    assert not [key for key in run.search[1].bindings if key.startswith("transfer_grid.")]


# Five steps. A run that dies at its first has no checkpoint yet.
@pytest.mark.parametrize("steps", [1, 3, 4])
@pytest.mark.parametrize("stage", ["transfer_search", "transfer"])
def test_a_killed_run_resumes_to_the_bytes_of_an_unbroken_one(upstream, project, stage, steps, monkeypatch):
    run = tiny.a_run("transfer", upstream, execution__checkpoint_minutes=0.0)
    expected = tiny.listed(tiny.work(run))
    chosen = {"arrays.npz", "grid.csv", "metrics.json", "operative.gin", "weights.safetensors"}
    assert expected.keys() == chosen
    if stage == "transfer_search":
        run = run.search[1]
        expected = tiny.listed(run.folder(tiny.RESULTS))
        assert expected.keys() == {"metrics.json", "operative.gin"}
    broken = tiny.killed_after(steps, run, project / "broken")
    made, step = [], Classification.step
    monkeypatch.setattr(Classification, "step", lambda training: made.append(training) or step(training))
    assert tiny.listed(tiny.carry_out(run, broken)) == expected
    assert len(made) == 5 - steps, "finished steps are not done again"


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
        transfer.work(Job(tiny.a_run("transfer", upstream, **changes), tiny.RESULTS))
    assert reads == []


def test_a_metric_that_nobody_computes_is_refused(upstream, data):
    metric_of_tiny(data, "f1")
    run = tiny.a_run("transfer", upstream)
    for each in (run.search[0], run):
        with pytest.raises(UserError, match="metric") as caught:
            importlib.import_module(f"stages.{each.stage}").work(Job(each, tiny.RESULTS))
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
