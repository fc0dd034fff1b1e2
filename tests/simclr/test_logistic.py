"""Our logistic regression is scikit-learn's, over the whole path, on features of real images."""

import gin
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from simclr import logistic
from simclr.encoder import resnet
from simclr.labels import UNJUDGED
from simclr.logistic import NotConverged, Problem, path
from simclr.views import shorter_side_view

PENALTIES = np.logspace(5, -6, 45).tolist()  # Appendix B.8
TRAIN = 600


@pytest.fixture(scope="module")
def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """h (900, 32) of handwritten digits by a small encoder with settled batch norm, and labels."""
    images, labels = load_digits(return_X_y=True)
    pixels = torch.from_numpy(images[:900].reshape(-1, 1, 8, 8) / 16).float().repeat(1, 3, 1, 1)
    with gin.unlock_config():
        encoder = resnet(depth=8, stem="cifar", base_channels=8, seed=3)
    views = shorter_side_view(pixels, 12)
    with torch.no_grad():
        for _ in range(20):
            encoder.train()(views)
        return encoder.eval()(views), torch.from_numpy(labels[:900])


def sklearns(features: torch.Tensor, labels: torch.Tensor, l2: float) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients and intercepts, by its Newton solver: its L-BFGS stops far from the minimum of weak penalties."""
    model = LogisticRegression(C=1 / l2, solver="newton-cholesky", tol=1e-9, max_iter=1000)
    model.fit(features.double().numpy(), labels.numpy())
    return model.coef_, model.intercept_


def far(ours: torch.Tensor, theirs: np.ndarray) -> float:
    """Relative distance."""
    return float(np.linalg.norm(ours.numpy() - theirs) / np.linalg.norm(theirs))


def objective(features, labels, weight, bias, l2) -> torch.Tensor:
    """The module's formula, word by word."""
    logits = features.double() @ weight.T + bias
    if labels.dim() == 1:
        loss = torch.nn.functional.cross_entropy(logits, labels, reduction="sum")
    else:
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels.double(), reduction="sum")
    return loss + l2 / 2 * weight.square().sum()


@pytest.fixture(scope="module")
def fitted(digits) -> list[logistic.Classifier]:
    """The 45 classifiers of the first 600 digits."""
    features, labels = digits
    return list(path(features[:TRAIN], labels[:TRAIN], 10, PENALTIES))


def test_every_penalty_has_scikit_learns_coefficients_and_the_same_one_is_chosen(digits, fitted):
    features, labels = digits
    held_out, truth = features[TRAIN:], labels[TRAIN:].numpy()
    ours, theirs = [], []
    for classifier in fitted:
        weight, bias = sklearns(features[:TRAIN], labels[:TRAIN], classifier.l2)
        assert far(classifier.weight, weight) < 1e-3, classifier.l2
        assert far(classifier.bias, bias) < 1e-3, classifier.l2
        scores = held_out.double().numpy() @ weight.T + bias
        theirs.append((scores.argmax(1) == truth).mean())
        ours.append((classifier.logits(held_out).argmax(1).numpy() == truth).mean())
    assert [classifier.l2 for classifier in fitted] == PENALTIES
    assert ours == theirs and len(set(ours)) > 5, "the choice is one among different classifiers"
    assert np.argmax(ours) == np.argmax(theirs)


def test_several_labels_are_one_binary_regression_per_class(digits):
    features, labels = digits
    several = torch.stack([labels % 2, (labels > 6).long(), (labels == 3).long()], dim=1)
    for classifier in path(features, several, 3, [100.0, 1.0, 0.01]):
        for label in range(3):
            weight, bias = sklearns(features, several[:, label], classifier.l2)
            assert far(classifier.weight[label], weight[0]) < 1e-3
            assert far(classifier.bias[label], bias) < 1e-3


def test_a_class_is_fitted_to_the_examples_that_are_judged_for_it(digits):
    features, labels = digits
    several = torch.stack([labels % 2, (labels > 6).long()], dim=1)
    several[:300, 0] = several[250:700:3, 1] = UNJUDGED
    for classifier in path(features, several, 2, [100.0, 1.0]):
        for label in range(2):
            judged = several[:, label] != UNJUDGED
            weight, bias = sklearns(features[judged], several[judged, label], classifier.l2)
            assert far(classifier.weight[label], weight[0]) < 1e-3
            assert far(classifier.bias[label], bias) < 1e-3


def test_the_gradient_of_the_stated_objective_vanishes_where_a_fit_ends(digits, fitted):
    """By automatic differentiation, in the features' own coordinates."""
    features, labels = digits
    for classifier in fitted[::8]:
        weight, bias = classifier.weight.clone().requires_grad_(), classifier.bias.clone().requires_grad_()
        objective(features[:TRAIN], labels[:TRAIN], weight, bias, classifier.l2).backward()
        assert float(weight.grad.abs().max()) / TRAIN < 1e-4 and float(bias.grad.abs().max()) / TRAIN < 1e-4


def test_the_bias_is_not_penalised():
    """With no weight left, the bias alone gives the classes' shares."""
    labels = torch.tensor([0] * 6 + [1] * 3 + [2])
    [classifier] = path(torch.randn(10, 4, generator=torch.manual_seed(0)), labels, 3, [1e9])
    assert classifier.bias.softmax(0).tolist() == pytest.approx([0.6, 0.3, 0.1], abs=1e-6)


