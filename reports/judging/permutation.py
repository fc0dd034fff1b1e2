"""Are two models different on one test set? The permutation test of Appendix B.8, and what it lets a table set in bold.

If both models were equally good, each example's two outcomes could as well have been each other's. So for every example
they are swapped with probability one half, the difference of the two measures is taken again, and p is the share of
100,000 such draws with a difference at least as large, in size, as the one observed (which counts as one more draw:
p is never 0, and the test keeps its level). For top-1 this is the exact McNemar test, up to the draws.

The test knows one training of each model and asks about other test examples. It ignores that another seed would have
given another model: two trainings of one method may differ by it.

Outcomes are bool: (n,) whether the class of each example was right, or (n, classes) whether each of its labels was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from common.errors import UserError

DRAWS = 100_000
LEVEL = 0.05
CHUNK = 4_000_000  # swaps that are held at a time
ROUNDING = 1e-9  # differences that are equal but for the order of a sum count as equal


def p_value(
    a: np.ndarray, b: np.ndarray, name: str, labels: np.ndarray | None = None, draws: int = DRAWS
) -> float:
    """Two-sided p of the permutation test for two models' outcomes on the data set `name`, which seeds the draws.

    a, b: bool (n,) or (n, classes). Without `labels` the measure is accuracy, over examples or over all labels (for
    VOC the paper exchanges accuracies, not average precisions). With labels (n,) it is the mean of the classes'
    accuracies. UserError if the shapes do not fit.
    """
    values = _differences(a, b, labels)
    if labels is None and a.ndim == 1:
        return _p(_accuracy_draws(values, name, draws), values)
    return _p(swapped(values, name, draws), values)


def swapped(values: np.ndarray, name: str, draws: int = DRAWS) -> np.ndarray:
    """float64 (draws,): sums of the values (n,), each value with a random sign."""
    values = values[values != 0]  # examples on which the models agree stay where they are
    if len(values) == 0:
        return np.zeros(draws)
    random, size = _generator(name), max(1, CHUNK // (8 * len(values)) * 8)
    total = values.sum()
    parts = []
    for start in range(0, draws, size):
        rows = min(size, draws - start)
        bits = np.unpackbits(random.integers(0, 256, (rows, -(-len(values) // 8)), np.uint8), axis=1)
        parts.append(total - 2 * (bits[:, : len(values)] @ values))
    return np.concatenate(parts)


def bold(
    outcomes: Mapping[str, np.ndarray], name: str, labels: np.ndarray | None = None, draws: int = DRAWS
) -> set[str]:
    """The models not significantly worse than the best (p > 0.05 against it), the best among them.

    outcomes: {model: bool (n,) or (n, classes)}, on the data set `name`. Of equally good ones the first is the best.
    None is bold of fewer than two.
    """
    if len(outcomes) < 2:
        return set()  # a model alone was compared with nothing
    measures = {model: measure(predicted, labels) for model, predicted in outcomes.items()}
    best = max(measures, key=measures.__getitem__)
    return {
        model
        for model, predicted in outcomes.items()
        if model == best or p_value(outcomes[best], predicted, name, labels, draws) > LEVEL
    }


def measure(outcomes: np.ndarray, labels: np.ndarray | None = None) -> float:
    """Percent right: of all entries, or with labels (n,) the mean over the classes that occur."""
    if labels is None:
        return 100 * float(np.mean(outcomes))
    return 100 * float(outcomes.astype(float) @ _weights(labels))


def _accuracy_draws(values: np.ndarray, name: str, draws: int) -> np.ndarray:
    """The distribution of `swapped` for values of -1, 0 and 1: of those not 0, a binomial number is positive."""
    discordant = int(np.count_nonzero(values))
    return 2.0 * _generator(name).binomial(discordant, 0.5, draws) - discordant


def _differences(a: np.ndarray, b: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    """What each example adds to the difference of the measures, up to a factor."""
    if a.shape != b.shape or a.ndim not in (1, 2) or len(a) == 0 or a.dtype != bool or b.dtype != bool:
        raise UserError(
            "two models cannot be compared",
            expected="outcomes on the same test set, bool (n,) or (n, classes)",
            found=f"{a.dtype} {a.shape} and {b.dtype} {b.shape}",
            remedy="evaluate both on one data set at one scale",
        )
    if labels is not None and labels.shape != a.shape:
        raise UserError(
            "outcomes without labels",
            expected=f"a label for each of {a.shape}",
            found=f"labels of {labels.shape}",
        )
    difference = a.astype(np.int64) - b.astype(np.int64)
    if labels is not None:
        return difference * _weights(labels)
    return (difference if a.ndim == 1 else difference.sum(axis=1)).astype(float)


def _weights(labels: np.ndarray) -> np.ndarray:
    """One over the size of each example's class, over the number of classes that occur."""
    _, inverse, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    return 1 / (sizes[inverse] * len(sizes))


def _p(drawn: np.ndarray, values: np.ndarray) -> float:
    """The share of drawn sums (draws,) that are as large as that of `values`, in size."""
    # Relative to what is added up and not to the sum, which may be 0 but for rounding.
    slack = ROUNDING * np.abs(values).sum()
    return (1 + int((np.abs(drawn) >= abs(values.sum()) - slack).sum())) / (1 + len(drawn))


def _generator(name: str) -> np.random.Generator:
    """Draws that depend on the data set's name alone."""
    digest = hashlib.sha256(f"permutation test/{name}".encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))
