"""A frozen encoder stays as it is to the bit, a supervised one learns, and both resume exactly."""

import math

import gin
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from simclr import classification, evaluation
from simclr.classification import Classification, linear_evaluation, supervised, top_k
from simclr.encoder import ResNet, resnet
from simclr.randomness import permutation
from simclr.views import ViewPolicy, evaluation_view

N, CLASSES, BATCH, EPOCHS = 20, 3, 8, 3  # 2 whole batches an epoch, 4 images left over
SMALL = {
    "ViewPolicy.size": 8,
    "ViewPolicy.ops": ("crop", "flip"),
    "resnet.depth": 8,
    "resnet.stem": "cifar",
    "resnet.base_channels": 4,
    "linear_evaluation.batch_size": BATCH,
    "linear_evaluation.epochs": EPOCHS,
    "linear_evaluation.base_lr": 4.0,
    "supervised.batch_size": BATCH,
    "supervised.epochs": EPOCHS,
    "supervised.base_lr": 4.0,
    "supervised.warmup_epochs": 1,
}


@pytest.fixture(autouse=True)
def small() -> None:
    bind(**{name.replace(".", "__"): value for name, value in SMALL.items()})


def bind(**changes: object) -> None:
    for name, value in changes.items():
        gin.bind_parameter(name.replace("__", "."), value)


def examples(n: int = N) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise (n, 3, 8, 8), brighter in the channel that the label names."""
    labels = torch.arange(n) % CLASSES
    images = torch.randint(
        0, 100, (n, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
    )
    images[torch.arange(n), labels] += 120
    return images, labels


def trained_encoder() -> ResNet:
    """One whose batch-norm statistics are not the initial 0 and 1."""
    encoder = resnet(seed=1)
    encoder.train()
    with torch.no_grad():
        for _ in range(3):
            encoder(examples()[0] / 255)
    return encoder


def frozen(seed: int = 0, encoder: ResNet | None = None) -> Classification:
    return linear_evaluation(encoder or trained_encoder(), *examples(), CLASSES, seed)


def with_labels(seed: int = 0) -> Classification:
    return supervised(*examples(), CLASSES, seed)


def run(training: Classification, steps: int) -> list[dict[str, torch.Tensor]]:
    return [training.step() for _ in range(steps)]


def copy(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in state.items()}


def different(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> set[str]:
    """The names whose tensors are not equal to the bit."""
    assert a.keys() == b.keys()
    return {name for name in a if not torch.equal(a[name], b[name])}


both = pytest.mark.parametrize("make", [frozen, with_labels])


def test_linear_evaluation_leaves_the_encoder_as_it_is_to_the_bit_while_the_head_learns():
    bind(linear_evaluation__base_lr=64.0, linear_evaluation__epochs=10)
    training = frozen()
    before = copy(training.state())
    assert {"encoder.stem.batch_norm.running_mean", "encoder.stem.batch_norm.running_var"} < before.keys()
    images, labels = examples()
    run(training, 3)
    training.logits(images)  # a look in between changes nothing either
    metrics = run(training, training.total_steps - 3)
    changed = different(before, training.state())
    assert not {name for name in changed if name.startswith("encoder.")}
    assert changed == {
        "head.weight",
        "head.bias",
        "momentum.head.weight",
        "momentum.head.bias",
        "step_number",
        "divergence",
    }
    assert all(parameter.grad is None for parameter in training.encoder.parameters())
    assert metrics[-1]["loss"] < 0.8 * math.log(CLASSES)  # of a head that knows nothing
    assert top_k(training.logits(images), labels, 1) > 50  # a third would be chance


def test_a_large_batch_passes_a_frozen_encoder_in_equal_parts(monkeypatch):
    whole, seen = frozen(), []
    expected = whole.step()
    monkeypatch.setattr(classification, "BATCH", whole.batch_size // 2 - 1)
    training = frozen()
    training.encoder.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    found = training.step()
    assert len(seen) > 1 and sum(seen) == training.batch_size and max(seen) <= classification.BATCH
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(training.head.weight, whole.head.weight)


def test_frozen_features_are_those_of_evaluation_mode():
    """With the batch's own statistics the features of an image would depend on its neighbours."""
    training, seen = frozen(), []

    def keep(_, inputs, features):
        seen.append((inputs[0], features))

    hook = training.encoder.register_forward_hook(keep)
    training.step()
    hook.remove()
    views, features = seen[0]
    alone = training.encoder.eval()(views[:1])
    torch.testing.assert_close(
        alone.detach(), features[:1], rtol=1e-5, atol=1e-6
    )  # float32, other batch size
    assert not features.requires_grad


