"""Does a claim of the paper hold here? `python -m reports.verdict --scale smoke` writes <out>/<scale>/verdicts.json.

`results` tests the claims of one exhibit on its evidence, when it is drawn; the exhibit's record keeps what it found.
`judge` gives the verdicts over the records of a whole scale, because Holm's correction needs the family: confirmed if
the corrected p of the claim is below 0.05, contradicted if that of its opposite is, and else inconclusive.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reports.declaration import Declaration, check_scale, load_declaration
from reports.evidence import Evidence, load_paper
from reports.files import exit_code, record_text, write_bytes
from reports.judging import cells as tables
from reports.judging.claim import Claim, Condition, in_order, parse
from reports.judging.contrast import Missing, Row, minus, rows_of
from reports.judging.correlation import correlation
from reports.judging.inference import LEVEL, Result, both, exact, infer
from reports.judging.power import MOST, seeds_needed
from reports.summary import metric

CONFIRMED, CONTRADICTED, INCONCLUSIVE, NOT_RUN, REPORT = VERDICTS = (
    "confirmed",
    "contradicted",
    "inconclusive",
    "not run",
    "report",
)
# Standard deviation of the paper's repeats; of what it prints to one decimal.
REPEATS = {"%": 0.15, "nat": 0.05}
OWN_NUMBERS = {
    True: "Its own numbers agree.",
    False: "Its own numbers say the opposite.",
    None: "Its own numbers do not decide.",
}
FIELDS = (
    "id",
    "exhibit",
    "section",
    "says",
    "type",
    "metric",
    "verdict",
    "reason",
    "effect",
    "low",
    "high",
    "unit",
    "n",
    "seeds_needed",
    "test",
    "p",
    "p_holm",
    "min_scale",
    "paper_effect",
    "paper_says",
    "missing",
)

NOTHING = dict.fromkeys(Result.__dataclass_fields__) | {"unit": "", "missing": [], "below_scale": False}


def results(evidence: Evidence) -> list[dict[str, Any]]:
    """What each claim of an exhibit comes to on its evidence, as plain values; no verdict yet."""
    exhibit = evidence.exhibit
    here = {claim.id: claim for claim in parse(exhibit.claims, exhibit.scale)}
    return [said | _measured(here[said["id"]], evidence) for said in _said(exhibit, evidence.paper)]


def undrawn(scale: str, params: Path, drawn: Collection[str]) -> dict[str, Any]:
    """The claims of the exhibits that are declared and not among the `drawn`, as if in a record: not run, all."""
    found = []
    for path in sorted((params / "exhibits").glob("*.yaml")):
        if path.stem not in drawn:
            exhibit, paper = load_declaration(path, scale), load_paper(params / "paper" / f"{path.stem}.csv")
            nothing = NOTHING | {"missing": [f"{exhibit.id} has not been drawn"]}
            found += [said | nothing for said in _said(exhibit, paper)]
    return {"claims": found}


def on_paper(claim: Claim, paper: pd.DataFrame) -> dict[str, Any]:
    """The paper's own effect and whether its numbers support the claim (None: they do not decide, or it has none).

    Of a claim in several halves those count for which the paper has numbers.
    """
    unit, table, found = _unit_of_metric(claim, paper), tables.of_paper(paper), []
    for condition in claim.conditions:
        with suppress(Missing):  # some halves of a claim are in words only
            found.append(_condition(claim, condition, table, REPEATS.get(unit, 0.0)))
    if not found:
        return {"effect": None, "unit": "", "supports": None}
    result = both(found)
    decided = {True: result.p, False: result.opposite} if result.p is not None else {}
    supports = next((answer for answer, p in decided.items() if p < LEVEL), None)
    return {"effect": result.effect, "unit": _unit(claim, result, paper), "supports": supports}


def evaluate(claim: Claim, table: tables.Cells, noise: float | None = None) -> Result:
    """A claim on a table of cells. Missing if it lacks some. noise: of one cell, where it is known."""
    return both([_condition(claim, condition, table, noise) for condition in claim.conditions])


def judge(records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The verdicts on the claims of all records, in the order of their ids."""
    found = [claim for record in records for claim in record.get("claims", [])]
    tested = [claim for claim in found if claim["p"] is not None and claim["type"] not in ("A", "report")]
    corrected = {side: _holm([claim[side] for claim in tested]) for side in ("p", "opposite")}
    pairs = zip(corrected["p"], corrected["opposite"], strict=True)
    holm = {claim["id"]: pair for claim, pair in zip(tested, pairs, strict=True)}
    judged = {claim["id"]: _judged(claim, holm.get(claim["id"]), len(tested)) for claim in found}
    return [judged[name] for name in in_order(list(judged))]


