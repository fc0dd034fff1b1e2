"""Many claims at once: which of their confirmations and contradictions to believe.

Every claim is tested from both sides. All these tests of a scale are one family, in which Benjamini and Hochberg's
procedure (1995) keeps the expected share of wrong ones among the verdicts at 5 % or less. Of a claim and its opposite
one at least is false, so that this is their procedure on two-sided tests with the sign decided afterwards, which
controls the share of wrong signs too (Benjamini and Yekutieli 2005). Holm's procedure (1979) over the same family is
the stricter mark: with it, 95 % of such boards would have no wrong verdict at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from reports.judging.estimates import LEVEL


class Corrected(NamedTuple):
    """A p of the family: as it is, and corrected by Benjamini and Hochberg and by Holm."""

    p: float
    bh: float
    holm: float


class Family(NamedTuple):
    """The corrected p of each claim and of its opposite, by the claim's id."""

    claims: dict[str, tuple[Corrected, Corrected]]

    @property
    def tests(self) -> int:
        """How many: two to a claim."""
        return 2 * len(self.claims)

    @property
    def next_level(self) -> float:
        """What p one more claim would need, beside those that are settled, to be settled too."""
        settled = sum(min(one.bh, other.bh) < LEVEL for one, other in self.claims.values())
        return LEVEL * min(settled + 1, len(self.claims)) / max(1, self.tests)


def family(names: Sequence[str], p: Sequence[float], opposite: Sequence[float]) -> Family:
    """The claims of a scale, with the p of each and that of its opposite."""
    if not names:
        return Family({})
    tests = np.array([*p, *opposite], dtype=float)
    both = zip(tests, benjamini_hochberg(tests), holm(tests), strict=True)
    corrected = [Corrected(*map(float, one)) for one in both]
    pairs = zip(corrected[: len(names)], corrected[len(names) :], strict=True)
    return Family(dict(zip(names, pairs, strict=True)))


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """The p of m tests, corrected: the least m p(j) / j over the ranks j from its own on, at most 1."""
    order = np.argsort(p)
    scaled = len(p) * p[order] / np.arange(1, len(p) + 1)
    return _in_place(order, np.minimum.accumulate(scaled[::-1])[::-1])


def holm(p: np.ndarray) -> np.ndarray:
    """The p of m tests, corrected: the largest (m - j + 1) p(j) over the ranks j up to its own, at most 1."""
    order = np.argsort(p)
    scaled = np.arange(len(p), 0, -1) * p[order]
    return _in_place(order, np.maximum.accumulate(scaled))


def _in_place(order: np.ndarray, corrected: np.ndarray) -> np.ndarray:
    placed = np.empty_like(corrected)
    placed[order] = np.minimum(corrected, 1)
    return placed
