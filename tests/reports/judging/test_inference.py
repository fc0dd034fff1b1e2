"""The tests behind the verdicts: equal to the textbook's, rarely wrong without an effect, better with more seeds."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reports.judging.contrast import Row, rows_of
from reports.judging.correlation import correlation
from reports.judging.inference import Bound, Result, both, exact, infer
from reports.judging.power import seeds_needed

ABOVE, RUNS = Bound("above", 0), 400
TOLERATED = stats.binom.ppf(0.999, RUNS, 0.05) / RUNS  # what 5 % may look like in RUNS draws
SEEDS = pytest.mark.parametrize("n", [2, 3, 5])
PAIRS = [{"minus": [{"kind": "b"}, {"kind": "a"}]}]


def grid(kinds: str, dims: int) -> list[dict[str, str]]:
    return [{"kind": kind, "dim": str(dim)} for kind in kinds for dim in range(dims)]


def contrasts(keys: list[dict[str, str]], *steps: dict) -> list[Row]:
    return rows_of(keys, {}, steps)


def noise(generator: np.random.Generator, cells: int, n: int) -> np.ndarray:
    """What repeats differ by: something that a seed does to all cells, and more that it does to each."""
    return generator.normal(size=(1, n)) + 0.7 * generator.normal(size=(cells, n))


def rates(decide: Callable[[np.random.Generator], Result]) -> tuple[float, float]:
    """How often the 5 % test finds for the claim, and for its opposite."""
    generator = np.random.default_rng(8)
    found = [decide(generator) for _ in range(RUNS)]
    return tuple(float(np.mean([getattr(each, side) < 0.05 for each in found])) for side in ("p", "opposite"))


# Means on the edge of each kind of claim, and where from there it comes true:
# (cells, steps, how much of them, bound, edge, direction).
EDGES = {
    "D, a pair": (grid("ab", 1), PAIRS, "mean", ABOVE, [0, 0], [0, 1]),
    "D, the mean of pairs": (grid("ab", 6), PAIRS, "mean", ABOVE, [0, 3, -1, 9, 2, 0] * 2, [0] * 6 + [1] * 6),
    "D, every pair": (grid("ab", 3), PAIRS, "every", ABOVE, [0, 0, 0, 9, 9, 0], [0] * 3 + [1] * 3),
    "D, 5 of 12": (grid("ab", 12), PAIRS, "5/12", ABOVE, [0] * 12 + [9] * 4 + [0] * 8, [0] * 12 + [1] * 12),
    "D, a number": (grid("a", 1), [{"minus": [{"kind": "a"}, 3]}], "mean", ABOVE, [3], [1]),
    "R": (grid("a", 4), [{"trend": "dim"}], "mean", ABOVE, [0] * 4, [0, 0.5, 1, 1.5]),
    "R of a difference": (
        *(grid("ab", 4), [*PAIRS, {"trend": "dim"}], "mean", ABOVE),
        *([0, 1, 5, 2] * 2, [0] * 4 + [0, 0.5, 1, 1.5]),
    ),
    "R, the best": (
        grid("a", 4),
        [{"minus": [{"dim": 0}, "others"]}],
        "every",
        ABOVE,
        [9, 0, 0, 9],
        [1, 0, 0, 0],
    ),
    "E": (grid("ab", 1), PAIRS, "mean", Bound("within", 2), [0, 2], [0, -1]),
    "E, the range": (
        grid("a", 4),
        [{"pairs": "dim"}],
        "every",
        Bound("within", 2),
        [0, 0, 0, 2],
        [0, 0, 0, -1],
    ),
    "E, one side": (grid("ab", 1), PAIRS, "mean", Bound("below", 2), [0, 2], [0, -1]),
}
edges = pytest.mark.parametrize("edge", EDGES)


@SEEDS
@edges
def test_false_confirmations_and_contradictions_stay_at_5_percent(edge, n):
    keys, steps, of, bound, truth, _ = EDGES[edge]
    rows = contrasts(keys, *steps)
    wrong = rates(lambda g: infer(rows, np.c_[truth] + noise(g, len(keys), n), of, bound))
    assert max(wrong) <= TOLERATED


@pytest.mark.parametrize("edge", ["R", "R, the best"])
def test_one_cell_that_is_three_times_as_noisy_costs_about_twice_the_level(edge):
    """The price of pooling, said in the module's first lines."""
    keys, steps, of, bound, truth, _ = EDGES[edge]
    rows, sizes = contrasts(keys, *steps), np.c_[[3, 1, 1, 1]]
    wrong, _ = rates(lambda g: infer(rows, np.c_[truth] + sizes * g.normal(size=(4, 3)), of, bound))
    assert 0.05 < wrong < 0.15


