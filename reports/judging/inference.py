"""The tests behind the verdicts. Every claim is a set of contrasts, weighted sums of cells (reports.judging.contrast).

reports.judging.estimates gives each contrast a mean, a standard error and degrees of freedom. It is tested by Student's
t over the seeds; for a difference of two cells this is the paired t test.

Several contrasts at once: `every` is an intersection-union test (Berger 1982), "5/12" its generalization, the partial
conjunction of Benjamini and Heller (2008): at least 5 of 12. Equivalence is two one-sided tests (Schuirmann 1987).
Each gives a p for the claim and a p for its opposite; either is at least uniform where that is false.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np

from reports.judging.estimates import LEVEL, Estimates, estimate, reach, tail
from reports.judging.keys import Key
from reports.judging.selection import Row


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

    effect, low, high: the binding contrast (with `every` the least certain one, which has the largest p) and its 95 %
        interval, or for "5/12" the count that holds. n: seeds, or pairs where there is one seed. sd: of the binding
        contrast over seeds.
    margin: how far the binding contrast is from its bound, positive on the claim's side. among: by how much the
        binding contrast's p was multiplied, because others could have been the binding one.
    against: the same of the binding contrast's p for the opposite.
    part: which of the claim's conditions this is, from 1.
    at: with `every`, the knobs that tell the binding contrast from the others. comparisons: how many there are.
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
    against: int = 1
    of: int | None = None
    part: int = 1
    at: Mapping[str, str] = field(default_factory=dict)
    comparisons: int | None = None


def infer(
    rows: Sequence[Row], cells: np.ndarray, of: str, bound: Bound, noise: float | None = None
) -> Result:
    """The condition that `of` the contrasts (mean, every, or a share such as 5/12) are within `bound`.

    cells: (k, n seeds), NaN where a seed has no result; reports.judging.cells.Cells.complete says whether they suffice.
    noise: a known standard deviation of one cell.
    """
    averaged = [_mean(rows)] if of == "mean" else list(rows)
    estimates = estimate(averaged, rows, cells, noise)
    if estimates is None:
        return _untested(averaged, cells, of, bound)
    return conclude(estimates, of, bound, [row.told for row in averaged])


def conclude(estimates: Estimates, of: str, bound: Bound, keys: Sequence[Key] = ()) -> Result:
    """The condition that `of` the estimates are within `bound`. keys: of the contrasts."""
    p, opposite = _p_values(estimates, bound)
    needed = _needed(of, len(p))
    # Ties of p are broken by distance: without noise many p are 0 or 1.
    strongest_first = np.lexsort((-bound.distance(estimates.mean), p))
    binding = int(strongest_first[needed - 1])
    return replace(
        _describe(estimates, binding, of, bound),
        **_which(keys, binding, of),
        p=_at_least(p, needed),
        opposite=_at_least(opposite, len(p) - needed + 1),
        among=len(p) - needed + 1,
        against=needed * (2 if bound.kind == "within" else 1),
    )


def exact(rows: Sequence[Row], cells: np.ndarray, of: str, bound: Bound) -> Result:
    """The same condition of numbers without noise, in every seed that has them; p is 0 or 1."""
    values = np.stack([row.value(cells) for row in rows])
    values = values.mean(axis=0, keepdims=True) if of == "mean" else values
    has = ~np.isnan(values)
    is_true = int((bound.holds(values) | ~has).all(axis=1).sum()) >= _needed(of, len(values))
    distances = np.where(has, bound.distance(values), np.inf)
    place = np.unravel_index(np.argmin(distances), values.shape)
    seeds = int(has.all(axis=0).sum())
    said = _which([row.told for row in rows], int(place[0]), of)
    p = {"p": float(not is_true), "opposite": float(is_true)}
    return Result(float(values[place]), None, None, seeds, "exact comparison", **p, **said)


def both(results: Sequence[Result]) -> Result:
    """All of several conditions; the binding one stands for them (intersection-union; Bonferroni for the opposite).

    If one condition could not be tested, the claim cannot be confirmed, but another condition may still contradict it.
    """
    results = [replace(result, part=place) for place, result in enumerate(results, 1)]
    untested = [result for result in results if result.p is None]
    tested = [result for result in results if result.p is not None]
    # The claim is false if any part is: several chances to find one, so the smallest p is multiplied.
    opposite = min(1.0, len(results) * min((result.opposite for result in tested), default=1.0))
    if not tested:
        return untested[0]
    # One part that is shown false settles it: a conjunction does not wait for its other parts. It is tested whatever
    # comes out, or the family would be the smaller the less there is to find in it.
    refuted = untested and opposite < LEVEL
    if refuted:
        binding = min(tested, key=lambda result: result.opposite)
    else:
        binding = max(
            results, key=lambda result: (1.0 if result.p is None else result.p, -(result.margin or 0))
        )
    p = 1.0 if untested else binding.p
    return replace(binding, p=p, opposite=opposite, against=binding.against * len(results))


def _p_values(estimates: Estimates, bound: Bound) -> tuple[np.ndarray, np.ndarray]:
    """The p of each contrast, for the claim and for its opposite."""
    above, below = (_one_sided(estimates, sign * bound.value) for sign in (1, -1))
    if bound.kind == "above":
        return above
    if bound.kind == "below":
        return above[::-1]
    # Equivalence needs both one-sided tests. Its opposite needs only one of two, hence the factor.
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
    said = _which([row.told for row in rows], binding, of) | {"of": len(values) if is_share else None}
    return Result(effect, None, None, cells.shape[1], "one seed shows no spread", **said)


def _which(keys: Sequence[Key], binding: int, of: str) -> dict[str, Any]:
    """Which of several contrasts is the binding one; nothing where they are not asked for one by one."""
    if of != "every":
        return {}
    told = [
        knob for knob in dict.fromkeys(itertools.chain(*keys)) if len({key.get(knob) for key in keys}) > 1
    ]
    own = [{knob: key.get(knob, "") for knob in told} for key in keys]
    return {"at": own[binding] if own.count(own[binding]) == 1 else {}, "comparisons": len(keys)}


def _at_least(p: np.ndarray, needed: int) -> float:
    """The p of "at least `needed` of these hold" (Benjamini and Heller 2008); all of them: the largest p."""
    return float(min(1.0, (len(p) - needed + 1) * np.sort(p)[needed - 1]))


def _needed(of: str, rows: int) -> int:
    return rows if of in ("mean", "every") else math.ceil(Fraction(of) * rows)


def _mean(rows: Sequence[Row]) -> Row:
    weights = np.mean([row.weights for row in rows], axis=0)
    constant = float(np.mean([row.constant for row in rows]))
    return Row({}, weights, constant, rows[0].levels if len(rows) == 1 else ())
