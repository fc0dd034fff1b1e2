"""The permutation test is exact McNemar for top-1, its shortcut has the literal swap's law, and it keeps its level."""

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from reports.judging.permutation import DRAWS, bold, measure, p_value, swapped
from tests.reports.conftest import refused


def outcomes(both: int, only_a: int, only_b: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """Two models' outcomes with these counts."""
    table = [(1, 1)] * both + [(1, 0)] * only_a + [(0, 1)] * only_b + [(0, 0)] * neither
    a, b = np.array(table, bool).T
    return a, b


def noise(p: float) -> float:
    """Five standard errors of a share among the draws, and the draw that p counts besides."""
    return 5 * np.sqrt(p * (1 - p) / DRAWS) + 2 / DRAWS


def enumerated(values: np.ndarray) -> float:
    """The exact p of values (n,), over all 2**n swaps."""
    sums = [abs(np.dot(signs, values)) for signs in itertools.product((-1, 1), repeat=len(values))]
    return float(np.mean(np.array(sums) >= abs(values.sum()) - 1e-9))


counts = st.tuples(st.integers(1, 300), st.integers(0, 60), st.integers(0, 60), st.integers(0, 100))


@settings(max_examples=40, deadline=None)
@given(counts, st.text(max_size=5))
def test_top1_is_exact_mcnemar(table, name):
    a, b = outcomes(*table)
    both, only_a, only_b, neither = table
    exact = min(1.0, float(mcnemar([[both, only_a], [only_b, neither]], exact=True).pvalue))
    assert p_value(a, b, name) == pytest.approx(exact, abs=noise(exact))


@settings(max_examples=15, deadline=None)
@given(st.tuples(st.integers(1, 50), st.integers(0, 40), st.integers(0, 40), st.integers(0, 50)))
def test_the_binomial_shortcut_has_the_law_of_the_literal_swap(table):
    a, b = outcomes(*table)
    literal = np.abs(swapped(a.astype(float) - b, "digits"))
    exact = float(np.mean(literal >= abs(a.sum() - b.sum())))
    assert p_value(a, b, "digits") == pytest.approx(exact, abs=1.5 * noise(exact))


def test_the_literal_swaps_are_binomial():
    drawn = (swapped(np.ones(12), "digits") + 12) / 2
    expected = stats.binom.pmf(np.arange(13), 12, 0.5) * DRAWS
    assert stats.chisquare(np.bincount(drawn.astype(int), minlength=13), expected).pvalue > 1e-4


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 2)), min_size=3, max_size=11),
    st.text(max_size=5),
)
@example(
    [(True, False, 1)] * 3 + [(False, False, 1)] * 3 + [(False, False, 0), (False, True, 0)], ""
)  # 3/6 - 1/2
def test_mean_per_class_is_the_exact_permutation_test(rows, name):
    a, b, labels = (np.array(column) for column in zip(*rows, strict=True))
    sizes = np.bincount(labels)[labels]
    exact = enumerated((a.astype(float) - b) / sizes)
    assert p_value(a, b, name, labels) == pytest.approx(exact, abs=noise(exact))


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 10), st.integers(1, 5), st.integers(0, 2**31))
def test_several_labels_swap_with_their_example(n, classes, seed):
    """Not one by one: the labels of one image are not independent."""
    random = np.random.default_rng(seed)
    a, b = random.random((n, classes)) < 0.8, random.random((n, classes)) < 0.4
    exact = enumerated((a.astype(float) - b).sum(axis=1))
    assert p_value(a, b, "voc") == pytest.approx(exact, abs=noise(exact))


def test_mean_per_class_weighs_a_rare_class():
    """Better on nine of ten rare examples, worse on six of a thousand: accuracies say one thing, means another."""
    labels = np.repeat([0, 1], [1000, 10])
    a, b = np.ones(1010, bool), np.ones(1010, bool)
    a[:6], b[1000:1009] = False, False
    assert p_value(a, b, "pets") > 0.4 and p_value(a, b, "pets", labels) < 0.02
    assert measure(a, labels) == pytest.approx(100 - 0.3) and measure(b, labels) == pytest.approx(55)


def test_equal_models_have_p_one_and_order_and_draws_do_not_matter():
    a, b = outcomes(50, 20, 9, 5)
    assert p_value(a, a, "digits") == 1
    assert p_value(a, b, "digits") == p_value(a, b, "digits")
    assert p_value(a, b, "digits") == pytest.approx(p_value(b, a, "digits"), abs=2 * noise(0.05))
    assert p_value(a, b, "digits") != p_value(a, b, "pets"), "each data set has its own draws"


def test_equal_models_are_called_different_as_rarely_as_promised():
    """600 pairs of equally good models: at most 5 in 100 below the level (exact tests stay under it), and not none."""
    random = np.random.default_rng(0)
    truth, labels = random.random((600, 150)), np.arange(150) % 4
    found = {"top1": [], "mean_per_class": []}
    for skill in truth:
        a, b = random.random(150) < skill, random.random(150) < skill
        found["top1"].append(p_value(a, b, "digits", draws=2000))
        found["mean_per_class"].append(p_value(a, b, "digits", labels, draws=1000))
    for ps in found.values():
        positives = int((np.array(ps) <= 0.05).sum())
        assert 6 <= positives <= stats.binom.ppf(0.9999, 600, 0.05)


def test_a_real_difference_is_found():
    a, b = outcomes(500, 60, 20, 100)
    assert p_value(a, b, "digits") < 1e-3


def test_bold_are_the_best_and_those_not_significantly_worse():
    best, close = outcomes(800, 40, 35, 125)
    worse, _ = outcomes(700, 40, 35, 225)
    assert bold({"worse": worse, "close": close, "best": best}, "digits") == {"close", "best"}


def test_a_model_alone_is_not_bold():
    alone, _ = outcomes(700, 40, 35, 225)
    assert bold({"alone": alone}, "digits") == set() and bold({}, "digits") == set()


def test_bold_goes_by_the_measure_of_the_data_set():
    labels = np.repeat([0, 1], [1000, 10])
    a, b = np.ones(1010, bool), np.ones(1010, bool)
    a[:30], b[1000:1010] = False, False
    assert bold({"a": a, "b": b}, "flowers") == {"b"} and bold({"a": a, "b": b}, "flowers", labels) == {"a"}


def test_outcomes_that_do_not_belong_together_are_refused():
    a, b = outcomes(5, 2, 2, 1)
    with refused("same test set"):
        p_value(a, b[:-1], "digits")
    with refused("same test set"):
        p_value(a.astype(float), b, "digits")
    with refused("a label for each"):
        p_value(a, b, "digits", np.zeros(3))
