"""What a claim compares: weighted sums of an exhibit's cells, made step by step from its `contrast`.

A row is one such sum, with the knob values that it still stands for. Selecting takes rows away; a step makes new ones:

    minus: [A, B]   each row of A less each row of B that agrees on every knob which neither of them names; a side is
                    a selection or a list of them; B may be a number, or the word others (the rows that are not in A).
                    Where the paper prints the values that A spells out, the others are those whose values it prints
                    too: what we add to an exhibit never changes a claim of the paper.
    swap: [a, b]    each row less the row with the values of the two knobs exchanged
    pairs: knob     every difference between two values of a knob
    mean: knob      the mean over a knob
    trend: knob     the rise along a knob, from its first value to its last, of the least squares line over their
                    ranks (the linear contrast of the analysis of variance)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from common.errors import UserError
from reports.judging.keys import Key, identity, without
from reports.judging.selection import UNKNOWN, Missing, Row, in_order, select, spelled_out, spoken

OTHERS = "others"


def rows_of(
    keys: Sequence[Key],
    where: Mapping[str, Any],
    steps: Sequence[Mapping[str, Any]],
    printed: Sequence[Key] = (),
) -> list[Row]:
    """The contrasts of the cells `keys`; `printed` are those of the paper.

    Missing if a selection finds no cell, UserError for an unknown step.
    """
    unit = np.eye(len(keys))
    rows = select([Row(key, unit[place], told=key) for place, key in enumerate(keys)], where)
    if unknown := sorted({knob for row in rows for knob, value in row.key.items() if value == UNKNOWN}):
        # Such a cell could stand on either side of a difference, or beside none.
        raise Missing([f"a value of {knob} of which no run has a number" for knob in unknown])
    for step in steps:
        ((name, body),) = step.items()
        if name not in STEPS:
            raise UserError(
                "not a step of a contrast", expected=", ".join(STEPS), found=name, where="a claim"
            )
        rows = minus(rows, body, printed) if name == "minus" else STEPS[name](rows, body)
    return rows


def minus(rows: Sequence[Row], sides: Sequence[Any], printed: Sequence[Key] = ()) -> list[Row]:
    """Every difference between two selections; `printed`: the cells of the paper."""
    one, other = sides
    left = _side(rows, one)
    if isinstance(other, int | float):
        return [replace(row, constant=row.constant - other) for row in left]
    right = _others(rows, left, one, printed) if other == OTHERS else _side(rows, other)
    _check_places(one, other, left, right)
    # Knobs that neither side names must agree: they are what a comparison holds fixed.
    named = _knobs(one) | _knobs(other)
    partners: dict[tuple, list[Row]] = {}
    for row in right:
        partners.setdefault(_identity(row, named), []).append(row)
    differences = [_difference(a, b, named) for a in left for b in partners.get(_identity(a, named), [])]
    return _some(differences, f"{_named(one)} beside {_named(other)}")


def swap(rows: Sequence[Row], knobs: Sequence[str]) -> list[Row]:
    """Each unordered pair of values once."""
    a, b = knobs
    differences = [
        _difference(one, other, {a, b})
        for one, other in combinations(rows, 2)
        if {**one.key, a: one.key[b], b: one.key[a]} == dict(other.key)
    ]
    return _some(differences, f"{a} and {b} exchanged")


def pairs(rows: Sequence[Row], knob: str) -> list[Row]:
    """Within each group of rows that differ in `knob` alone."""
    differences = [
        _difference(a, b, {knob}) for group in _groups(rows, knob) for a, b in combinations(group, 2)
    ]
    return _some(differences, f"two values of {knob}")


def mean(rows: Sequence[Row], knob: str) -> list[Row]:
    """One row per group."""
    return [_weighted(group, np.full(len(group), 1 / len(group)), {knob}) for group in _groups(rows, knob)]


def trend(rows: Sequence[Row], knob: str) -> list[Row]:
    """One row per group with two values or more; rows that share a value are averaged first."""
    trends = []
    for group in _groups(rows, knob):
        values = in_order({row.key.get(knob, "") for row in group})
        if len(values) < 2:
            continue
        levels = [mean([row for row in group if row.key.get(knob, "") == value], knob)[0] for value in values]
        # Ranks, not values: batch sizes double and temperatures do not, and a claim says only that it rises.
        rank = np.arange(len(values)) - (len(values) - 1) / 2
        row = _weighted(levels, rank / (rank @ rank) * (len(values) - 1), {knob})
        trends.append(replace(row, levels=tuple(levels)))
    return _some(trends, f"two values of {knob}")


STEPS = {"minus": minus, "swap": swap, "pairs": pairs, "mean": mean, "trend": trend}


def _side(rows: Sequence[Row], side: Any) -> list[Row]:
    """One selection, or a list of them."""
    return [
        row for selection in (side if isinstance(side, list) else [side]) for row in select(rows, selection)
    ]


def _check_places(one: Any, other: Any, left: Sequence[Row], right: Sequence[Row]) -> None:
    """Missing if the sides name two places of a knob, first and last, that are one value: then nothing is compared."""
    if not (isinstance(one, Mapping) and isinstance(other, Mapping)):
        return
    for knob in one.keys() & other.keys():
        places = {side[knob] for side in (one, other) if isinstance(side[knob], str)} & {
            "first",
            "second",
            "last",
        }
        if len(places) == 2 and len({row.key.get(knob, "") for row in (*left, *right)}) < 2:
            raise Missing([f"two values of {knob}"])


def _others(rows: Sequence[Row], left: Sequence[Row], side: Any, printed: Sequence[Key]) -> list[Row]:
    """The rows that are not in `left`; only the paper's rows, if it prints the values that the side spells out.

    A side that names places (first, last) means other values at every scale, and the paper does not print those.
    """
    taken = {id(row) for row in left}
    rest = [row for row in rows if id(row) not in taken]
    spelled = [
        knob
        for selection in (side if isinstance(side, list) else [side])
        for knob, wanted in selection.items()
        if spelled_out(wanted) and any(key.get(knob) for key in printed)
    ]

    def values(key: Key) -> tuple[str, ...]:
        return tuple(key.get(knob, "") for knob in spelled)

    # Otherwise a value that we add to a grid could turn "0.1 is best" from confirmed to contradicted.
    known = {values(key) for key in printed}
    # At a scale whose values the paper does not print, there is nothing to restrict to.
    if not spelled or not all(values(row.key) in known for row in left):
        return rest
    return [row for row in rest if values(row.key) in known]


def _knobs(side: Any) -> set[str]:
    if side == OTHERS:
        return set()
    return {knob for selection in (side if isinstance(side, list) else [side]) for knob in selection}


def _difference(a: Row, b: Row, named: set[str]) -> Row:
    told = {
        knob: value if value == b.told.get(knob) else f"{value} minus {b.told.get(knob)}"
        for knob, value in a.told.items()
    }
    return replace(_weighted([a, b], np.array([1.0, -1.0]), named), told=told)


def _weighted(rows: Sequence[Row], weights: np.ndarray, named: set[str]) -> Row:
    # Weights of single cells and not numbers, so that cells which two rows share cancel or add up exactly.
    total = weights @ np.stack([row.weights for row in rows])
    constant = float(weights @ [row.constant for row in rows])
    return Row(without(rows[0].key, named), total, constant, told=without(rows[0].told, named))


def _groups(rows: Sequence[Row], knob: str) -> list[list[Row]]:
    groups: dict[tuple, list[Row]] = {}
    for row in rows:
        groups.setdefault(_identity(row, {knob}), []).append(row)
    return list(groups.values())


def _identity(row: Row, named: set[str]) -> tuple[tuple[str, str], ...]:
    return identity(without(row.key, named))


def _some(rows: list[Row], what: str) -> list[Row]:
    if not rows:
        raise Missing([what])
    return rows


def _named(selection: Any) -> str:
    if isinstance(selection, list):
        return " and ".join(map(_named, selection))
    if selection == OTHERS:
        return OTHERS
    return spoken(selection)
