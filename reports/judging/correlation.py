"""Do two series of cells go together, and how closely? Fisher's z of their correlation, tested over seeds."""

from __future__ import annotations

import math

import numpy as np

from reports.judging.inference import Bound, Result, reach, tail

FEWEST = {"pearson": 4, "spearman": 10}  # cells from which Fisher's approximation is fair without repeats
VARIANCE = {
    "pearson": 1.0,
    "spearman": 1.06,
}  # of z, times n - 3 (Fisher 1921; Fieller, Hartley and Pearson 1957)


def correlation(
    x: np.ndarray, y: np.ndarray, method: str, bound: Bound, noise: float | None = None
) -> Result:
    """That the correlation of two series, (n cells, n seeds) each, is above or below a number.

    Within each seed the correlation over cells is taken; its Fisher z is tested by Student's t over the seeds. With one
    seed the cells are the sample, if they suffice. Seeds that lack a cell are left out. Numbers whose noise is known
    are taken as they are: an interval over so few cells would say nothing of them.
    """
    whole = ~np.isnan(x + y).any(axis=0)
    cells, seeds = len(x), int(whole.sum())
    if cells < 3 or not all(np.ptp(each[:, seed]) for each in (x, y) for seed in np.flatnonzero(whole)):
        return Result(None, None, None, seeds, "a correlation needs three pairs that differ")
    r = np.array([_coefficient(x[:, seed], y[:, seed], method) for seed in np.flatnonzero(whole)])
    if noise is not None:
        is_true = bool(bound.holds(r.mean()))
        return Result(
            float(r.mean()), None, None, seeds, "exact comparison", float(not is_true), float(is_true)
        )
    z = np.arctanh(np.clip(r, *(sign * _largest(cells, method) for sign in (-1, 1))))
    name = method.capitalize()
    if seeds > 1:
        error, df = z.std(ddof=1) / math.sqrt(seeds), seeds - 1.0
        test, sd = (
            f"t over {seeds} seeds, of Fisher's z of {name}'s correlation of {cells} cells",
            z.std(ddof=1),
        )
        if not error:
            found = math.tanh(z[0])
            return Result(found, found, found, seeds, f"{test}, which do not differ", 1.0, 1.0, sd=0.0)
    elif cells >= FEWEST[method]:
        error, df = math.sqrt(VARIANCE[method] / (cells - 3)), math.inf
        test, sd = f"Fisher's z of {name}'s correlation of {cells} cells of one seed", None
    else:
        return Result(float(r[0]), None, None, 1, f"{cells} cells of one seed are too few for a correlation")
    center = float(z.mean())
    low, high = (math.tanh(center + sign * reach(df) * error) for sign in (-1, 1))
    margin = (center - math.atanh(bound.value)) * (1 if bound.kind == "above" else -1)
    p, opposite = (float(tail(np.array(sign * margin / error), df)) for sign in (1, -1))
    return Result(math.tanh(center), low, high, seeds, test, p, opposite, sd=sd, margin=margin)


def _coefficient(x: np.ndarray, y: np.ndarray, method: str) -> float:
    from scipy.stats import pearsonr, spearmanr

    return float({"pearson": pearsonr, "spearman": spearmanr}[method](x, y).statistic)


def _largest(n: int, method: str) -> float:
    """What a perfect correlation counts as, since its z is infinite: half a step of ranks below 1, or nearly 1."""
    return 1 - 6 / (n * (n**2 - 1)) if method == "spearman" else 1 - 1e-6