def document(scale: str, records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What verdicts.json holds."""
    claims = judge(records)
    counted = Counter(claim["verdict"] for claim in claims)
    return {"scale": scale, "counts": {verdict: counted[verdict] for verdict in VERDICTS}, "claims": claims}


def written_effect(effect: float | None, unit: str) -> str:
    """For example +3.6 points, or 9 of 12."""
    if effect is None:
        return ""
    return f"{effect:.0f} {unit}" if unit.startswith("of ") else f"{effect:+.3g} {unit}".strip()


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m reports.verdict", description=__doc__.splitlines()[0])
    parser.add_argument("--scale", required=True, help="smoke, reduced, cifar10 or paper")
    parser.add_argument("--out", type=Path, default=Path("reports/out"), help="drawings lie in <out>/<scale>")
    parser.add_argument("--params", type=Path, default=Path("params"), help="declarations of exhibits")
    options = parser.parse_args(arguments)
    # Not above: reports.record imports this module, because a record keeps what the claims came to.
    from reports.record import read_record

    check_scale(options.scale, options.params / "exhibits")
    folder, declared = options.out / options.scale, sorted((options.params / "exhibits").glob("*.yaml"))
    paths = [folder / f"{path.stem}.json" for path in declared]
    again = f"Draw it again: python -m reports.draw --scale {options.scale} --exhibit {{}}."
    records = [
        read_record(path, options.scale, path.stem, again.format(path.stem))
        for path in paths
        if path.exists()
    ]
    write(folder, options.scale, options.params, records)


def write(folder: Path, scale: str, params: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Judge all claims that are declared, and write verdicts.json into `folder`."""
    others = undrawn(scale, params, [record["exhibit"] for record in records])
    write_bytes(folder / "verdicts.json", record_text(document(scale, [*records, others])).encode())


def _condition(claim: Claim, condition: Condition, table: tables.Cells, noise: float | None) -> Result:
    table = table.of_metrics(condition.metrics).tuned(condition.tuned_over)
    rows = rows_of(table.keys, condition.where, condition.contrast)
    if condition.correlate:
        return _correlation(condition, rows, table, noise)
    values = table.complete(rows, condition.of)
    if claim.type == "A":
        return exact(rows, values, condition.of, condition.bound)
    return infer(rows, values, condition.of, condition.bound, noise)


def _correlation(
    condition: Condition, rows: Sequence[Row], table: tables.Cells, noise: float | None
) -> Result:
    """Over the cells in which two selections can be paired; the difference of each pair says which cells they are."""
    method, one, other = condition.correlate
    paired = minus(rows, [one, other])
    values = table.complete(paired, "mean")
    x, y = (np.stack([values[(sign * row.weights) > 0][0] for row in paired]) for sign in (1, -1))
    return correlation(x, y, method, condition.bound, noise)


def _said(exhibit: Declaration, paper: pd.DataFrame) -> list[dict[str, Any]]:
    """Of each claim what does not depend on our runs."""
    return [
        {
            "id": claim.id,
            "exhibit": exhibit.id,
            "section": exhibit.section,
            "says": claim.says,
            "type": claim.type,
            "metric": ", ".join(claim.metrics),
            "min_scale": claim.min_scale,
            **_paper_fields(claim, paper),
        }
        for claim in parse(exhibit.claims)
    ]


def _measured(claim: Claim, evidence: Evidence) -> dict[str, Any]:
    if not claim.sensible_at(evidence.exhibit.scale):
        return NOTHING | {"below_scale": True}
    try:
        found = evaluate(claim, tables.of_evidence(evidence, claim.metrics))
    except Missing as missing:
        return NOTHING | {"missing": missing.cells}
    return NOTHING | asdict(found) | {"unit": _unit(claim, found, evidence.paper)}


def _paper_fields(claim: Claim, paper: pd.DataFrame) -> dict[str, Any]:
    found = on_paper(claim, paper)
    numbers = OWN_NUMBERS[found["supports"]] if found["effect"] is not None else None
    said = [claim.paper_text, claim.paper_differs or numbers]
    return {"paper_effect": found["effect"], "paper_says": " ".join(text for text in said if text)}


def _unit(claim: Claim, found: Result, paper: pd.DataFrame) -> str:
    if found.of is not None:
        return f"of {found.of}"
    if any(condition.correlate for condition in claim.conditions):
        return ""
    unit = _unit_of_metric(claim, paper)
    return "points" if unit == "%" else unit


def _unit_of_metric(claim: Claim, paper: pd.DataFrame) -> str:
    """As we write it, or else as the paper's values have it."""
    printed = paper.loc[paper["metric"].isin(claim.metrics), "unit"]
    return metric(claim.metrics[0]).unit or next((unit.split()[0] for unit in printed if unit), "")


def _holm(p: Sequence[float]) -> list[float]:
    if not p:
        return []
    from statsmodels.stats.multitest import multipletests

    return [float(value) for value in multipletests(p, method="holm")[1]]


def _judged(claim: Mapping[str, Any], holm: tuple[float, float] | None, tests: int) -> dict[str, Any]:
    """holm: the corrected p of the claim and of its opposite, if there was a test."""
    verdict, reason, seeds = _verdict(claim, holm, tests)
    test, p, p_holm = (claim["test"], claim["p"], holm[0]) if holm else (None, None, None)
    found = dict(claim) | {"test": test, "p": p, "p_holm": p_holm}
    found |= {"verdict": verdict, "reason": reason, "seeds_needed": seeds}
    return {name: found[name] for name in FIELDS}


def _verdict(
    claim: Mapping[str, Any], holm: tuple[float, float] | None, tests: int
) -> tuple[str, str, int | None]:
    """The verdict, why, and how many seeds would settle it."""
    if claim["below_scale"]:
        return NOT_RUN, f"makes sense from scale {claim['min_scale']} on", None
    if claim["missing"]:
        return NOT_RUN, "no result for what it compares", None
    if claim["type"] == "report":
        return REPORT, "a number, without a verdict", None
    if claim["type"] == "A":
        return (CONTRADICTED if claim["p"] else CONFIRMED), "compared exactly", None
    for verdict, corrected, what in zip(
        (CONFIRMED, CONTRADICTED), holm or (), ("the claim", "its opposite"), strict=False
    ):
        if corrected < LEVEL:
            return verdict, f"p of {what} {corrected:.2g} after Holm over {tests} tests", None
    seeds = seeds_needed(Result(**{name: claim[name] for name in Result.__dataclass_fields__}), tests)
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
    why = f"p {claim['p']:.2g}, after Holm over {tests} tests {holm[0]:.2g}" if holm else claim["test"]
    return INCONCLUSIVE, why + more, seeds


if __name__ == "__main__":
    sys.exit(exit_code(main))
