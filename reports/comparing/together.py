"""Several comparisons with one reference in one view: a column per base, and rows for what differs in any of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from reports.comparing.changes import NOT_RUN, Difference, Move

SAME = "="  # in the column of a base that has what the reference has


class Row(NamedTuple):
    """What differs somewhere: what it is called, what the reference has, and what each base has."""

    exhibit: str
    name: str
    here: str
    bases: list[str]


def together(compared: Sequence[Mapping[str, Any]]) -> dict[str, list[Row]]:
    """The parameters, numbers and verdicts that differ from the reference in one of the comparisons at least."""
    return {
        "differences": _rows(compared, "differences", _key_of_difference, _row_of_difference),
        "moves": _rows(compared, "moves", _key_of_move, _row_of_move),
        "verdicts": _rows(compared, "verdicts", lambda claim: claim["id"], _row_of_verdict),
    }


def _rows(
    compared: Sequence[Mapping[str, Any]],
    kind: str,
    key_of: Callable[[Any], Hashable],
    row_of: Callable[[Any], tuple[str, str, str, str]],
) -> list[Row]:
    """One row for everything of this kind that any comparison has, in the order in which they come."""
    said = [_said(changed[kind], key_of, row_of) for changed in compared]
    keys: Iterable[Hashable] = dict.fromkeys(key for each in said for key in each)
    rows = []
    for key in keys:
        exhibit, name, here, _ = next(each[key] for each in said if key in each)
        rows.append(Row(exhibit, name, here, [each[key][3] if key in each else SAME for each in said]))
    return rows


def _said(
    found: Iterable[Any],
    key_of: Callable[[Any], Hashable],
    row_of: Callable[[Any], tuple[str, str, str, str]],
) -> dict[Hashable, tuple[str, str, str, str]]:
    """What one comparison says, by key: where a base has several values for one key, all of them."""
    rows: dict[Hashable, tuple[str, str, str, str]] = {}
    for one in found:
        *row, base = row_of(one)
        key = key_of(one)
        rows[key] = (*row, f"{rows[key][3]}, {base}" if key in rows else base)
    return rows


def _key_of_difference(one: Difference) -> Hashable:
    return one.exhibit, one.stage, one.binding, one.here


def _row_of_difference(one: Difference) -> tuple[str, str, str, str]:
    """What the base binds, and in which runs: of other bases those may be others."""
    return one.exhibit, f"{one.stage}: {one.binding}", one.here, f"{one.base} ({one.runs})"


def _key_of_move(move: Move) -> Hashable:
    """A cell of the reference by its name; one that it lacks by its knobs, for each base has names of its own."""
    cell = (move.was or move.cell, NOT_RUN) if move.here == NOT_RUN else move.cell
    return move.exhibit, cell, move.metric


def _row_of_move(move: Move) -> tuple[str, str, str, str]:
    """The base's number with how far the reference is from it, the interval of that, and the knobs if they differ."""
    name = move.now or move.was or move.cell
    was = f"{move.was}: " if move.was not in ("", name) else ""
    by = "" if move.change is None else f", here {move.change:+.3g}"
    bounds = "" if move.low is None else f" [{move.low:+.3g}, {move.high:+.3g}]"
    return move.exhibit, f"{name}, {move.metric}", move.here, f"{was}{move.base}{by}{bounds}"


def _row_of_verdict(claim: Mapping[str, str]) -> tuple[str, str, str, str]:
    return claim["exhibit"], f"{claim['id']}: {claim['says']}", claim["here"], claim["base"]
