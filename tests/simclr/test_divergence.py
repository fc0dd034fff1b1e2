"""Whatever is not finite ends a training soon, at the update where it began, and looking changes nothing."""

import math
import pickle

import pytest
import torch
from torch import nn

from simclr import divergence
from simclr.classification import linear_evaluation, supervised
from simclr.divergence import EVERY, Diverged, Watch
from simclr.finetuning import fine_tuning, transfer_training
from simclr.probing import Probe
from simclr.sgd import Sgd
from simclr.training import Diverged as FromTraining
from tests.simclr.small import IMAGES, KINDS, LABELS, classifiers, crop_and_flip, pretraining, small_resnet


def watched(values: list[float], network: nn.Module | None = None, since: int = 0) -> Watch:
    watch = Watch(network or nn.Linear(2, 2))
    for step, value in enumerate(values, start=since + 1):
        watch.see(torch.tensor(value), step, last=False)
    return watch


def test_finite_losses_pass_and_the_last_is_kept():
    watch = watched([3.0, 2.0, 1.5])
    assert watch.state()["divergence"].tolist() == [1.5, 0] and watch.last_finite_loss == 1.5


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", [1, 2, EVERY, EVERY + 1, 2 * EVERY])
def test_the_first_loss_that_is_not_finite_is_named(bad, place):
    values = [float(n) for n in range(1, place)] + [bad] * (2 * EVERY - place + 1)
    with pytest.raises(Diverged) as error:
        watched(values)
    assert error.value.step == place
    assert error.value.last_finite_loss == (place - 1 if place > 1 else None)
    assert f"update {place}" in str(error.value)


def test_a_loss_that_recovers_has_diverged_all_the_same():
    with pytest.raises(Diverged) as error:
        watched([1.0, math.nan, *[1.0] * EVERY])
    assert (error.value.step, error.value.last_finite_loss) == (2, 1.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e30])
@pytest.mark.parametrize("where", ["weight", "running_var"])
def test_a_weight_or_statistic_that_is_not_finite_is_found_though_the_loss_is(bad, where):
    """1e30 is finite, but its square and so the norm of its layer is not."""
    network = nn.BatchNorm1d(3)
    getattr(network, where).data[1] = bad
    watch = watched([1.0] * (EVERY - 1), network)
    with pytest.raises(Diverged, match="a weight is not finite") as error:
        watch.see(torch.tensor(0.5), EVERY, last=False)
    assert (error.value.step, error.value.last_finite_loss) == (EVERY, 0.5)


def test_the_last_update_is_always_looked_at():
    watch = watched([1.0, 2.0])
    with pytest.raises(Diverged):
        watch.see(torch.tensor(math.nan), 3, last=True)


@pytest.mark.parametrize("saved_after", [2, 3, 4])
def test_a_resumed_watch_says_what_an_unbroken_one_says(saved_after):
    """Before the loss that is wrong, at it and after it. A state raises nothing: one of many processes writes it."""
    values = [2.0, 1.0, math.nan, 1.0, *[1.0] * EVERY]
    resumed = Watch(nn.Linear(2, 2))
    resumed.load(watched(values[:saved_after]).state())
    with pytest.raises(Diverged) as error:
        for step, value in enumerate(values[saved_after:], start=saved_after + 1):
            resumed.see(torch.tensor(value), step, last=False)
    assert (error.value.step, error.value.last_finite_loss) == (3, 1.0)


def test_a_gpu_waits_once_in_fifty_updates(monkeypatch):
    looks = []
    monkeypatch.setattr(divergence, "_all_finite", lambda networks: looks.append(1) or True)
    monkeypatch.setattr(Watch, "_read", lambda self: looks.append(1))
    watched([1.0] * (EVERY - 1))
    assert not looks


def test_it_travels_between_processes():
    sent = pickle.loads(pickle.dumps(Diverged(7, 0.5, "a weight")))
    assert (sent.step, sent.last_finite_loss, str(sent)) == (7, 0.5, str(Diverged(7, 0.5, "a weight")))
    assert FromTraining is Diverged


def too_fast(kind: str) -> object:
    """A training of a hundred updates at a rate of 1e38 x batch / 256, or 1e38."""
    if kind == "pretraining":
        return pretraining(base_lr=1e38, epochs=50)
    data, whole = (IMAGES, LABELS, 3, 0), {"batch_size": 10, "epochs": 50, "base_lr": 1e38}
    views = {"views": crop_and_flip()}
    if kind == "linear_evaluation":
        return linear_evaluation(small_resnet(), *data, **whole, **views)
    if kind == "supervised":
        return supervised(*data, **whole, warmup_epochs=1, encoder=small_resnet(), **views)
    if kind == "fine_tuning":
        return fine_tuning(small_resnet(), *data, **whole, **views)
    if kind == "transfer_training":
        return transfer_training(
            small_resnet(), *data, lr=1e38, weight_decay=0.0, steps=100, batch_size=10, **views
        )
    features = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    return Probe(features, LABELS, 0, **whole)


@pytest.mark.parametrize("kind", ["pretraining", *KINDS])
def test_a_rate_of_1e38_ends_every_training_within_a_hundred_updates(kind):
    training = too_fast(kind)
    with pytest.raises(Diverged) as error:
        for _ in range(100):
            training.step()
    assert 1 < error.value.step <= 100 and math.isfinite(error.value.last_finite_loss)


@pytest.mark.parametrize("kind", KINDS)
def test_a_weight_that_became_nan_is_found_by_the_end_though_the_loss_is_finite(kind, monkeypatch):
    """The last update of a training makes weights that no loss of it sees."""
    training = classifiers()[kind]
    while training.step_number < training.total_steps - 1:
        training.step()
    monkeypatch.setattr(training.optimizer, "step", lambda lr: _spoil(training.optimizer))
    with pytest.raises(Diverged, match="a weight") as error:
        training.step()
    assert error.value.step == training.total_steps


def test_a_weight_of_pretraining_that_became_nan_is_found_though_the_loss_is_finite(monkeypatch):
    training = pretraining(epochs=30)
    step = training.optimizer.step

    def spoil_the_51st(lr: float) -> None:
        step(lr)
        if training.step_number == EVERY:
            training.networks.register_buffer("beside", torch.tensor([math.nan]))

    monkeypatch.setattr(training.optimizer, "step", spoil_the_51st)
    with pytest.raises(Diverged, match="a weight") as error:
        for _ in range(60):
            training.step()
    assert error.value.step == training.total_steps == 60


def _spoil(optimizer: Sgd) -> None:
    with torch.no_grad():
        weight = optimizer.param_groups[0]["params"][0]
        weight[(0,) * weight.dim()] = math.nan


@pytest.mark.parametrize("kind", KINDS[:4])
def test_scores_that_are_not_finite_are_none(kind):
    training = classifiers()[kind]
    training.step()
    with torch.no_grad():
        training.head.weight[0, 0] = math.inf
    with pytest.raises(Diverged, match="a score is not finite at update 1"):
        training.logits(torch.zeros(4, 3, 8, 8, dtype=torch.uint8) + 200)


def test_predictions_of_a_probe_that_are_not_finite_are_none():
    probe = classifiers()["probe_training"]
    with torch.no_grad():
        probe.mlp[2].bias[0] = math.nan
    with pytest.raises(Diverged, match="a score"):
        probe.predict(probe.features[:2])


def test_a_rate_that_float32_cannot_hold_makes_weights_infinite_and_no_other_error():
    w = nn.Parameter(torch.ones(2))
    w.grad = torch.ones(2)
    Sgd([("w", w)]).step(1e39)
    assert w.isinf().all()