def test_supervised_training_changes_every_weight_and_statistic_of_encoder_and_head():
    training = with_labels()
    before = copy(training.state())
    losses = [float(metrics["loss"]) for metrics in run(training, training.total_steps)]
    assert different(before, training.state()) == before.keys()
    assert losses[-1] < losses[0]


@both
def test_the_head_starts_at_zero(make):
    training = make()
    assert not training.head.weight.any() and not training.head.bias.any()
    first = training.step()
    assert first["loss"].item() == pytest.approx(math.log(CLASSES), rel=1e-6)


@both
def test_three_steps_and_three_after_loading_are_six_steps_to_the_bit(make):
    unbroken, begun, resumed = make(), make(), make()
    expected = run(unbroken, 6)
    run(begun, 3)  # in the middle of the second epoch
    run(resumed, 1)  # what it held before must not matter
    resumed.load(copy(begun.state()))
    assert resumed.step_number == 3
    found = run(resumed, 3)
    assert not different(unbroken.state(), resumed.state())
    assert [float(m["loss"]) for m in found] == [float(m["loss"]) for m in expected[3:]]
    assert [float(m["top1"]) for m in found] == [float(m["top1"]) for m in expected[3:]]


@both
def test_a_state_is_a_moment_that_later_steps_do_not_move(make):
    """Else it would hold the weights of one step and the number of another."""
    training = make()
    run(training, 2)
    state = training.state()
    then = copy(state)
    run(training, 1)
    assert not different(then, state)


@both
def test_the_seed_decides_and_nothing_else(make):
    """Another seed gives other weights, another order, other views; the global generator gives nothing."""
    torch.manual_seed(5)
    a, b, c = make(), make(), make(seed=1)
    run(a, 3)
    torch.rand(7)
    run(b, 3)
    run(c, 3)
    assert not different(a.state(), b.state())
    assert "head.weight" in different(a.state(), c.state())


def test_a_state_of_other_layers_is_refused():
    training = frozen()
    state = training.state()
    del state["head.bias"]
    with pytest.raises(RuntimeError, match="bias"):
        training.load(state)


def test_top_k_known_answers():
    logits = torch.tensor([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0], [0.0, 5.0, 1.0], [9.0, 0.0, 1.0]])
    labels = torch.tensor([0, 0, 2, 2])
    assert [top_k(logits, labels, k).item() for k in (1, 2, 3)] == [25.0, 75.0, 100.0]
    assert top_k(logits, labels, 1).dtype == torch.float64


@given(
    st.integers(1, 6).flatmap(
        lambda c: st.lists(
            st.tuples(st.permutations(range(c)), st.integers(0, c - 1)), min_size=1, max_size=9
        )
    )
)
def test_top_k_counts_the_labels_that_fewer_than_k_scores_beat(rows):
    scores, labels = [row[0] for row in rows], [row[1] for row in rows]
    ranks = [sum(other > row[label] for other in row) for row, label in zip(scores, labels, strict=True)]
    for k in range(1, len(scores[0]) + 1):
        expected = 100 * sum(rank < k for rank in ranks) / len(rows)
        found = top_k(torch.tensor(scores, dtype=torch.float32), torch.tensor(labels), k).item()
        assert found == pytest.approx(expected, abs=1e-12)


def test_a_batch_that_the_images_cannot_fill_is_refused():
    bind(linear_evaluation__batch_size=N + 1)
    with pytest.raises(ValueError, match=f"between 1 and the {N} images, found {N + 1}"):
        frozen()
    bind(linear_evaluation__batch_size=N)
    assert frozen().steps_per_epoch == 1


