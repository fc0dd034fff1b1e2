"""Transfer by logistic regression, end to end in one process: frozen encoder, a choice, one look at the test split."""

from pathlib import Path

import numpy as np
import pytest
import torch

from common import files
from common.errors import UserError
from simclr.divergence import Diverged
from simclr.labels import UNJUDGED
from simclr.logistic import path
from simclr.metrics import map11
from simclr.views import shorter_side_view
from stages import logistic
from stages.data import datasets
from stages.planning.plans import Run
from stages.running import store
from stages.running.job import Job, bind
from tests.stages import tiny

BOUND = {
    "dataset.name": "tiny",
    "execution.device": "cpu",
    "frozen_features.size": 8,
    "l2_path.lowest": 1e-4,
    "l2_path.highest": 1e4,
    "l2_path.values": 9,
}


def a_run(upstream: Run, **changes: object) -> Run:
    bindings = BOUND | {name.replace("__", "."): value for name, value in changes.items()}
    return Run("table_05", "smoke", "logistic", "run-seed0", 0, bindings, {}, upstream)


def metric_of_tiny(data: Path, **changes: object) -> None:
    tiny.rewrite_manifest(data, {**datasets.read_manifest(data), **changes})


def replace_labels(data: Path, split: str, labels: np.ndarray) -> None:
    files.write_arrays(data, {f"{split}.labels": labels})
    manifest = datasets.read_manifest(data)
    manifest["splits"][split]["labels"] = {
        "dtype": labels.dtype.name,
        "shape": list(labels.shape),
        "sha256": datasets.array_sha256(labels),
    }
    tiny.rewrite_manifest(data, manifest)


def with_several_labels(data: Path) -> None:
    """Not red, red or green, blue."""
    meaning = np.array([[0, 1, 0], [1, 1, 0], [1, 0, 1]], np.int64)
    for split, size in tiny.SIZES.items():
        replace_labels(data, split, meaning[np.arange(size) % 3])
    metric_of_tiny(data, metric="map11", validation={"official": 12})


def by_hand(run: Run, several: bool = False) -> tuple[dict[str, float], torch.Tensor]:
    """The protocol in a few lines."""
    bind(run)
    job = Job(run, tiny.RESULTS)
    encoder = job.upstream_encoder().eval()
    splits = {}
    for split in ("train", "validation", "test"):
        images, labels = job.data(split)
        with torch.no_grad():
            splits[split] = encoder(shorter_side_view(images, 8)), labels

    def measure(classifier, split):
        features, labels = splits[split]
        logits = classifier.logits(features)
        if several:
            return float(map11(logits, labels)), (logits > 0).to(torch.uint8)
        best = logits.argmax(1)
        return 100 * float((best == labels).double().mean()), best

    scores = {
        c.l2: measure(c, "validation")[0] for c in path(*splits["train"], 3, [10.0**e for e in range(-4, 5)])
    }
    best = max(scores.values())
    l2 = max(l2 for l2, score in scores.items() if score == best)
    whole = [torch.cat(pair) for pair in zip(splits["train"], splits["validation"], strict=True)]
    value, predictions = measure(next(path(*whole, 3, [l2])), "test")
    return {"value": value, "chosen_l2": l2, "validation": best}, predictions


def test_the_encoder_keeps_its_bytes_and_its_statistics(upstream, monkeypatch):
    folders = [upstream.folder(tiny.RESULTS), store.store_folder(tiny.RESULTS, upstream)]
    before = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]
    encoders, build = [], Job.upstream_encoder

    def spy(job):
        encoders.append(build(job))
        return encoders[-1].train()  # the stage itself must put it into evaluation mode

    monkeypatch.setattr(Job, "upstream_encoder", spy)
    tiny.work(a_run(upstream))
    assert [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders] == before
    [used], stored = encoders, files.read_tensors(folders[0] / "weights.safetensors")
    state = used.state_dict()
    assert any(name.endswith("running_mean") for name in state)
    assert all(torch.equal(tensor, stored[f"encoder.{name}"]) for name, tensor in state.items())
    assert not used.training and all(p.grad is None for p in used.parameters())


def test_the_numbers_are_the_protocols(upstream):
    run = a_run(upstream)
    folder = tiny.work(run)
    metrics, (expected, predictions) = files.read_json(folder / "metrics.json"), by_hand(run)
    assert metrics == {
        "top1": pytest.approx(expected["value"]),
        "accuracy": pytest.approx(expected["value"]),
        "chosen_l2": expected["chosen_l2"],
        "validation": pytest.approx(expected["validation"]),
    }
    assert metrics["top1"] > 50, "a third would be chance"
    arrays = files.read_npz(folder / "arrays.npz")
    assert arrays.keys() == {"logistic_predictions", "logistic_labels"}
    assert arrays["logistic_predictions"].dtype == arrays["logistic_labels"].dtype == np.int64
    assert np.array_equal(arrays["logistic_predictions"], predictions.numpy())
    assert np.mean(arrays["logistic_predictions"] == arrays["logistic_labels"]) * 100 == pytest.approx(
        metrics["top1"]
    )


def test_several_labels_are_measured_by_map_and_kept_as_outcomes(upstream, data):
    with_several_labels(data)
    run = a_run(upstream)
    folder = tiny.work(run)
    metrics, (expected, predictions) = files.read_json(folder / "metrics.json"), by_hand(run, several=True)
    assert (
        metrics["map11"] == pytest.approx(expected["value"]) and metrics["chosen_l2"] == expected["chosen_l2"]
    )
    assert "top1" not in metrics and metrics["map11"] > 70
    arrays = files.read_npz(folder / "arrays.npz")
    assert arrays["logistic_predictions"].dtype == np.uint8 and arrays["logistic_labels"].shape == (12, 3)
    assert np.array_equal(arrays["logistic_predictions"], predictions.numpy())
    agreement = (arrays["logistic_predictions"] == arrays["logistic_labels"]).mean()
    assert metrics["accuracy"] == pytest.approx(100 * agreement)


