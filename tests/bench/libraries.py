"""What is neither training nor ink, each beside its usual library on the same input: times theirs takes of ours.

The tests of reports.judging, nearest neighbours, t-SNE. The path of penalties has a file of its own (logistic.py).
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch

from simclr.knn import knn_scores
from tests.bench.findings import Finding

BANK, QUERIES, DIM, CLASSES = 10_000, 2_000, 512, 10
EXAMPLES, DRAWS = 1000, 10_000
CONTRASTS, SEEDS = 1000, 8
PICTURE = 300


def seconds_of(work: Callable[[], object], rounds: int) -> float:
    """Median seconds."""
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return statistics.median(found)


def beside(what: str, ours: Callable, theirs: Callable, rounds: int, library: str) -> Finding:
    """Both interleaved, a median each."""
    ours(), theirs()
    pairs = [(seconds_of(ours, 1), seconds_of(theirs, 1)) for _ in range(rounds)]
    own, other = (statistics.median(side) for side in zip(*pairs, strict=True))
    value = statistics.median(b / a for a, b in pairs)
    return Finding(f"{what}, against {library}", value, "x", measured={"our s": own, f"{library}'s s": other})


def neighbours(rounds: int, seconds: float) -> list[Finding]:
    """200 neighbours by cosine among 10,000, one thread."""
    from sklearn.neighbors import KNeighborsClassifier
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    bank, queries = torch.randn(BANK + QUERIES, DIM, generator=torch.manual_seed(0)).split([BANK, QUERIES])
    labels = torch.arange(BANK) % CLASSES
    model = KNeighborsClassifier(200, metric="cosine", algorithm="brute", weights=lambda d: np.exp(-d / 0.1))
    model.fit(bank.numpy(), labels.numpy())
    with threadpool_limits(1):
        found = beside(
            "kNN classifier",
            lambda: knn_scores(bank.split(500), labels, queries, CLASSES, k=200, temperature=0.1),
            lambda: model.predict_proba(queries.numpy()),
            rounds,
            "scikit-learn",
        )
    return [found]


def picture(rounds: int, seconds: float) -> list[Finding]:
    """t-SNE is scikit-learn's own, started at the principal components; beside its defaults."""
    from sklearn.manifold import TSNE

    import stages.tsne

    features = np.random.default_rng(0).normal(size=(PICTURE, DIM)).astype(np.float32)
    own = lambda: stages.tsne.embedding(features, 0, perplexity=30.0, iterations=500)  # noqa: E731
    theirs = lambda: TSNE(perplexity=30.0, max_iter=500, random_state=0).fit_transform(features)  # noqa: E731
    return [beside("t-SNE", own, theirs, rounds, "scikit-learn")]


def permutations(rounds: int, seconds: float) -> list[Finding]:
    """The permutation test of Appendix B.8 for mean per-class accuracy, against scipy's general one."""
    from scipy.stats import permutation_test

    from reports.judging.permutation import p_value

    random = np.random.default_rng(0)
    a, b = (random.random((2, EXAMPLES)) < 0.7).astype(bool)
    labels = np.arange(EXAMPLES) % CLASSES

    def theirs() -> float:
        def statistic(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
            return (x - y).mean(axis=axis)

        return permutation_test(
            (a.astype(float), b.astype(float)),
            statistic,
            permutation_type="samples",
            vectorized=True,
            n_resamples=DRAWS,
            batch=1000,
            rng=random,
        ).pvalue

    return [
        beside("permutation test", lambda: p_value(a, b, "bench", labels, DRAWS), theirs, rounds, "scipy")
    ]


def verdicts(rounds: int, seconds: float) -> list[Finding]:
    """A thousand paired t tests, as the verdicts make them, against scipy's."""
    from scipy.stats import ttest_1samp

    from reports.judging.estimates import over_seeds
    from reports.judging.inference import Bound, conclude

    values = np.random.default_rng(0).normal(size=(CONTRASTS, SEEDS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = lambda: conclude(over_seeds(values), "every", Bound("above", 0.0))  # noqa: E731
        theirs = lambda: ttest_1samp(values, 0.0, axis=1, alternative="greater")  # noqa: E731
        return [beside("1,000 paired t tests of a verdict", own, theirs, rounds, "scipy")]