@pytest.mark.parametrize("edge", ["D, the mean of pairs", "R"])
def test_a_single_seed_is_not_more_often_wrong(edge):
    keys, steps, of, bound, _, _ = EDGES[edge]
    rows = contrasts(keys, *steps)
    assert max(rates(lambda g: infer(rows, noise(g, len(keys), 1), of, bound))) <= TOLERATED


@pytest.mark.parametrize("method", ["pearson", "spearman"])
@pytest.mark.parametrize(("kind", "truth"), [("above", 0.5), ("below", 0.5)])
def test_false_correlations_stay_at_5_percent(method, kind, truth):
    """Fisher's z is an approximation; ten pairs are enough for it. A rank correlation of 0.5 needs a larger one."""
    rho = truth if method == "pearson" else 2 * np.sin(np.pi * truth / 6)

    def decide(generator: np.random.Generator) -> Result:
        x, y = generator.multivariate_normal([0, 0], [[1, rho], [rho, 1]], size=10).T
        return correlation(x, y, method, Bound(kind, truth))

    assert max(rates(decide)) <= TOLERATED + 0.02


@edges
def test_more_seeds_see_a_real_effect_more_often(edge):
    keys, steps, of, bound, truth, direction = EDGES[edge]
    rows, means = contrasts(keys, *steps), np.c_[truth] + np.c_[direction]
    found = [rates(lambda g, n=n: infer(rows, means + noise(g, len(keys), n), of, bound)) for n in (2, 5, 12)]
    powers, contradictions = zip(*found, strict=True)
    assert powers[0] < powers[1] <= powers[2] and powers[2] > 0.5
    assert max(contradictions) < 0.05


def test_two_cells_are_the_paired_t_test():
    cells = np.random.default_rng(1).normal(size=(2, 5))
    found = infer(contrasts(grid("ab", 1), *PAIRS), cells, "mean", ABOVE)
    known = stats.ttest_rel(cells[1], cells[0], alternative="greater")
    interval = stats.ttest_rel(cells[1], cells[0]).confidence_interval(0.95)
    assert (found.p, found.opposite) == (pytest.approx(known.pvalue), pytest.approx(1 - known.pvalue))
    assert (found.low, found.high, found.n) == (pytest.approx(interval.low), pytest.approx(interval.high), 5)


def test_pairs_of_one_seed_are_the_paired_t_test_over_pairs():
    cells = np.random.default_rng(2).normal(size=(12, 1))
    known = stats.ttest_rel(cells[6:, 0], cells[:6, 0], alternative="greater")
    found = infer(contrasts(grid("ab", 6), *PAIRS), cells, "mean", ABOVE)
    assert (found.p, found.n) == (pytest.approx(known.pvalue), 6)


def test_one_trend_of_one_seed_is_a_regression():
    cells = np.random.default_rng(6).normal(size=(5, 1))
    known = stats.linregress(range(5), cells[:, 0], alternative="greater")
    found = infer(contrasts(grid("a", 5), {"trend": "dim"}), cells, "mean", ABOVE)
    assert (found.p, found.effect) == (pytest.approx(known.pvalue), pytest.approx(4 * known.slope))


