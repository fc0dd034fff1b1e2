"""The tests behind the verdicts. Every claim is a set of contrasts, weighted sums of cells (reports.judging.contrast).

A seed is one repeat of the experiment. A contrast is taken within each seed that has all its cells, and tested by
Student's t over the seeds: for two cells the paired t test. What a seed does to all cells alike drops out, cells may be
as unequally noisy as they like, and a training that feeds many cells is one training. (A variance pooled over cells
would need fewer seeds, and is wrong where one cell is noisier: at the levels that Holm's correction asks for, grossly.)

With one seed there are no repeats. What is left: a claim about a mean over pairs that share no cell is tested by a
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
ROUNDING = 1e-9  # a spread below this share of the numbers is that of their last bits


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
    margin: how far the binding contrast is from its bound, positive on the claim's side. among: by how much the
        binding contrast's p was multiplied, because others could have been the binding one.
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
    among: int = 1
    of: int | None = None


@dataclass(frozen=True)
class Estimates:
    """Contrasts with their standard errors, (m,) each; df is infinite where the noise is known.

    n: seeds, or with `is_over_seeds` false the cells of one seed.

    Where repeats do not differ at all the error is 0 and nothing can be tested, unless the noise is known to be none.
    """

    mean: np.ndarray
    error: np.ndarray
    df: np.ndarray
    n: np.ndarray
    test: str
    is_over_seeds: bool = True

    @property
    def known(self) -> bool:
        """Whether the noise is known and not estimated."""
        return bool(np.isinf(self.df).all())


def infer(
    rows: Sequence[Row], cells: np.ndarray, of: str, bound: Bound, noise: float | None = None
) -> Result:
    """The condition that `of` the contrasts (mean, every, or a share such as 5/12) are within `bound`.

    cells: (k, n seeds), NaN where a seed has no result; reports.judging.cells.Cells.complete says whether they suffice.
    noise: a known standard deviation of one cell.
    """
    averaged = [_mean(rows)] if of == "mean" else list(rows)
    estimates = _estimates(averaged, rows, cells, noise)
    return _untested(averaged, cells, of, bound) if estimates is None else conclude(estimates, of, bound)


def conclude(estimates: Estimates, of: str, bound: Bound) -> Result:
    """The condition that `of` the estimates are within `bound`."""
    p, opposite = _p_values(estimates, bound)
    needed = _needed(of, len(p))
    # Ties of p are broken by distance: without noise many are 0 or 1.
    strongest_first = np.lexsort((-bound.distance(estimates.mean), p))
    return replace(
        _describe(estimates, int(strongest_first[needed - 1]), of, bound),
        p=_at_least(p, needed),
        opposite=_at_least(opposite, len(p) - needed + 1),
        among=len(p) - needed + 1,
    )


def over_seeds(values: np.ndarray) -> Estimates:
    """Contrasts by their values within seeds, (m, n seeds), NaN where a seed lacks a cell; two or more seeds each."""
    n, spread = (~np.isnan(values)).sum(axis=1), np.nanstd(values, axis=1, ddof=1)
    # Equal accuracies differ in their last bits after averaging; divided by such a spread, t would be huge.
    spread[spread <= ROUNDING * np.nanmax(abs(values), axis=1)] = 0
    how_many = f"{n.min()} to {n.max()}" if np.ptp(n) else str(n[0])
    return Estimates(np.nanmean(values, axis=1), spread / np.sqrt(n), n - 1.0, n, f"t over {how_many} seeds")


def of_one_seed(mean: np.ndarray, error: np.ndarray, df: float, n: int, test: str) -> Estimates:
    """An estimate, (1,), whose sample are `n` cells of one seed."""
    return Estimates(mean, error, np.array([float(df)]), np.array([n]), test, is_over_seeds=False)


def exact(rows: Sequence[Row], cells: np.ndarray, of: str, bound: Bound) -> Result:
    """The same condition of numbers without noise, in every seed that has them; p is 0 or 1."""
    values = np.stack([row.value(cells) for row in rows])
    values = values.mean(axis=0, keepdims=True) if of == "mean" else values
    has = ~np.isnan(values)
    is_true = int((bound.holds(values) | ~has).all(axis=1).sum()) >= _needed(of, len(values))
    weakest = float(values[has][int(np.argmin(bound.distance(values[has])))])
    seeds = int(has.all(axis=0).sum())
    return Result(weakest, None, None, seeds, "exact comparison", float(not is_true), float(is_true))


def both(results: Sequence[Result]) -> Result:
    """All of several conditions: the binding one stands for them (intersection-union; Bonferroni for the opposite).

    One that could not be tested keeps the claim from being confirmed, and not from being contradicted by another.
    """
    untested = [result for result in results if result.p is None]
    tested = [result for result in results if result.p is not None]
    # The claim is false if any part is: several chances to find one, so the smallest p is multiplied.
    opposite = min(1.0, len(results) * min((result.opposite for result in tested), default=1.0))
    # One part that is shown false settles it: a conjunction does not wait for its other parts.
    if untested and opposite < LEVEL:
        return replace(min(tested, key=lambda result: result.opposite), p=1.0, opposite=opposite)
    if untested:
        return untested[0]
    binding = max(results, key=lambda result: (result.p, -(result.margin or 0)))
    return replace(binding, opposite=opposite)


def _estimates(
    averaged: Sequence[Row], rows: Sequence[Row], cells: np.ndarray, noise: float | None
) -> Estimates | None:
    if cells.shape[1] == 1 and noise is None:
        return _one_seed(averaged, rows, cells) if len(averaged) == 1 else None
    values = np.stack([row.value(cells) for row in averaged])
    if noise is None:
        return over_seeds(values)
    n = (~np.isnan(values)).sum(axis=1)
    length = np.sqrt((np.stack([row.weights for row in averaged]) ** 2).sum(axis=1))
    known = np.full(len(averaged), np.inf)
    return Estimates(np.nanmean(values, axis=1), noise * length / np.sqrt(n), known, n, f"z, noise {noise:g}")


def _one_seed(averaged: Sequence[Row], rows: Sequence[Row], cells: np.ndarray) -> Estimates | None:
    """Pairs or lines as the sample, if they share no cell; or the levels of one trend around their line."""
    values, n = np.array([row.value(cells)[0] for row in rows]), len(rows)
    if n > 1:
        # A cell in two pairs makes them dependent, and the t test would take one error for several.
        if (np.stack([row.weights for row in rows]) != 0).sum(axis=0).max() > 1:
            return None
        error = values.std(ddof=1, keepdims=True) / math.sqrt(n)
        return of_one_seed(
            values.mean(keepdims=True), error, n - 1, n, f"t over {n} pairs of cells of one seed"
        )
    levels = np.array([level.value(cells)[0] for level in rows[0].levels])
    # Two points lie on their line: no residual is left to tell the noise by.
    if len(levels) < 3:
        return None
    n = len(levels)
    _, covariance = np.polyfit(np.arange(n), levels, 1, cov=True)
    error = np.sqrt(covariance[:1, 0]) * (n - 1)
    return of_one_seed(values, error, n - 2, n, f"slope over {n} values of one seed")


def _p_values(estimates: Estimates, bound: Bound) -> tuple[np.ndarray, np.ndarray]:
    """The p of each contrast, for the claim and for its opposite."""
    above, below = (_one_sided(estimates, sign * bound.value) for sign in (1, -1))
    if bound.kind == "above":
        return above
    if bound.kind == "below":
        return above[::-1]
    # Equivalence needs both one-sided tests; its opposite either of two, hence the factor.
    return np.maximum(above[1], below[0]), np.minimum(1, 2 * np.minimum(above[0], below[1]))


def _one_sided(estimates: Estimates, value: float) -> tuple[np.ndarray, np.ndarray]:
    """p for being more, and for being less, than `value`: 1 for both where repeats show no spread to measure it by."""
    distance, noisy = estimates.mean - value, estimates.error > 0
    statistic = distance / np.where(noisy, estimates.error, 1)
    return tuple(
        np.where(
            noisy, tail(sign * statistic, estimates.df), ~((sign * distance > 0) & estimates.known)
        ).astype(float)
        for sign in (1, -1)
    )


def tail(statistic: np.ndarray, df: np.ndarray | float) -> np.ndarray:
    """P(T > statistic). scipy.special and not scipy.stats, which costs a second to import."""
    from scipy.special import ndtr, stdtr

    return np.where(np.isinf(df), ndtr(-statistic), stdtr(df, -statistic))


def reach(df: float) -> float:
    """Standard errors on either side of an estimate that make its 95 % interval."""
    from scipy.special import ndtri, stdtrit

    return float(ndtri(1 - LEVEL / 2) if math.isinf(df) else stdtrit(df, 1 - LEVEL / 2))


def _describe(estimates: Estimates, binding: int, of: str, bound: Bound) -> Result:
    # Sums of decimal accuracies: 0.1 + 0.2 would be printed as 0.30000000000000004.
    effect, error = round(float(estimates.mean[binding]), 10), float(estimates.error[binding])
    n, half = int(estimates.n[binding]), error * reach(float(estimates.df[binding]))
    test = estimates.test
    if not error and not estimates.known:
        test += ", which do not differ"
    known = {
        "n": n,
        "test": test,
        "sd": error * math.sqrt(n) if estimates.is_over_seeds else None,
        "margin": float(bound.distance(estimates.mean)[binding]),
    }
    if of in ("mean", "every"):
        return Result(effect, effect - half, effect + half, **known)
    return Result(float(bound.holds(estimates.mean).sum()), None, None, of=len(estimates.mean), **known)


def _untested(rows: Sequence[Row], cells: np.ndarray, of: str, bound: Bound) -> Result:
    values = np.array([np.nanmean(row.value(cells)) for row in rows])
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
    weights = np.mean([row.weights for row in rows], axis=0)
    constant = float(np.mean([row.constant for row in rows]))
    return Row({}, weights, constant, rows[0].levels if len(rows) == 1 else ())
