"""All weights learn, at the rates and decays that Appendices B.5 and B.8.2 name, and a kill changes no bit."""

import math

import gin
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from simclr.batch_norm import BatchNorm
from simclr.classification import Classification, cross_entropy
from simclr.encoder import ResNet, resnet
from simclr.finetuning import (
    Rows,
    batch_norm_momentum,
    fine_tuning,
    set_batch_norm_momentum,
    take,
    transfer_training,
)
from simclr.labels import UNJUDGED
from simclr.metrics import predicted

N, CLASSES, BATCH, STEPS = 20, 3, 8, 7  # 2 whole batches an epoch: the steps end amid one
SMALL = {
    "ViewPolicy.size": 8,
    "ViewPolicy.ops": ("crop", "flip"),
    "resnet.depth": 8,
    "resnet.stem": "cifar",
    "resnet.base_channels": 4,
    "fine_tuning.batch_size": BATCH,
    "fine_tuning.epochs": 3,
    "fine_tuning.base_lr": 4.0,
    "transfer_training.steps": STEPS,
    "transfer_training.batch_size": BATCH,
}


@pytest.fixture(autouse=True)
def small() -> None:
    for name, value in SMALL.items():
        gin.bind_parameter(name, value)


def examples(n: int = N) -> tuple[Tensor, Tensor]:
    """Noise (n, 3, 8, 8), brighter in the channel that the label names."""
    labels = torch.arange(n) % CLASSES
    images = torch.randint(0, 100, (n, 3, 8, 8), generator=torch.Generator().manual_seed(0)).byte()
    images[torch.arange(n), labels] += 120
    return images, labels


def pretrained() -> ResNet:
    """A network whose residual branches and statistics are not the initial ones."""
    encoder = resnet(seed=1)
    with torch.no_grad():
        for block in (block for group in encoder.groups for block in group):
            block.residual[-1].batch_norm.weight.fill_(0.5)
        for _ in range(3):
            encoder.train()(examples()[0] / 255)
    return encoder


def few_labels(seed: int = 0, n: int = N) -> Classification:
    return fine_tuning(pretrained(), *examples(n), CLASSES, seed)


def transferred(seed: int = 0, lr: float = 0.5, weight_decay: float = 0.01) -> Classification:
    return transfer_training(pretrained(), *examples(), CLASSES, seed, lr, weight_decay)


def several_labels(seed: int = 0) -> Classification:
    """Two of the classes at a time."""
    images, labels = examples()
    return transfer_training(pretrained(), images, 1 - F.one_hot(labels, CLASSES), CLASSES, seed, 0.05, 0.01)


def run(training: Classification, steps: int) -> list[dict[str, Tensor]]:
    return [training.step() for _ in range(steps)]


def different(a: dict[str, Tensor], b: dict[str, Tensor]) -> set[str]:
    assert a.keys() == b.keys()
    return {name for name in a if not torch.equal(a[name], b[name])}


