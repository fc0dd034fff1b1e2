"""The verdicts on all claims of a scale: confirmed, contradicted, inconclusive, not run, or a report of a number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypedDict

from reports.judging.claim import in_order
from reports.judging.estimates import LEVEL
from reports.judging.inference import Result
from reports.judging.multiplicity import Family, family
from reports.judging.power import MOST, seeds_needed
from reports.reading.judged import Tested
from reports.reading.verdicts import FIELDS, VERDICTS, Verdict, counted

CONFIRMED, CONTRADICTED, INCONCLUSIVE, NOT_RUN, REPORT = VERDICTS


class Document(TypedDict):
    """What verdicts.json holds: all claims, and how many of the paper's have each verdict."""

    scale: str
    made_from: dict[str, str]
    counts: dict[str, int]
    claims: list[Verdict]


def document(scale: str, claims: Sequence[Tested], made_from: dict[str, str]) -> Document:
    """The verdicts on the claims of a scale, and on those of our own exhibits, which are a family of their own."""
    judged = judge(claims)
    counts = counted(claim["verdict"] for claim in judged if claim["is_papers"])
    return Document(scale=scale, made_from=made_from, counts=counts, claims=judged)


def judge(claims: Iterable[Tested]) -> list[Verdict]:
    """The verdicts in the order of the claims' ids, the paper's first."""
    return [
        verdict
        for is_papers in (True, False)
        for verdict in _judge_family([claim for claim in claims if claim["is_papers"] == is_papers])
    ]


def _judge_family(claims: Sequence[Tested]) -> list[Verdict]:
    tested = [claim for claim in claims if claim["p"] is not None and claim["type"] not in ("A", "report")]
    tests = family(*([claim[name] for claim in tested] for name in ("id", "p", "opposite")))
    by_id = {claim["id"]: _judged(claim, tests) for claim in claims}
    return [by_id[name] for name in in_order(list(by_id))]


def _judged(claim: Tested, tests: Family) -> Verdict:
    verdict, reason, seeds = _verdict(claim, tests)
    judged = dict(claim) | {"verdict": verdict, "reason": reason, "seeds_needed": seeds}
    judged |= dict.fromkeys(("p_bh", "p_holm")) | {"strict": False}
    if claim["id"] in tests.claims:
        side = tests.claims[claim["id"]][verdict == CONTRADICTED]
        judged |= {"p_bh": side.bh, "p_holm": side.holm}
        judged["strict"] = verdict != INCONCLUSIVE and side.holm < LEVEL
    else:
        judged |= {"test": None, "p": None}
    return {name: judged[name] for name in FIELDS}


def _verdict(claim: Tested, tests: Family) -> tuple[str, str, int | None]:
    """The verdict, why, and how many seeds would settle it."""
    if claim["below_scale"]:
        return NOT_RUN, f"makes sense from scale {claim['min_scale']} on", None
    if claim["missing"]:
        return NOT_RUN, _why_missing(claim["missing"]), None
    if claim["type"] == "report":
        return REPORT, "a number, without a test", None
    if claim["type"] == "A":
        return (CONTRADICTED if claim["p"] else CONFIRMED), "compared exactly", None
    sides = tests.claims.get(claim["id"], ())
    for verdict, side, what in zip(
        (CONFIRMED, CONTRADICTED), sides, ("the claim", "its opposite"), strict=False
    ):
        if side.bh < LEVEL:
            return (
                verdict,
                f"p of {what} {side.bh:.2g} after Benjamini and Hochberg over {tests.tests} tests",
                None,
            )
    return _inconclusive(claim, tests)


def _why_missing(cells: Sequence[str]) -> str:
    """In a word what reports.judging.cells says of each cell that is not complete."""
    if all("(diverged in" in cell for cell in cells):
        return "diverged: too few seeds are left"
    return (
        "too few seeds so far"
        if any(" seeds" in cell for cell in cells)
        else "no result for what it compares"
    )


def _inconclusive(claim: Tested, tests: Family) -> tuple[str, str, int | None]:
    seeds = seeds_needed(
        Result(**{name: claim[name] for name in Result.__dataclass_fields__}), tests.next_level
    )
    if claim["effect"] is None:
        seeds, more = None, ""
    elif seeds > MOST:
        seeds, more = None, f"; more than {MOST} seeds would be needed"
    else:
        more = (
            f"; about {seeds} seeds would settle it"
            if claim["sd"]
            else f"; at least {seeds} seeds are needed"
        )
    sides = tests.claims.get(claim["id"])
    why = (
        f"p {claim['p']:.2g}, after Benjamini and Hochberg {sides[0].bh:.2g}" if sides else str(claim["test"])
    )
    return INCONCLUSIVE, why + more, seeds
