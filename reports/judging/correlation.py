"""Do two series go together, and how closely? Tested on the cells of one exhibit, each the mean of its seeds."""

from __future__ import annotations

import math

import numpy as np

from reports.judging.inference import Bound, Result, reach, tail


def correlation(x: np.ndarray, y: np.ndarray, method: str, bound: Bound) -> Result:
    """That the correlation of two series, (n,) each, is above or below a number: Fisher's z transformation.

    For Spearman the variance of z is 1.06 / (n - 3) (Fieller, Hartley and Pearson 1957). Fewer than four: untested.
    """
    from scipy.stats import pearsonr, spearmanr

    n = len(x)
    if n < 4 or not (np.ptp(x) and np.ptp(y)):
        return Result(None, None, None, n, "a correlation needs four pairs that differ")
    r = float({"pearson": pearsonr, "spearman": spearmanr}[method](x, y).statistic)
    z = math.atanh(float(np.clip(r, -1 + 1e-12, 1 - 1e-12)))
    error = math.sqrt({"pearson": 1.0, "spearman": 1.06}[method] / (n - 3))
    low, high = (math.tanh(z + sign * reach(math.inf) * error) for sign in (-1, 1))
    distance = (z - math.atanh(bound.value)) / error * (1 if bound.kind == "above" else -1)
    p, opposite = (float(tail(np.array(sign * distance), math.inf)) for sign in (1, -1))
    return Result(r, low, high, n, f"Fisher's z of {method.capitalize()}'s correlation", p, opposite)
