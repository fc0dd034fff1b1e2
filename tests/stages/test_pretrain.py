"""Pretraining as a stage, end to end in one process: what it saves, and that a kill leaves no trace."""

import csv

import pytest
import torch

from common import files
from simclr.training import Pretraining
from stages import pretrain
from stages.running import store
from stages.running.job import Job
from stages.running.store import CHECKPOINT
from tests.stages import tiny


@pytest.fixture(autouse=True)
def data(project) -> None:
    """The tiny data set in a project of one's own."""
    tiny.prepare_tiny(project)


class Interrupted(Exception):
    """A kill, where a test can catch it."""


def saving(seed: int = 0):
    """A run that saves a checkpoint after every step."""
    return tiny.a_run("pretrain", seed=seed, execution__checkpoint_minutes=0.0)


def test_the_metrics_are_the_last_row_of_the_curve_and_no_bookkeeping():
    folder = tiny.work(tiny.a_run("pretrain"))
    rows = list(csv.DictReader((folder / "curve.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    metrics = files.read_json(folder / "metrics.json")
    assert metrics.pop("params") == pytest.approx(0.0051, rel=0.1)  # millions; 4 channels
    assert metrics.keys() == {"loss", "contrastive_accuracy", "entropy"}
    assert rows[0].keys() == {*metrics, "epoch", "lr"}
    for name, value in metrics.items():
        assert float(rows[-1][name]) == pytest.approx(value, rel=1e-9)  # the curve has ten digits


def test_the_weights_are_those_after_the_last_step():
    run = tiny.a_run("pretrain")
    saved = files.read_tensors(tiny.work(run) / "weights.safetensors")
    job = Job(run, tiny.RESULTS)
    images, _ = job.data("train+validation")
    training = Pretraining(images, run.seed)
    for _ in range(training.total_steps):
        training.step()
    expected = training.networks.state_dict()
    assert saved.keys() == expected.keys()
    assert {name.split(".")[0] for name in saved} == {"encoder", "head"}
    assert all(torch.equal(saved[name], expected[name]) for name in saved)


def test_another_seed_is_another_training():
    one, other = (tiny.listed(tiny.work(tiny.a_run("pretrain", seed=seed))) for seed in (0, 1))
    assert one.keys() == other.keys() and one["weights.safetensors"] != other["weights.safetensors"]


def differing(a: dict[str, str], b: dict[str, str]) -> set[str]:
    assert a.keys() == b.keys()
    return {name for name in a if a[name] != b[name]}


@pytest.mark.parametrize("interrupt", [1, 4])
def test_a_resumed_pretraining_ends_in_the_bytes_of_an_unbroken_one(monkeypatch, project, interrupt):
    expected = tiny.listed(tiny.work(saving()))
    broken = project / "broken"
    (broken / "smoke").mkdir(parents=True)
    (broken / "smoke" / "data").symlink_to((tiny.RESULTS / "smoke" / "data").resolve())
    step = Pretraining.step

    def stops(training):
        if training.step_number == interrupt:
            raise Interrupted
        return step(training)

    with monkeypatch.context() as patch:
        patch.setattr(Pretraining, "step", stops)
        with pytest.raises(Interrupted):
            pretrain.work(Job(saving(), broken))
    assert (store.partial_folder(broken, saving()) / CHECKPOINT).exists()
    assert not differing(expected, tiny.listed(tiny.work(saving(), broken)))


def test_a_kill_between_the_last_step_and_the_seal_leaves_no_trace_either(monkeypatch):
    expected = tiny.listed(tiny.work(saving()))
    sealed = store.store_folder(tiny.RESULTS, saving())
    sealed.rename(sealed.with_name("aside"))

    def stops(*_, **__):
        raise Interrupted

    with monkeypatch.context() as patch:
        patch.setattr(Job, "save_weights", stops)
        with pytest.raises(Interrupted):
            pretrain.work(Job(saving(), tiny.RESULTS))
    assert not differing(expected, tiny.listed(tiny.work(saving())))


def test_the_online_classifier_is_measured_on_the_test_split():
    run = tiny.a_run("pretrain", Pretraining__online_classifier=True, Pretraining__epochs=15)
    metrics = files.read_json(tiny.work(run) / "metrics.json")
    assert 100 / 3 < metrics["online_top1"] <= 100, "a third would be chance"
    assert "online_top1" not in files.read_json(tiny.work(tiny.a_run("pretrain")) / "metrics.json")
