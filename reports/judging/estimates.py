"""Contrasts with their standard errors: over seeds, or, with one seed, over the cells of that seed.

A seed is one repeat of the experiment. A contrast is taken within each seed that has all its cells. What a seed does to
all cells alike drops out, cells may be as unequally noisy as they like, and a training that feeds many cells is one
training. (A variance pooled over cells would need fewer seeds. It is wrong where one cell is noisier, and grossly so at
the levels that Holm's correction asks for.)

With one seed there are no repeats. Two kinds of claims can still be tested: a mean over pairs that share no cell, by a
paired t over the pairs, and one trend, by the t test of a regression's slope. Nothing can be said of any other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reports.judging.selection import Row

LEVEL = 0.05
ROUNDING = (
    1e-9  # a spread below this share of the numbers is that of their last bits; a t of it would be huge
)


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


def estimate(
    averaged: Sequence[Row], rows: Sequence[Row], cells: np.ndarray, noise: float | None
) -> Estimates | None:
    """Estimates of the contrasts `averaged`; None where one seed cannot give any.

    averaged: the contrasts to be tested, which may be one mean over `rows`. cells, noise: as in `inference.infer`.
    """
    if cells.shape[1] == 1 and noise is None:
        return _one_seed(averaged, rows, cells) if len(averaged) == 1 else None
    values = np.stack([row.value(cells) for row in averaged])
    if noise is None:
        return over_seeds(values, _largest(averaged, cells))
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
        error = _spread(values.std(ddof=1, keepdims=True), _largest(rows, cells).max()) / math.sqrt(n)
        return of_one_seed(
            values.mean(keepdims=True), error, n - 1, n, f"t over {n} pairs of cells of one seed"
        )
    levels = np.array([level.value(cells)[0] for level in rows[0].levels])
    # Two points lie on their line: no residual is left to tell the noise by.
    if len(levels) < 3:
        return None
    n = len(levels)
    _, covariance = np.polyfit(np.arange(n), levels, 1, cov=True)
    error = _spread(np.sqrt(covariance[:1, 0]) * (n - 1), _largest(rows, cells).max())
    return of_one_seed(values, error, n - 2, n, f"slope over {n} values of one seed")


def over_seeds(values: np.ndarray, largest: np.ndarray | None = None) -> Estimates:
    """Contrasts by their values within seeds, (m, n seeds), NaN where a seed lacks a cell; two or more seeds each.

    largest: of the numbers that each contrast was made of, (m,); by default the contrasts' own.
    """
    n = (~np.isnan(values)).sum(axis=1)
    spread = _spread(
        np.nanstd(values, axis=1, ddof=1), np.nanmax(abs(values), axis=1) if largest is None else largest
    )
    how_many = f"{n.min()} to {n.max()}" if np.ptp(n) else str(n[0])
    return Estimates(np.nanmean(values, axis=1), spread / np.sqrt(n), n - 1.0, n, f"t over {how_many} seeds")


def _largest(rows: Sequence[Row], cells: np.ndarray) -> np.ndarray:
    """The largest of the numbers that each row is made of."""
    return np.array([np.nanmax(abs(cells[row.needs]), initial=0) for row in rows])


def _spread(spread: np.ndarray, largest: np.ndarray | float) -> np.ndarray:
    """The spread, 0 where it is that of last bits: 42.3 - 40.1 and 37.5 - 35.3 are equal, and not to the last bit."""
    return np.where(spread <= ROUNDING * largest, 0, spread)


def of_one_seed(mean: np.ndarray, error: np.ndarray, df: float, n: int, test: str) -> Estimates:
    """An estimate, (1,), whose sample are `n` cells of one seed."""
    return Estimates(mean, error, np.array([float(df)]), np.array([n]), test, is_over_seeds=False)


def tail(statistic: np.ndarray, df: np.ndarray | float) -> np.ndarray:
    """P(T > statistic). scipy.special and not scipy.stats, which costs a second to import."""
    from scipy.special import ndtr, stdtr

    return np.where(np.isinf(df), ndtr(-statistic), stdtr(df, -statistic))


def reach(df: float) -> float:
    """Standard errors on either side of an estimate that make its 95 % interval."""
    from scipy.special import ndtri, stdtrit

    return float(ndtri(1 - LEVEL / 2) if math.isinf(df) else stdtrit(df, 1 - LEVEL / 2))