def rates(training: Classification, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Those that the optimizer is given until the end."""
    seen, step = [], training.optimizer.step
    monkeypatch.setattr(training.optimizer, "step", lambda lr: (seen.append(lr), step(lr)))
    run(training, training.total_steps)
    return seen


every = pytest.mark.parametrize("make", [few_labels, transferred, several_labels])


@every
def test_every_weight_and_statistic_learns_and_the_loss_falls(make):
    training = make()
    before = training.state()
    losses = [float(metrics["loss"]) for metrics in run(training, training.total_steps)]
    assert different(before, training.state()) == before.keys()
    assert losses[-1] < losses[0]


@every
def test_the_head_starts_at_zero_on_the_representation(make):
    training = make()
    assert not training.head.weight.any() and not training.head.bias.any()
    assert training.head.in_features == training.encoder.feature_dim


@every
def test_steps_after_loading_are_those_of_an_unbroken_run_to_the_bit(make):
    unbroken, begun, resumed = make(), make(), make(seed=1)
    resumed.seed = 0
    run(unbroken, 6)
    run(begun, 3)
    run(resumed, 1)  # what it held before must not matter
    resumed.load(begun.state())
    run(resumed, 3)
    assert not different(unbroken.state(), resumed.state())


def test_few_labels_have_a_cosine_without_warm_up_and_no_weight_decay(monkeypatch):
    training = few_labels()
    assert {group["weight_decay"] for group in training.optimizer.param_groups} == {0.0}
    assert training.optimizer.nesterov and training.optimizer.momentum == 0.9
    horizon = N * 3 // BATCH + 1
    expected = [4.0 * BATCH / 256 / 2 * (1 + math.cos(math.pi * step / horizon)) for step in range(6)]
    assert rates(training, monkeypatch) == pytest.approx(expected, rel=1e-12)


def test_fewer_images_than_a_batch_are_one_batch_at_its_own_rate(monkeypatch):
    training = few_labels(n=5)
    assert (training.batch_size, training.steps_per_epoch, training.total_steps) == (5, 1, 3)
    assert rates(training, monkeypatch)[0] == 4.0 * 5 / 256


def test_transfer_makes_its_steps_whatever_an_epoch_is_and_its_cosine_ends_with_them(monkeypatch):
    expected = [0.5 / 2 * (1 + math.cos(math.pi * step / STEPS)) for step in range(STEPS)]
    assert rates(transferred(), monkeypatch) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("steps_per_epoch", "momentum"), [(1, 0.9), (99, 0.9), (100, 0.9), (200, 0.95), (1000, 0.99)]
)
def test_the_batch_norm_rule_by_hand(steps_per_epoch, momentum):
    assert batch_norm_momentum(steps_per_epoch) == pytest.approx(momentum, rel=1e-12)


def test_the_rule_reaches_every_batch_norm_and_its_statistics(monkeypatch):
    encoder = pretrained()
    set_batch_norm_momentum(encoder, 0.5)
    layers = [m for m in encoder.modules() if isinstance(m, BatchNorm)]
    assert len(layers) == 10 and {layer.momentum for layer in layers} == {0.5}
    monkeypatch.setattr("simclr.finetuning.batch_norm_momentum", lambda steps_per_epoch: steps_per_epoch / 8)
    training = transferred()
    assert {m.momentum for m in training.encoder.modules() if isinstance(m, BatchNorm)} == {2 / 8}
    stem = training.encoder.stem
    before, seen = stem.batch_norm.running_mean.clone(), []
    stem.conv.register_forward_hook(lambda _, __, out: seen.append(out.detach().mean((0, 2, 3))))
    training.step()
    expected = 0.25 * before + 0.75 * seen[0]
    torch.testing.assert_close(stem.batch_norm.running_mean, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("lr", [0.01, 0.5])
def test_the_first_update_decays_by_the_grids_number_whatever_the_rate(lr):
    """Without a gradient w becomes w (1 - 1.9 x decay): 1 + 0.9 is Nesterov's look-ahead on an empty buffer."""
    optimizer = transferred(lr=lr, weight_decay=0.01).optimizer
    weights = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    before = [weight.detach().clone() for weight in weights]
    for weight in weights:
        weight.grad = torch.zeros_like(weight)
    optimizer.step(lr)
    for weight, old in zip(weights, before, strict=True):
        torch.testing.assert_close(weight.detach(), old * (1 - 1.9 * 0.01), rtol=1e-6, atol=0)


def test_the_quotient_stays_while_the_rate_falls():
    training = transferred(lr=0.5, weight_decay=0.01)
    run(training, STEPS)
    assert training.optimizer.param_groups[0]["weight_decay"] == 0.01 / 0.5


def test_several_labels_cost_the_sum_of_their_classes_logistic_losses():
    logits = torch.tensor([[0.0, math.log(3)], [0.0, -math.log(3)]], dtype=torch.float64)
    labels = torch.tensor([[1, 1], [0, 1]])
    # -log of 1/2, 3/4, 1/2, 1/4
    expected = (2 * math.log(2) + math.log(4 / 3) + math.log(4)) / 2
    assert cross_entropy(logits, labels).item() == pytest.approx(expected, rel=1e-12)
    assert predicted(logits, labels).tolist() == [[0, 1], [0, 0]]


def test_a_label_that_is_not_judged_costs_and_teaches_nothing():
    logits = torch.tensor([[0.0, 5.0], [1.0, -1.0]], dtype=torch.float64, requires_grad=True)
    loss = cross_entropy(logits, torch.tensor([[1, UNJUDGED], [UNJUDGED, UNJUDGED]]))
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2) / 2, rel=1e-12)
    assert logits.grad.tolist() == [[-0.25, 0.0], [0.0, 0.0]]


def test_several_labels_are_measured_by_decisions():
    training = several_labels()
    assert training.step()["accuracy"] == pytest.approx(
        100 / 3
    )  # zero scores decide for no class; one of 3 is right


def test_images_may_be_fetched_by_index_alone():
    """A collection of photographs has a length and rows; the training must ask for nothing else."""

    class Collection:
        def __init__(self, images: Tensor) -> None:
            self.stored = images

        def __len__(self) -> int:
            return len(self.stored)

        def __getitem__(self, rows: Tensor) -> Tensor:
            return self.stored[rows]

    images, labels = examples()
    chosen = torch.tensor([1, 3, 4, 8, 9, 13, 15, 17, 18])
    subset = take(Collection(images), chosen)
    assert isinstance(subset, Rows) and len(subset) == 9
    trainings = [
        fine_tuning(pretrained(), some, labels[chosen], CLASSES, 0) for some in (subset, take(images, chosen))
    ]
    for training in trainings:
        run(training, 2)
    assert not different(*(training.state() for training in trainings))


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"lr": 0.0}, "lr > 0"),
        ({"weight_decay": -1e-3}, "weight_decay >= 0"),
        ({"steps": 0}, "steps must be at least 1, found 0"),
        ({"batch_size": N + 1}, f"between 1 and the {N} images"),
    ],
)
def test_settings_that_train_nothing_are_refused(settings, problem):
    with pytest.raises(ValueError, match=problem):
        transfer_training(
            pretrained(), *examples(), CLASSES, 0, **{"lr": 0.1, "weight_decay": 0.0} | settings
        )
