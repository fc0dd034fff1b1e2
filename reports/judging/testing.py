"""Everything that is tested on one exhibit's evidence: its claims, the choices on validation, and what is in bold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from reports.judging import cells as tables
from reports.judging.choice import choose
from reports.judging.claim import Claim, Condition, parse
from reports.judging.contrast import minus, rows_of
from reports.judging.correlation import correlation
from reports.judging.estimates import LEVEL
from reports.judging.inference import Result, both, exact, infer
from reports.judging.keys import Key, identity, without
from reports.judging.permutation import bold
from reports.judging.selection import Missing, Row
from reports.reading.declarations import Declaration
from reports.reading.exhibit import Evidence
from reports.reading.judged import Choice, Judged, Tested
from reports.reading.notation import metric
from reports.reading.paper import knobs_of
from reports.reading.summary import settings

# Standard deviation of the paper's repeats, which it prints to one decimal.
REPEATS = {"%": 0.15, "nat": 0.05}
OWN_NUMBERS = {
    True: "Its own numbers agree.",
    False: "Its own numbers say the opposite.",
    None: "Its own numbers do not decide.",
}
NOTHING = dict.fromkeys(Result.__dataclass_fields__) | {
    "unit": "",
    "missing": [],
    "diverged": [],
    "below_scale": False,
}
COMPARED = "method"  # the knob whose values a permutation test compares


def judged(evidence: Evidence, made_from: Mapping[str, str]) -> Judged:
    """Everything that is tested on the evidence, which was made from files with these hashes."""
    exhibit = evidence.exhibit
    claims = parse(exhibit.claims, exhibit.scale)
    return Judged(
        exhibit=exhibit.id,
        scale=exhibit.scale,
        made_from=dict(made_from),
        claims=[_tested(claim, evidence) for claim in claims],
        choices=[choice for metric, knobs in _tuned(claims) for choice in _choices(evidence, metric, knobs)],
        bold=list(_bold(evidence)),
    )


def untested(exhibit: Declaration, paper: pd.DataFrame, why: str) -> list[Tested]:
    """The claims of an exhibit that has nothing to test them on."""
    return [
        _said(claim, exhibit, paper)
        | NOTHING
        | ({"missing": [why]} if claim.sensible_at(exhibit.scale) else {"below_scale": True})
        for claim in parse(exhibit.claims, exhibit.scale)
    ]


def evaluate(
    claim: Claim, table: tables.Cells, printed: Sequence[Key] = (), noise: float | None = None
) -> tuple[Result, list[str]]:
    """A claim on a table of cells, and the cells that were left out in some seed because a training diverged.

    Missing if the table lacks some. printed: the paper's cells. noise: of one cell, where it is known.
    """
    results, lost = zip(
        *(_condition(claim, each, table, printed, noise) for each in claim.conditions), strict=True
    )
    return both(results), list(dict.fromkeys(name for names in lost for name in names))


def on_paper(
    claim: Claim, paper: pd.DataFrame, part: int | None = None, at: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The paper's own effect and whether its numbers support the claim (None: they do not decide, or it has none).

    Of a claim with several conditions, those count for which the paper has numbers; the effect is that of the
    condition `part`, from 1, or of the one that decides. Of several comparisons it is that one which `at` tells from
    the others, if the paper has it, or the one that decides; the `at` that is returned says which.
    """
    unit, table, results = _unit_of_metric(claim, paper), tables.of_paper(paper), {}
    for place, condition in enumerate(claim.conditions, 1):
        with suppress(Missing):  # for some conditions the paper has words only
            results[place] = _condition(claim, condition, table, (), REPEATS.get(unit, 0.0))[0]
    if not results:
        return {"effect": None, "unit": "", "supports": None, "at": {}}
    result = both(list(results.values()))
    decided = {True: result.p, False: result.opposite} if result.p is not None else {}
    supports = next((answer for answer, p in decided.items() if p < LEVEL), None)
    shown = results.get(part) if part else result
    if shown is None:
        return {"effect": None, "unit": "", "supports": supports, "at": {}}
    place = dict(shown.at)
    if part and at and (same := _effect_at(claim.conditions[part - 1], table, at)) is not None:
        shown, place = replace(shown, effect=same), dict(at)
    return {"effect": shown.effect, "unit": _unit(claim, shown, paper), "supports": supports, "at": place}


