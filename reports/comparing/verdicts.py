"""The verdicts on both sides of a comparison, each judged within its own side's family by the code of this checkout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from reports.comparing.sides import Side
from reports.judging.decision import NOT_RUN, judge
from reports.judging.testing import judged
from reports.reading.declarations import load_declaration
from reports.reading.exhibit import Evidence, gather
from reports.reading.judged import Tested
from reports.reading.verdicts import Verdict


def changed_verdicts(base: Side, here: Side, params: Path) -> list[dict[str, str]]:
    """The claims whose verdict differs, each judged within its own side's family of claims.

    Claims that both sides judge come first, then those that one of them did not run.
    """
    old, new = (verdicts_of(side, params) for side in (base, here))
    changed = [
        {
            **_said_of(new.get(claim) or old[claim]),
            "base": word(old.get(claim)),
            "here": word(new.get(claim)),
        }
        for claim in {**old, **new}
        if word(old.get(claim)) != word(new.get(claim))
    ]
    return sorted(changed, key=lambda one: NOT_RUN in (one["base"], one["here"]))


def verdicts_of(side: Side, params: Path) -> dict[str, Verdict]:
    """The verdicts on the claims of all exhibits that a side has, by claim."""
    return by_claim(claim for exhibit in side.tidy for claim in tested_of(side, exhibit, params))


def tested_of(side: Side, exhibit: str, params: Path) -> list[Tested]:
    """What the claims of one exhibit come to on one side, not yet corrected for the others."""
    return evidence_of(side, exhibit, params).judged["claims"]


def by_claim(tested: Any) -> dict[str, Verdict]:
    """The verdicts on claims that are one family."""
    return {claim["id"]: claim for claim in judge(list(tested))}


def word(claim: Mapping[str, Any] | None) -> str:
    """The verdict, or that of a claim which a side does not have."""
    return NOT_RUN if claim is None else claim["verdict"]


def evidence_of(side: Side, exhibit: str, params: Path) -> Evidence:
    """One side's evidence of an exhibit, declared, judged and compared with the paper as in this checkout."""
    declaration = load_declaration(params / "exhibits" / f"{exhibit}.yaml", side.scale)
    evidence = gather(declaration, side.tidy[exhibit], side.arrays(exhibit), params)
    return replace(evidence, judged=judged(evidence, {}), curves=side.curves(exhibit))


def _said_of(claim: Mapping[str, Any]) -> dict[str, str]:
    return {name: claim[name] for name in ("id", "says", "exhibit")}
