"""The verdicts of a scale as verdicts.json holds them: what the page and comparisons read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TypedDict

from common.scales import names, reaches

VERDICTS = ("confirmed", "contradicted", "inconclusive", "not run", "report")
SPOKEN = {name: name for name in VERDICTS} | {"report": "number only"}  # as readers see them
FILE = "verdicts.json"
PARTS = {  # the paper's sections by what they are about
    "1": "Introduction",
    "2": "The framework",
    "3": "Data augmentation",
    "4": "Encoder and projection head",
    "5": "Loss function and batch size",
    "6": "Against the state of the art",
    "A": "Augmentation details",
    "B": "More results",
    "C": "Related methods",
}


class Verdict(TypedDict):
    """A claim with its verdict.

    p: of the claim. p_bh, p_holm: corrected over all tests of the scale; of the opposite if the claim is contradicted.
    part: which of the claim's conditions effect and paper_effect are of, from 1: the one that decides.
    strict: whether the verdict also stands by Holm's correction. The other keys are those of reports.reading.judged.
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
    part: int | None
    at: dict[str, str] | None
    comparisons: int | None
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
    paper_at: dict[str, str]
    paper_says: str
    missing: list[str]
    diverged: list[str]


FIELDS = tuple(Verdict.__annotations__)


def counted(verdicts: Iterable[str]) -> dict[str, int]:
    """How often each verdict is among these, in a fixed order, zeros too."""
    counts = Counter(verdicts)
    return {verdict: counts[verdict] for verdict in VERDICTS}


def asking_for_more(claims: Iterable[Verdict], scale: str) -> str:
    """How many of the claims mean something at a larger scale only, in words; "" if none does."""
    larger = [name for name in names() if not reaches(scale, name)]
    count = sum(claim["min_scale"] in larger for claim in claims)
    return f"{count} of those not run make sense at a larger scale only" if count else ""


def part_of(section: str | None) -> str:
    """The part of the paper that a section belongs to: "3" of 3.1."""
    return str(section or "").split(".")[0]