@both
def test_an_epoch_is_its_whole_batches_in_a_fresh_order_and_the_rest_is_dropped(make, monkeypatch):
    seen: list[tuple[int, list[int]]] = []
    one = ViewPolicy.one

    def spy(policy, images, index, epoch, seed, **options):
        seen.append((epoch, index.tolist()))
        return one(policy, images, index, epoch, seed, **options)

    monkeypatch.setattr(ViewPolicy, "one", spy)
    training = make()
    assert (training.steps_per_epoch, training.total_steps) == (N // BATCH, EPOCHS * (N // BATCH))
    run(training, training.total_steps)
    assert [epoch for epoch, _ in seen] == [0, 0, 1, 1, 2, 2]
    for epoch in range(EPOCHS):
        indices = [i for e, index in seen if e == epoch for i in index]
        order = permutation(0, "classification/order", epoch, N).tolist()
        assert indices == order[: N // BATCH * BATCH]
    assert seen[0] != seen[2]


def test_rates_are_a_cosine_from_the_first_step_or_after_a_warm_up(monkeypatch):
    rates: dict[str, list[float]] = {}
    for name, make in (("frozen", frozen), ("labels", with_labels)):
        training = make()
        step = training.optimizer.step

        def spy(lr, step=step, name=name):
            rates.setdefault(name, []).append(lr)
            step(lr)

        monkeypatch.setattr(training.optimizer, "step", spy)
        run(training, training.total_steps)
    peak, horizon, warmup = 4.0 * BATCH / 256, N * EPOCHS // BATCH + 1, N // BATCH

    def cosine(step, start):
        return peak / 2 * (1 + math.cos(math.pi * (step - start) / (horizon - start)))

    assert rates["frozen"] == pytest.approx([cosine(step, 0) for step in range(6)], rel=1e-12)
    climb = [peak * step / warmup for step in range(warmup)]
    assert rates["labels"] == pytest.approx(
        climb + [cosine(step, warmup) for step in range(warmup, 6)], rel=1e-12
    )


@both
def test_the_encoder_sees_the_views_of_gins_policy(make):
    """A whole-image crop and a flip leave two possible views of an image: itself and its mirror image."""
    bind(random_crop__area=(1.0, 1.0), random_crop__aspect=(1.0, 1.0))
    training, inputs = make(), []
    training.encoder.register_forward_pre_hook(lambda _, given: inputs.append(given[0].clone()))
    run(training, 2)
    index = permutation(0, "classification/order", 0, N)[: 2 * BATCH]
    expected = ViewPolicy().one(training.images[index], index, 0, 0)
    assert torch.equal(torch.cat(inputs), expected)
    plain = training.images[index] / 255
    mirrored = [not torch.allclose(v, p, atol=1e-6) for v, p in zip(torch.cat(inputs), plain, strict=True)]
    for view, image, flipped in zip(torch.cat(inputs), plain, mirrored, strict=True):
        torch.testing.assert_close(view, image.flip(2) if flipped else image, rtol=0, atol=1e-6)
    assert 0 < sum(mirrored) < len(mirrored)


def test_other_operators_give_other_views():
    training, inputs = frozen(), []
    bind(ViewPolicy__ops=("grayscale",), grayscale__probability=1.0)
    grey = frozen()
    for one in (training, grey):
        one.encoder.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
        one.step()
    assert not torch.equal(inputs[0][:, 0], inputs[0][:, 1])
    assert torch.equal(inputs[1][:, 0], inputs[1][:, 1])


def test_scores_are_of_the_test_view_in_evaluation_mode_for_any_batches(monkeypatch):
    training = frozen()
    run(training, 2)
    images, _ = examples()
    features = training.encoder.eval()(evaluation_view(images, 8))
    expected = training.head(features).detach()
    monkeypatch.setattr(evaluation, "BATCH", 3)
    scores = training.logits(images)
    assert scores.shape == (N, CLASSES) and not scores.requires_grad
    torch.testing.assert_close(scores, expected, rtol=1e-5, atol=1e-6)  # float32, other batch sizes


def test_settings_that_the_paper_varies_must_be_bound():
    gin.clear_config()
    bind(resnet__depth=8, resnet__stem="cifar", ViewPolicy__size=8)
    with pytest.raises(RuntimeError, match="batch_size"):
        linear_evaluation(resnet(), *examples(), CLASSES, 0)


def test_no_epochs_are_refused():
    bind(supervised__epochs=0)
    with pytest.raises(ValueError, match="epochs must be at least 1, found 0"):
        with_labels()


def test_a_finished_training_makes_no_further_step():
    training = with_labels()
    training.step_number = training.total_steps
    with pytest.raises(RuntimeError, match="updates are done"):
        training.step()