def test_the_order_of_penalties_and_the_start_do_not_matter(digits, fitted):
    features, labels = digits[0][:TRAIN], digits[1][:TRAIN]
    [alone] = path(features, labels, 10, [fitted[20].l2])
    assert far(alone.weight, fitted[20].weight.numpy()) < 1e-3
    shuffled = list(path(features, labels, 10, [1.0, 100.0, 10.0]))
    assert [classifier.l2 for classifier in shuffled] == [100.0, 10.0, 1.0]


def test_warm_starts_save_iterations(digits, fitted):
    features, labels = digits
    cold = [next(path(features[:TRAIN], labels[:TRAIN], 10, [l2])).iterations for l2 in PENALTIES]
    assert sum(classifier.iterations for classifier in fitted) < 0.7 * sum(cold)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(2, 6),
    st.integers(1, 7),
    st.floats(-3, 3),
    st.floats(0.01, 100),
    st.integers(0, 2**31),
    st.booleans(),
)
def test_no_weights_nearby_are_better(classes, dim, exponent, scale, seed, several):
    """Of the objective as stated; also with fewer examples than features, and with shifted and scaled columns."""
    draw = torch.Generator().manual_seed(seed)
    features = torch.randn(classes + 3, dim, generator=draw) * scale + 10
    labels = torch.arange(classes + 3) % classes
    if several:
        labels = torch.nn.functional.one_hot(labels, classes)
    l2 = 10.0**exponent
    [found] = path(features, labels, classes, [l2])
    least = objective(features, labels, found.weight, found.bias, l2)
    for _ in range(10):
        weight = found.weight + 1e-2 * torch.randn(found.weight.shape, generator=draw)
        bias = found.bias + 1e-2 * torch.randn(found.bias.shape, generator=draw)
        assert objective(features, labels, weight, bias, l2) >= least - 1e-8 * abs(least)


def test_constant_features_leave_weights_at_zero():
    labels = torch.tensor([0, 0, 1])
    [found] = path(torch.ones(3, 2), labels, 2, [0.1])
    assert float(found.weight.abs().max()) < 1e-9
    assert found.bias.softmax(0).tolist() == pytest.approx([2 / 3, 1 / 3], abs=1e-5)


def test_rotation_and_centring_change_no_logit(digits):
    features, labels = digits
    problem = Problem(features, labels, 10)
    weights = torch.randn(33, 10, dtype=torch.float64, generator=torch.manual_seed(1))
    classifier = problem.classifier(weights, 1.0, 0)
    torch.testing.assert_close(classifier.logits(features), problem.x @ weights, rtol=1e-9, atol=1e-9)
    assert float(classifier.weight.norm()) == pytest.approx(float(weights[:-1].norm()), rel=1e-12)


def test_too_few_iterations_are_said_and_a_penalty_of_nothing_is_refused(digits):
    with pytest.raises(NotConverged, match=r"l2 = 0\.01 within 3"):
        list(path(*digits, 10, [0.01], max_iterations=3))
    with pytest.raises(ValueError, match="positive"):
        list(path(*digits, 10, [1.0, 0.0]))


def test_a_bound_on_iterations_changes_no_fit_that_ends_within_it(digits):
    often = list(path(*digits, 10, [1.0, 0.01]))
    needed = max(each.iterations for each in often)
    just = list(path(*digits, 10, [1.0, 0.01], max_iterations=needed))
    assert needed > 3 and all(torch.equal(a.weight, b.weight) for a, b in zip(often, just, strict=True))


def test_equal_inputs_have_equal_bytes(digits):
    once, again = (list(path(*digits, 10, [1.0, 0.1])) for _ in range(2))
    assert all(torch.equal(a.weight, b.weight) for a, b in zip(once, again, strict=True))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 30), st.integers(0, 2**31))
def test_the_compact_form_is_the_two_loops_of_lbfgs(steps, seed):
    """Nocedal and Wright, Algorithm 7.4, on a random convex quadratic; the last change is inverted exactly."""
    draw = torch.Generator().manual_seed(seed)
    root = torch.randn(12, 12, dtype=torch.float64, generator=draw)
    hessian = root @ root.T + torch.eye(12)
    diagonal = torch.rand(12, dtype=torch.float64, generator=draw) + 0.1
    inverse = logistic.InverseHessian(diagonal[:, None], torch.Size((12, 1)))
    gradient, pairs = torch.randn(12, dtype=torch.float64, generator=draw), []
    for _ in range(steps):
        step = torch.randn(12, dtype=torch.float64, generator=draw)
        pairs = [*pairs, (step, hessian @ step)][-logistic.HISTORY :]
        inverse.learn(step[:, None], (hessian @ step)[:, None])
    q, weights = gradient.clone(), []
    for step, change in reversed(pairs):
        weights.append(step @ q / (step @ change))
        q -= weights[-1] * change
    step, change = pairs[-1]
    q *= diagonal * inverse.scale
    for (s, y), weight in zip(pairs, reversed(weights), strict=True):
        q += (weight - y @ q / (s @ y)) * s
    torch.testing.assert_close((inverse @ gradient[:, None])[:, 0], q, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close((inverse @ change[:, None])[:, 0], step, rtol=1e-6, atol=1e-8)
    assert float(inverse.scale) == pytest.approx(float(step @ change / (diagonal * change**2).sum()))


@given(st.floats(0.01, 1000), st.floats(0.1, 10))
def test_a_line_search_ends_where_the_slope_has_halved(root, steepness):
    """For any place of the minimum, before or behind the first trial."""
    asked = []

    def slope(t: float) -> float:
        asked.append(t)
        return np.tanh(steepness * (t - root) / root)

    found = logistic._line_search(slope, slope(0.0))
    assert abs(slope(found)) <= 0.5 * abs(slope(0.0)) and asked[-3] == found