def _tested(claim: Claim, evidence: Evidence) -> dict[str, Any]:
    """What the claim comes to here, beside what the paper says of the same part of it."""
    measured = _measured(claim, evidence)
    return _said(claim, evidence.exhibit, evidence.paper, measured["part"], measured["at"]) | measured


def _measured(claim: Claim, evidence: Evidence) -> dict[str, Any]:
    """What the claim comes to here."""
    if not claim.sensible_at(evidence.exhibit.scale):
        return NOTHING | {"below_scale": True}
    try:
        table = tables.of_evidence(evidence, claim.metrics)
        result, lost = evaluate(claim, table, _printed(evidence.paper))
    except Missing as missing:
        return NOTHING | {"missing": missing.cells}
    return NOTHING | asdict(result) | {"unit": _unit(claim, result, evidence.paper), "diverged": lost}


def _said(
    claim: Claim,
    exhibit: Declaration,
    paper: pd.DataFrame,
    part: int | None = None,
    at: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What does not depend on our numbers but on their `part` and `at`; the paper's are judged as at its own scale."""
    (theirs,) = parse({claim.id: exhibit.claims[claim.id]})
    printed = on_paper(theirs, paper, part, at)
    # Of this part the paper may have words only, and numbers of another.
    has_numbers = printed["effect"] is not None or on_paper(theirs, paper)["effect"] is not None
    numbers = OWN_NUMBERS[printed["supports"]] if has_numbers else None
    words = [claim.paper_text, claim.paper_differs or numbers]
    return {
        "id": claim.id,
        "exhibit": exhibit.id,
        "section": exhibit.section,
        "says": claim.says,
        "type": claim.type,
        "metric": ", ".join(claim.metrics),
        "min_scale": claim.min_scale,
        "is_papers": exhibit.is_papers,
        "paper_effect": printed["effect"],
        "paper_unit": printed["unit"],
        "paper_at": printed["at"],
        "paper_says": " ".join(filter(None, words)),
    }


def _condition(
    claim: Claim, condition: Condition, table: tables.Cells, printed: Sequence[Key], noise: float | None
) -> tuple[Result, list[str]]:
    table = table.of_metrics(condition.metrics).tuned(condition.tuned_over)
    rows = rows_of(table.keys, condition.where, condition.contrast, printed)
    if condition.correlate:
        return _correlation(condition, rows, table, noise)
    values = table.complete(rows, condition.of)
    test = exact if claim.type == "A" else partial(infer, noise=noise)
    return test(rows, values, condition.of, condition.bound), table.left_out(rows)


def _effect_at(condition: Condition, table: tables.Cells, at: Mapping[str, str]) -> float | None:
    """The effect of the one comparison of a condition that has these knobs; None without it."""
    if condition.correlate:
        return None
    table = table.of_metrics(condition.metrics).tuned(condition.tuned_over)
    rows = rows_of(table.keys, condition.where, condition.contrast)
    own = [row for row in rows if all(row.told.get(knob, "") == value for knob, value in at.items())]
    return round(float(own[0].value(table.values)[0]), 10) if len(own) == 1 else None


def _correlation(
    condition: Condition, rows: Sequence[Row], table: tables.Cells, noise: float | None
) -> tuple[Result, list[str]]:
    """Over the cells in which two selections can be paired; the difference of each pair says which cells they are."""
    method, one, other = condition.correlate
    paired = minus(rows, [one, other])
    values = table.complete(paired, "mean")
    x, y = (np.stack([values[(sign * row.weights) > 0][0] for row in paired]) for sign in (1, -1))
    return correlation(x, y, method, condition.bound, noise), table.left_out(paired)


def _tuned(claims: Sequence[Claim]) -> list[tuple[str, tuple[str, ...]]]:
    """Each metric with the knobs over which claims tune it."""
    conditions = [condition for claim in claims for condition in claim.conditions if condition.tuned_over]
    return list(dict.fromkeys((name, tuple(each.tuned_over)) for each in conditions for name in each.metrics))


def _choices(evidence: Evidence, metric: str, knobs: Sequence[str]) -> Iterator[Choice]:
    """What validation chose, in the words of the record."""
    if metric not in set(evidence.measured["metric"]):
        return
    table = tables.of_evidence(evidence, [metric])
    if not table.has_splits(knobs):
        return
    for chosen in choose(table.keys, table.values, table.diverged, knobs):
        cell = without(chosen.cell, ["metric"])
        yield Choice(
            metric=metric, cell=cell, setting=chosen.setting, tried=chosen.tried, missing=chosen.missing
        )


class _Model(NamedTuple):
    """What a cell's first seed predicted of the test split: the paper has one run of each method."""

    key: dict[str, str]
    by_class: bool
    predictions: np.ndarray
    labels: np.ndarray


def _bold(evidence: Evidence) -> Iterator[dict[str, str]]:
    """The cells that are not significantly worse than the best of those that differ from them by `method` alone."""
    groups: dict[tuple, dict[str, _Model]] = {}
    for model in _models(evidence):
        group = groups.setdefault(identity(without(model.key, [COMPARED])), {})
        group[model.key[COMPARED]] = model
    for group, models in groups.items():
        ordered = {name: models[name] for name in settings(evidence, COMPARED) if name in models}
        labels = (
            next(iter(ordered.values())).labels if any(each.by_class for each in models.values()) else None
        )
        outcomes = {name: model.predictions == model.labels for name, model in ordered.items()}
        best = bold(outcomes, dict(group).get("dataset", evidence.exhibit.id), labels)
        yield from (model.key for name, model in ordered.items() if name in best)


def _models(evidence: Evidence) -> Iterator[_Model]:
    if COMPARED not in evidence.knobs:
        return
    for values, rows in evidence.measured.groupby(evidence.knobs, sort=False):
        arrays = [_array(evidence, rows["run"].iloc[0], kind) for kind in ("predictions", "labels")]
        if all(array is not None for array in arrays):
            key = dict(zip(evidence.knobs, values, strict=True))
            yield _Model(key, "mean_per_class" in _metrics(evidence, key, rows), *arrays)


def _metrics(evidence: Evidence, key: Key, rows: pd.DataFrame) -> set[str]:
    """The metrics in which the paper measures the data set of a cell; ours, if the paper does not have this set."""
    paper = evidence.paper
    printed = paper.loc[paper["dataset"] == key["dataset"], "metric"] if {"dataset"} <= {*paper, *key} else []
    return set(printed) or set(rows["metric"])


def _array(evidence: Evidence, run: str, kind: str) -> np.ndarray | None:
    """The predictions or the labels that a stage of a run left."""
    names = (name for name in evidence.arrays if name.startswith(f"{run}/") and name.endswith(f"_{kind}"))
    return next((evidence.arrays[name] for name in names), None)


def _printed(paper: pd.DataFrame) -> list[dict[str, str]]:
    """The paper's cells."""
    return paper[knobs_of(paper)].drop_duplicates().to_dict(orient="records")


def _unit(claim: Claim, result: Result, paper: pd.DataFrame) -> str:
    if result.of is not None:
        return f"of {result.of}"
    if any(condition.correlate for condition in claim.conditions):
        return ""
    unit = _unit_of_metric(claim, paper)
    # A difference of two percentages is in points; a share by itself is not.
    is_difference = any(condition.contrast for condition in claim.conditions)
    return "points" if unit == "%" and is_difference else unit


def _unit_of_metric(claim: Claim, paper: pd.DataFrame) -> str:
    """The unit as we write it, or else as the paper's values have it."""
    printed = paper.loc[paper["metric"].isin(claim.metrics), "unit"]
    return metric(claim.metrics[0]).unit or next((unit.split()[0] for unit in printed if unit), "")
