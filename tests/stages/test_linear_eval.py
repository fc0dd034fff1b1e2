"""Linear evaluation, end to end in one process: nothing upstream changes, and test is looked at once."""

from pathlib import Path

import gin
import pytest
import torch

from common import files
from common.errors import UserError
from simclr.encoder import resnet
from simclr.views import evaluation_view
from stages.data import datasets
from stages.planning.plans import Run
from stages.running import store
from stages.running.job import Job, bind
from tests.stages import tiny


def on_validation(upstream: Run) -> Run:
    return tiny.a_run("linear_eval", upstream, evaluate__split="validation")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def accuracy_by_hand(run: Run, split: str) -> float:
    """Of the saved head on the upstream encoder, in percent."""
    bind(run)
    assert run.upstream is not None
    encoder, head = resnet(), torch.nn.Linear(16, 3)
    weights = files.read_tensors(run.upstream.folder(tiny.RESULTS) / "weights.safetensors")
    encoder.load_state_dict(
        {k.removeprefix("encoder."): v for k, v in weights.items() if k.startswith("encoder.")}
    )
    saved = files.read_tensors(run.folder(tiny.RESULTS) / "weights.safetensors")
    assert saved.keys() == {"head.weight", "head.bias"}
    head.load_state_dict({name.removeprefix("head."): tensor for name, tensor in saved.items()})
    images, labels = datasets.load(tiny.RESULTS / "smoke" / "data" / "tiny", split)
    view = evaluation_view(torch.from_numpy(images).permute(0, 3, 1, 2), 8)
    with torch.no_grad():
        best = head(encoder.eval()(view)).argmax(dim=1)
    return 100 * float((best == torch.from_numpy(labels)).double().mean())


def test_the_upstream_run_keeps_its_bytes_in_the_sweep_and_in_the_store(upstream):
    folders = [upstream.folder(tiny.RESULTS), store.store_folder(tiny.RESULTS, upstream)]
    before = [contents(folder) for folder in folders]
    tiny.work(tiny.a_run("linear_eval", upstream))
    assert [contents(folder) for folder in folders] == before


def test_the_metrics_are_those_of_the_saved_head_on_the_test_split(upstream):
    run = tiny.a_run("linear_eval", upstream)
    metrics = files.read_json(tiny.work(run) / "metrics.json")
    assert (
        metrics.keys() == {"top1", "top2", "top5", "knn_top1"} and metrics["top5"] == 100
    )  # there are three classes
    assert metrics["top1"] == pytest.approx(accuracy_by_hand(run, "test"), abs=1e-9)
    assert metrics["top1"] > 50, "a third would be chance"


def test_the_test_split_is_read_once_after_training_on_all_the_rest(upstream, reads):
    tiny.work(tiny.a_run("linear_eval", upstream))
    assert reads == ["train+validation", "test"]


def test_validation_measures_what_training_did_not_see(upstream, reads):
    run = on_validation(upstream)
    metrics = files.read_json(tiny.work(run) / "metrics.json")
    assert reads == ["train", "validation"]
    assert metrics["top1"] == pytest.approx(accuracy_by_hand(run, "validation"), abs=1e-9)


@pytest.mark.parametrize("damage", ["removed", "truncated"])
def test_validation_never_opens_the_test_arrays(upstream, data, damage):
    for kind in ("images", "labels"):
        path = data / f"test.{kind}.npy"
        path.unlink()
        if damage == "truncated":
            path.write_bytes(b"\x93NUMPY")
    assert "top1" in files.read_json(tiny.work(on_validation(upstream)) / "metrics.json")
    with pytest.raises(UserError, match="an array cannot be read") as caught:
        tiny.work(tiny.a_run("linear_eval", upstream))
    assert "test.images.npy" in str(caught.value) and "prepare" in str(caught.value)


@pytest.mark.parametrize("split", ["tets", "train"])
def test_a_split_that_is_none_of_the_two_is_refused_before_training(upstream, reads, split):
    with pytest.raises(UserError, match="split"):
        tiny.work(tiny.a_run("linear_eval", upstream, evaluate__split=split))
    assert reads == []


def test_test_is_the_split_that_nobody_names(data):
    bind(tiny.a_run("linear_eval"))
    assert gin.get_configurable("evaluate")() == "test"


def test_equal_runs_have_equal_bytes_and_another_seed_has_others(upstream):
    run = tiny.a_run("linear_eval", upstream)
    first = tiny.listed(tiny.work(run))
    torch.manual_seed(17)
    second = tiny.listed(tiny.work(run))
    other = tiny.listed(tiny.work(tiny.a_run("linear_eval", upstream, seed=1)))
    assert first == second and first["weights.safetensors"] != other["weights.safetensors"]
    assert first.keys() == {"curve.csv", "metrics.json", "operative.gin", "weights.safetensors"}


def test_the_encoder_is_the_one_that_was_pretrained_whatever_the_evaluation_binds(upstream):
    """Its shape comes from the upstream run: no recipe of an evaluation can describe another network."""
    run = tiny.a_run("linear_eval", upstream, resnet__base_channels=8)
    encoder = Job(run, tiny.RESULTS).upstream_encoder()
    assert encoder.feature_dim == 16


def test_the_frozen_encoder_is_the_upstream_one(upstream):
    """Not one of the evaluation's own seed."""
    run = tiny.a_run("linear_eval", upstream, seed=5)
    job = Job(run, tiny.RESULTS)
    found = job.upstream_tensors("encoder")
    own = resnet(seed=5).state_dict()
    assert found.keys() == own.keys()
    assert not torch.equal(found["stem.conv.weight"], own["stem.conv.weight"])
    assert tiny.work(run)
    assert files.read_json(run.folder(tiny.RESULTS) / "metrics.json")["top1"] == pytest.approx(
        accuracy_by_hand(run, "test"), abs=1e-9
    )