def test_blocks_are_the_two_way_analysis_of_variance():
    """The residual mean square of statsmodels for cells + seeds."""
    import statsmodels.formula.api as smf
    from statsmodels.stats.anova import anova_lm

    cells = np.random.default_rng(3).normal(size=(4, 3))
    long = pd.DataFrame([{"cell": c, "seed": s, "y": cells[c, s]} for c in range(4) for s in range(3)])
    residual = anova_lm(smf.ols("y ~ C(cell) + C(seed)", long).fit()).loc["Residual"]
    found = infer(contrasts(grid("a", 4), {"pairs": "dim"}), cells, "every", ABOVE)
    assert found.sd == pytest.approx(np.sqrt(2 * residual.mean_sq)) and found.freedom * 2 == residual.df


def test_equivalence_is_two_one_sided_tests():
    from statsmodels.stats.weightstats import ttost_paired

    cells = np.random.default_rng(4).normal(size=(2, 6))
    found = infer(contrasts(grid("ab", 1), *PAIRS), cells, "mean", Bound("within", 1))
    assert found.p == pytest.approx(ttost_paired(cells[1], cells[0], -1, 1)[0])


@pytest.mark.parametrize("of", ["every", "5/12"])
def test_one_pair_or_one_seed_for_every_cell_decides_nothing(of):
    keys = grid("ab", 12)
    found = infer(contrasts(keys, *PAIRS), np.arange(24.0)[:, None], of, ABOVE)
    assert found.p is None and found.effect == 12
    single = infer(contrasts(grid("ab", 1), *PAIRS), np.array([[0.0], [9.0]]), "mean", ABOVE)
    assert (single.p, single.effect, seeds_needed(single, 1)) == (None, 9.0, 3)


def test_pairs_that_share_a_cell_are_no_sample():
    rows = contrasts(grid("a", 4), {"minus": [{"dim": 0}, "others"]})
    assert infer(rows, np.arange(4.0)[:, None], "mean", ABOVE).p is None


def test_repeats_that_do_not_differ_leave_no_doubt():
    rows = contrasts(grid("ab", 1), *PAIRS)
    assert infer(rows, np.array([[1.0, 1.0], [2.0, 2.0]]), "mean", ABOVE).p == 0
    assert infer(rows, np.array([[1.0, 1.0], [1.0, 1.0]]), "mean", ABOVE).p == 1


def test_known_noise_makes_a_z_test():
    found = infer(contrasts(grid("ab", 1), *PAIRS), np.array([[1.0], [1.3]]), "mean", ABOVE, noise=0.15)
    assert found.p == pytest.approx(stats.norm.sf(0.3 / (0.15 * np.sqrt(2))))


def test_all_conditions_are_needed_and_one_suffices_against():
    one, two = (
        Result(e, None, None, 3, "t", p=p, opposite=q, margin=1.0)
        for e, p, q in ((1, 0.01, 0.99), (2, 0.2, 0.8))
    )
    assert (both([one, two]).effect, both([one, two]).p, both([one, two]).opposite) == (2, 0.2, 1.0)
    against = Result(-3, None, None, 3, "t", p=0.99, opposite=0.01, margin=-3.0)
    assert both([one, against]).opposite == pytest.approx(0.02)


def test_exact_claims_need_every_number():
    rows = contrasts(grid("a", 3))
    assert exact(rows, np.full((3, 1), 1e-9), "every", Bound("below", 1e-6)).p == 0
    found = exact(rows, np.array([[1e-9], [1e-3], [1e-9]]), "every", Bound("below", 1e-6))
    assert (found.p, found.effect) == (1, 1e-3)


def test_the_seeds_asked_for_would_have_settled_it():
    """Power at the number given is 80 % or more, and with one seed fewer it is not."""
    from statsmodels.stats.power import TTestPower

    weak = Result(0.5, 0, 1, 3, "t", p=0.2, opposite=0.8, sd=1.0, margin=0.5, freedom=4)
    n = seeds_needed(weak, tests=10)
    power = [TTestPower().power(0.5, m, 0.005, df=4 * (m - 1), alternative="larger") for m in (n - 1, n)]
    assert power[0] < 0.8 <= power[1]
    assert (
        seeds_needed(Result(0.001, 0, 1, 3, "t", p=0.4, opposite=0.6, sd=1.0, margin=0.001, freedom=4), 10)
        is None
    )
