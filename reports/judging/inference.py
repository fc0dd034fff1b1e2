"""The tests behind the verdicts. Every claim is a set of contrasts, weighted sums of cells (reports.judging.contrast).

Their noise, with two seeds or more, is that of a randomized block design: cells by seeds, a seed being a block; the
residual variance has (cells - 1)(seeds - 1) degrees of freedom, pooled over the claim's own cells. For two cells this
is the paired t test. A contrast whose weights do not sum to zero (a cell against a number) keeps its blocks. Pooling
assumes that the claim's cells are about equally noisy, and makes three seeds enough for claims of many cells. If one
cell is three times as noisy as the others, a test at 5 % is wrong up to 11 % of the time.

With one seed there are no residuals. What is left: a claim about a mean over pairs that share no cell is tested by a
paired t over the pairs, and a claim about one trend by the t test of a regression's slope. Else nothing can be said.

Several contrasts at once: `every` is an intersection-union test (Berger 1982), "5/12" its generalization, the partial
conjunction of Benjamini and Heller (2008): at least 5 of 12. Equivalence is two one-sided tests (Schuirmann 1987).
Each gives a p for the claim and a p for its opposite; either is at least uniform where that is false.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from reports.judging.contrast import Row

LEVEL = 0.05


@dataclass(frozen=True)
class Bound:
    """What a contrast must be: above or below a number, or within plus or minus one."""

    kind: str
    value: float

    def distance(self, values: np.ndarray) -> np.ndarray:
        """How far each value is on the right side of the bound."""
        if self.kind == "within":
            return self.value - abs(values)
        return values - self.value if self.kind == "above" else self.value - values

    def holds(self, values: np.ndarray) -> np.ndarray:
        """Which values do, taken as free of noise."""
        return self.distance(values) > 0


@dataclass(frozen=True)
class Result:
    """One condition, tested. Without a test p is None, and `test` says why.

    effect, low, high: the binding contrast (with `every` the weakest one) and its 95 % interval, or for "5/12" the
        count that holds. n: seeds, or pairs where there is one seed. sd: of the binding contrast over seeds.
    margin: how far the binding contrast is from its bound, positive on the claim's side. freedom: degrees of
        freedom that each seed after the first adds.
    """

    effect: float | None
    low: float | None
    high: float | None
    n: int
    test: str
    p: float | None = None
    opposite: float | None = None
    sd: float | None = None
    margin: float | None = None
    freedom: int | None = None
    of: int | None = None


@dataclass(frozen=True)
class Estimates:
    """Contrasts with their standard errors; df is infinite where the noise is known."""

    mean: np.ndarray
    error: np.ndarray
    df: float
    n: int
    test: str
    freedom: int | None = None


def infer(
    rows: Sequence[Row], cells: np.ndarray, of: str, bound: Bound, noise: float | None = None
) -> Result:
    """The condition that `of` the contrasts (mean, every, or a share such as 5/12) are within `bound`.

    cells: (k, n seeds), complete where a contrast has weight. noise: a known standard deviation of one cell.
    """
    averaged = [_mean(rows)] if of == "mean" else list(rows)
    estimates = _estimates(averaged, rows, cells, noise)
    if estimates is None:
        return _untested(averaged, cells, of, bound)
    p, opposite = _p_values(estimates, bound)
    needed = _needed(of, len(averaged))
    strongest_first = np.lexsort((-bound.distance(estimates.mean), p))
    return replace(
        _describe(estimates, int(strongest_first[needed - 1]), of, bound),
        p=_at_least(p, needed),
        opposite=_at_least(opposite, len(averaged) - needed + 1),
    )


def exact(rows: Sequence[Row], cells: np.ndarray, of: str, bound: Bound) -> Result:
    """The same condition of numbers without noise; p is 0 or 1."""
    values = np.stack([row.value(cells) for row in rows])
    values = values.mean(axis=0, keepdims=True) if of == "mean" else values
    is_true = int(bound.holds(values).all(axis=1).sum()) >= _needed(of, len(values))
    weakest = float(values.flat[int(np.argmin(bound.distance(values)))])
    seeds = cells.shape[1]
    return Result(weakest, None, None, seeds, "exact comparison", float(not is_true), float(is_true))


def both(results: Sequence[Result]) -> Result:
    """All of several conditions: the binding one stands for them (intersection-union; Bonferroni for the opposite)."""
    untested = [result for result in results if result.p is None]
    if untested:
        return untested[0]
    binding = max(results, key=lambda result: (result.p, -(result.margin or 0)))
    return replace(binding, opposite=min(1.0, len(results) * min(result.opposite for result in results)))


def _estimates(
    averaged: Sequence[Row], rows: Sequence[Row], cells: np.ndarray, noise: float | None
) -> Estimates | None:
    weights, seeds = np.stack([row.weights for row in averaged]), cells.shape[1]
    means = np.array([row.value(cells).mean() for row in averaged])
    length = np.sqrt((weights**2).sum(axis=1))
    if noise is not None:
        return Estimates(means, noise * length / math.sqrt(seeds), math.inf, seeds, f"z, noise {noise:g}")
    if seeds > 1:
        variance, freedom = _residual_variance(weights, cells)
        error, df = np.sqrt(variance / seeds) * length, freedom * (seeds - 1)
        return Estimates(means, error, df, seeds, f"t over {seeds} seeds, {df} degrees of freedom", freedom)
    return _one_seed(averaged, rows, cells) if len(averaged) == 1 else None


def _residual_variance(weights: np.ndarray, cells: np.ndarray) -> tuple[float, int]:
    """Of the cells that have weight, after cell means and, for pure differences, seed means; df per further seed."""
    used = cells[(weights != 0).any(axis=0)]
    residual = used - used.mean(axis=1, keepdims=True)
    freedom = len(used)
    if np.allclose(weights.sum(axis=1), 0) and len(used) > 1:
        residual = residual - residual.mean(axis=0, keepdims=True)
        freedom -= 1
    return float((residual**2).sum() / (freedom * (cells.shape[1] - 1))), freedom


def _one_seed(averaged: Sequence[Row], rows: Sequence[Row], cells: np.ndarray) -> Estimates | None:
    """Pairs or lines as the sample, if they share no cell; or the levels of one trend around their line."""
    values, n = np.array([row.value(cells)[0] for row in rows]), len(rows)
    if n > 1:
        if (np.stack([row.weights for row in rows]) != 0).sum(axis=0).max() > 1:
            return None
        error = values.std(ddof=1, keepdims=True) / math.sqrt(n)
        return Estimates(
            values.mean(keepdims=True), error, n - 1, n, f"t over {n} pairs of cells of one seed"
        )
    levels = np.array([level.value(cells)[0] for level in rows[0].levels])
    if len(levels) < 3:
        return None
    n = len(levels)
    _, covariance = np.polyfit(np.arange(n), levels, 1, cov=True)
    error = np.sqrt(covariance[:1, 0]) * (n - 1)
    return Estimates(values, error, n - 2, n, f"slope over {n} values of one seed")


def _p_values(estimates: Estimates, bound: Bound) -> tuple[np.ndarray, np.ndarray]:
    """Of each contrast: for the claim, and for its opposite."""
    above, below = (_one_sided(estimates, sign * bound.value) for sign in (1, -1))
    if bound.kind == "above":
        return above
    if bound.kind == "below":
        return above[::-1]
    return np.maximum(above[1], below[0]), np.minimum(1, 2 * np.minimum(above[0], below[1]))


def _one_sided(estimates: Estimates, value: float) -> tuple[np.ndarray, np.ndarray]:
    """p for being more, and for being less, than `value`. Without any noise it is 0, or 1 where it is not so."""
    distance, noisy = estimates.mean - value, estimates.error > 0
    statistic = distance / np.where(noisy, estimates.error, 1)
    return tuple(
        np.where(noisy, tail(sign * statistic, estimates.df), sign * distance <= 0).astype(float)
        for sign in (1, -1)
    )


def tail(statistic: np.ndarray, df: float) -> np.ndarray:
    """P(T > statistic). scipy.special and not scipy.stats, which costs a second to import."""
    from scipy.special import ndtr, stdtr

    return ndtr(-statistic) if math.isinf(df) else stdtr(df, -statistic)


def reach(df: float) -> float:
    """Standard errors on either side of an estimate that make its 95 % interval."""
    from scipy.special import ndtri, stdtrit

    return float(ndtri(1 - LEVEL / 2) if math.isinf(df) else stdtrit(df, 1 - LEVEL / 2))


def _describe(estimates: Estimates, binding: int, of: str, bound: Bound) -> Result:
    effect, error = round(float(estimates.mean[binding]), 10), float(estimates.error[binding])
    half = error * reach(estimates.df)
    margin, sd = float(bound.distance(estimates.mean)[binding]), error * math.sqrt(estimates.n)
    known = {
        "n": estimates.n,
        "test": estimates.test,
        "sd": sd,
        "margin": margin,
        "freedom": estimates.freedom,
    }
    if of in ("mean", "every"):
        return Result(effect, effect - half, effect + half, **known)
    return Result(float(bound.holds(estimates.mean).sum()), None, None, of=len(estimates.mean), **known)


def _untested(rows: Sequence[Row], cells: np.ndarray, of: str, bound: Bound) -> Result:
    values = np.array([row.value(cells).mean() for row in rows])
    binding = int(np.argsort(bound.distance(values), kind="stable")[len(values) - _needed(of, len(values))])
    is_share = of not in ("mean", "every")
    effect = float(bound.holds(values).sum()) if is_share else round(float(values[binding]), 10)
    of_how_many = len(values) if is_share else None
    return Result(effect, None, None, cells.shape[1], "one seed shows no spread", of=of_how_many)


def _at_least(p: np.ndarray, needed: int) -> float:
    """The p of "at least `needed` of these hold" (Benjamini and Heller 2008); all of them: the largest p."""
    return float(min(1.0, (len(p) - needed + 1) * np.sort(p)[needed - 1]))


def _needed(of: str, rows: int) -> int:
    return rows if of in ("mean", "every") else math.ceil(Fraction(of) * rows)


def _mean(rows: Sequence[Row]) -> Row:
    weights, constant = (
        np.mean([row.weights for row in rows], axis=0),
        np.mean([row.constant for row in rows]),
    )
    return Row({}, weights, float(constant), rows[0].levels if len(rows) == 1 else ())
