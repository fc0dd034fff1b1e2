"""Do two series of cells go together, and how closely? Fisher's z of their correlation, tested over seeds."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from reports.judging.estimates import of_one_seed, over_seeds
from reports.judging.inference import Bound, Result, conclude

FEWEST = {"pearson": 4, "spearman": 10}  # cells from which Fisher's approximation is fair without repeats
ENOUGH = 4  # cells that say anything: three have the same order by chance too often
# Of z, times n - 3 (Fisher 1921; Fieller, Hartley and Pearson 1957).
VARIANCE = {"pearson": 1.0, "spearman": 1.06}


def correlation(
    x: np.ndarray, y: np.ndarray, method: str, bound: Bound, noise: float | None = None
) -> Result:
    """The condition that the correlation of two series, (n cells, n seeds) each, is above or below a number.

    Within each seed the correlation over cells is taken; its Fisher z is tested by Student's t over the seeds. With one
    seed the cells are the sample, if there are enough of them. Seeds that lack a cell are left out. Numbers whose noise
    is known are taken as they are: an interval over so few cells would say nothing of them.

    The effect is the mean of the seeds' correlations, as measured; what a perfect one counts as in the test is no
    number of theirs.
    """
    whole = ~np.isnan(x + y).any(axis=0)
    cells, seeds = len(x), int(whole.sum())
    if cells < ENOUGH or not all(np.ptp(each[:, seed]) for each in (x, y) for seed in np.flatnonzero(whole)):
        return Result(None, None, None, seeds, "a correlation needs four pairs that differ")
    r = np.array([_coefficient(x[:, seed], y[:, seed], method) for seed in np.flatnonzero(whole)])
    if noise is not None:
        is_true = bool(bound.holds(r.mean()))
        return Result(
            float(r.mean()), None, None, seeds, "exact comparison", float(not is_true), float(is_true)
        )
    z = np.arctanh(np.clip(r, *(sign * _largest(cells, method) for sign in (-1, 1))))
    what = f"Fisher's z of {method.capitalize()}'s correlation of {cells} cells"
    if seeds > 1:
        estimates = over_seeds(z[None])
    elif cells >= FEWEST[method]:
        error = np.sqrt([VARIANCE[method] / (cells - 3)])
        estimates = of_one_seed(z, error, math.inf, seeds, "one seed")
    else:
        return Result(float(r[0]), None, None, 1, f"{cells} cells of one seed are too few for a correlation")
    result, measured = (
        conclude(estimates, "mean", Bound(bound.kind, math.atanh(bound.value))),
        float(r.mean()),
    )
    low, high = min(measured, math.tanh(result.low)), max(measured, math.tanh(result.high))
    interval = {"low": low, "high": high} if result.sd != 0 else {"low": None, "high": None}
    return replace(result, effect=round(measured, 10), **interval, test=f"{what}, {result.test}")


def _coefficient(x: np.ndarray, y: np.ndarray, method: str) -> float:
    from scipy.stats import pearsonr, spearmanr

    return float({"pearson": pearsonr, "spearman": spearmanr}[method](x, y).statistic)


def _largest(n: int, method: str) -> float:
    """What a perfect correlation counts as, since its z is infinite: half a step of ranks below 1, or nearly 1."""
    return 1 - 6 / (n * (n**2 - 1)) if method == "spearman" else 1 - 1e-6
