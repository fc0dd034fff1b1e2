"""The verdicts of a scale as verdicts.json holds them: what the page and comparisons read."""

from __future__ import annotations

from typing import TypedDict

VERDICTS = ("confirmed", "contradicted", "inconclusive", "not run", "report")
FILE = "verdicts.json"


class Verdict(TypedDict):
    """A claim with its verdict.

    p: of the claim; p_bh, p_holm: corrected over all tests of the scale, of the claim, or of its opposite if that was
    found; strict: whether the verdict stands by Holm's correction too. The rest as in reports.reading.judged.Tested.
    """

    id: str
    exhibit: str
    section: str
    says: str
    type: str
    metric: str
    verdict: str
    reason: str
    effect: float | None
    low: float | None
    high: float | None
    unit: str
    n: int | None
    seeds_needed: int | None
    test: str | None
    p: float | None
    p_bh: float | None
    p_holm: float | None
    strict: bool
    min_scale: str
    is_papers: bool
    paper_effect: float | None
    paper_unit: str
    paper_says: str
    missing: list[str]
    diverged: list[str]


FIELDS = tuple(Verdict.__annotations__)