def test_labels_that_are_not_judged_are_neither_learnt_nor_measured(upstream, data):
    """Whatever they would be: as outcomes they are no difference between two models, in the permutation test either."""
    with_several_labels(data)
    for split in ("train", "test"):
        labels = np.load(data / f"{split}.labels.npy")
        labels[1::5, 0] = UNJUDGED
        replace_labels(data, split, labels)
    run = a_run(upstream)
    folder = tiny.work(run)
    metrics, (expected, predictions) = files.read_json(folder / "metrics.json"), by_hand(run, several=True)
    assert metrics["map11"] == pytest.approx(expected["value"])
    arrays = files.read_npz(folder / "arrays.npz")
    judged = arrays["logistic_labels"] != UNJUDGED
    assert (~judged).sum() == 3 and (arrays["logistic_predictions"][~judged] == UNJUDGED).all()
    assert np.array_equal(arrays["logistic_predictions"][judged], predictions.numpy()[judged])
    right = (arrays["logistic_predictions"] == arrays["logistic_labels"])[judged].mean()
    assert metrics["accuracy"] == pytest.approx(100 * right)


def test_a_label_without_a_certain_counterexample_is_named(upstream, data):
    with_several_labels(data)
    labels = np.load(data / "train.labels.npy")
    labels[:, 1] = np.where(labels[:, 1] == 1, 1, UNJUDGED)
    replace_labels(data, "train", labels)
    with pytest.raises(UserError, match="without a counterexample in train"):
        tiny.work(a_run(upstream))


def test_the_data_sets_own_metric_is_reported(upstream, data):
    metric_of_tiny(data, metric="mean_per_class")
    assert "mean_per_class" in files.read_json(tiny.work(a_run(upstream)) / "metrics.json")


def test_test_is_read_once_and_last(upstream, monkeypatch):
    seen, load = [], datasets.load
    monkeypatch.setattr(
        datasets, "load", lambda folder, split, **o: seen.append(split) or load(folder, split, **o)
    )
    tiny.work(a_run(upstream))
    assert seen == ["train", "validation", "test"]


def test_of_equally_good_penalties_the_strongest_is_chosen(upstream, monkeypatch):
    monkeypatch.setattr(logistic, "score", lambda *_: 50.0)
    assert files.read_json(tiny.work(a_run(upstream)) / "metrics.json")["chosen_l2"] == 1e4


def test_features_do_not_depend_on_the_batch(upstream):
    job = Job(a_run(upstream), tiny.RESULTS)
    encoder, (images, _) = job.upstream_encoder(), job.data("train")
    few, many = (logistic.frozen_features(encoder, images, batch_size=size) for size in (7, 100))
    torch.testing.assert_close(few, many, rtol=1e-5, atol=1e-6)
    assert not many.requires_grad and many.shape == (36, 16)


def test_equal_runs_have_equal_bytes(upstream):
    assert tiny.listed(tiny.work(a_run(upstream))) == tiny.listed(tiny.work(a_run(upstream)))


def test_the_papers_penalties():
    found = logistic.l2_path(1e-6, 1e5, 45)
    assert len(found) == 45 and found[0] == 1e5 and found[-1] == 1e-6 and found[20] == 1.0
    assert np.diff(np.log10(found)) == pytest.approx([-0.25] * 44, abs=1e-11)


@pytest.mark.parametrize("bad", [{"lowest": 0.0}, {"lowest": 10.0, "highest": 1.0}, {"values": 0}])
def test_a_path_that_is_none_is_refused(bad):
    with pytest.raises(UserError, match="not a path of penalties"):
        logistic.l2_path(**{"lowest": 0.1, "highest": 1.0, "values": 3, **bad})


def test_a_class_without_an_example_is_named(upstream, data):
    replace_labels(data, "train", (np.arange(48) % 2).astype(np.int64))
    with pytest.raises(UserError, match="without an example in train") as caught:
        tiny.work(a_run(upstream))
    assert "label 2" in str(caught.value) and "tiny" in str(caught.value)


def test_a_class_that_cannot_be_measured_matters_only_where_classes_are_averaged(upstream, data):
    replace_labels(data, "test", (np.arange(12) % 2).astype(np.int64))
    assert tiny.work(a_run(upstream))
    metric_of_tiny(data, metric="mean_per_class")
    with pytest.raises(UserError, match="without an example in test"):
        tiny.work(a_run(upstream, l2_path__values=5))


def test_a_label_that_every_image_has_is_named(upstream, data):
    with_several_labels(data)
    labels = np.load(data / "train.labels.npy")
    labels[:, 1] = 1
    replace_labels(data, "train", labels)
    with pytest.raises(UserError, match="without a counterexample in train"):
        tiny.work(a_run(upstream))


def test_a_metric_that_does_not_suit_the_labels_is_refused(upstream, data):
    metric_of_tiny(data, metric="map11")
    with pytest.raises(UserError, match="metric does not suit"):
        tiny.work(a_run(upstream))


def test_features_that_are_not_numbers_are_said():
    with pytest.raises(Diverged, match="a feature of the encoder"):
        list(logistic.solutions(torch.tensor([[float("nan")], [1.0]]), torch.tensor([0, 1]), 2, [1.0]))
