"""What differs between two sides of a comparison: bindings run by run, and numbers cell by cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

import pandas as pd

from common.names import cell_name
from reports.comparing.sides import Side, aligned
from reports.reading.notation import metric
from reports.reading.tidy import COLUMNS

LEVEL = 0.95
THE_RUN = "(the run)"  # in place of a binding, where a side lacks the run
NAMED = 4  # runs that a difference names; of more it says how many


class Difference(NamedTuple):
    """A binding that differs, and for how many of the runs of its stage and exhibit it differs like this."""

    exhibit: str
    stage: str
    binding: str
    base: str
    here: str
    runs: str


class Move(NamedTuple):
    """A cell's metric on both sides; low and high bound the change at 95 %, None where a side has a single seed."""

    exhibit: str
    cell: str
    knobs: str
    metric: str
    base: str
    here: str
    change: float | None
    low: float | None
    high: float | None


def differences(base: Side, here: Side) -> list[Difference]:
    """Bindings that differ, run by run, with equal differences of one stage of an exhibit put together.

    Runs that one side alone has come last: where two scales meet there are many.
    """
    base, runs_of = aligned(base, here), {}
    for exhibit in sorted({*base.tidy, *here.tidy}):
        old, new = base.parameters(exhibit), here.parameters(exhibit)
        for name in sorted({*old, *new}):
            stage, _, run = name.partition("/")
            for binding, left, right in _unequal(old.get(name), new.get(name)):
                runs_of.setdefault((exhibit, stage, binding, left, right), []).append(run)
    found = [
        Difference(*key, runs=_named(runs, _count(key[0], key[1], base, here)))
        for key, runs in runs_of.items()
    ]
    return sorted(found, key=lambda one: one.binding == THE_RUN)


def moves(base: Side, here: Side) -> list[Move]:
    """Every cell and metric of either side; reports.comparing.sides.aligned says which cells meet.

    Cells of both sides come first, then those that one side alone has.
    """
    base, moved = aligned(base, here), []
    for exhibit in sorted({*base.tidy, *here.tidy}):
        sides = [_cells(side.rows(exhibit)) for side in (base, here)]
        for key in sorted({*sides[0], *sides[1]}):
            moved.append(_move(exhibit, key, *(side.get(key) for side in sides)))
    return sorted(moved, key=lambda one: one.change is None)


def interval(base: Sequence[float], here: Sequence[float]) -> tuple[float | None, float | None]:
    """Welch's 95 % interval of mean(here) - mean(base); (None, None) if a side has one value, or neither any spread."""
    if min(len(base), len(here)) < 2 or all(len({*values}) == 1 for values in (base, here)):
        return None, None
    from scipy.stats import ttest_ind

    bounds = ttest_ind(here, base, equal_var=False).confidence_interval(LEVEL)
    return float(bounds.low), float(bounds.high)


def _unequal(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> list[tuple[str, str, str]]:
    if old is None or new is None:
        return [(THE_RUN, *("no result" if side is None else "finished" for side in (old, new)))]
    keys = sorted({*old, *new})
    return [(key, _said(old, key), _said(new, key)) for key in keys if _said(old, key) != _said(new, key)]


def _said(bindings: Mapping[str, Any], key: str) -> str:
    return str(bindings[key]) if key in bindings else "not bound"


def _count(exhibit: str, stage: str, *sides: Side) -> int:
    names = {name for side in sides for name in side.parameters(exhibit)}
    return sum(name.startswith(f"{stage}/") for name in names)


def _named(runs: list[str], of: int) -> str:
    if len(runs) == of:
        return f"all {of} runs" if of > 1 else runs[0]
    return ", ".join(runs) if len(runs) <= NAMED else f"{len(runs)} of {of} runs"


def _cells(measured: pd.DataFrame | None) -> dict[tuple[str, str], tuple[str, list[float]]]:
    """{(cell, metric): (its knobs in words, values over seeds)}."""
    if measured is None:
        return {}
    knobs = [name for name in measured.columns if name not in COLUMNS]
    cells: dict[tuple[str, str], tuple[str, list[float]]] = {}
    for row in measured.to_dict(orient="records"):
        words = ", ".join(f"{knob} {row[knob]}" for knob in knobs if row[knob] != "")
        cells.setdefault((cell_name(row["run"]), row["metric"]), (words, []))[1].append(row["value"])
    return cells


def _move(
    exhibit: str,
    key: tuple[str, str],
    base: tuple[str, list[float]] | None,
    here: tuple[str, list[float]] | None,
) -> Move:
    cell, name = key
    knobs = " → ".join(dict.fromkeys(side[0] for side in (base, here) if side))
    told = [_mean(side[1], name) if side else "not run" for side in (base, here)]
    if not (base and here):
        return Move(exhibit, cell, knobs, name, *told, None, None, None)
    change = fmean(here[1]) - fmean(base[1])
    return Move(exhibit, cell, knobs, name, *told, change, *interval(base[1], here[1]))


def _mean(values: list[float], name: str) -> str:
    return f"{fmean(values):{metric(name).format}} (n = {len(values)})"
