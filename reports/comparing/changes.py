"""What differs between two sides of a comparison: bindings run by run, and numbers cell by cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any, NamedTuple

import pandas as pd

from common.names import cell_name
from reports.comparing.sides import Side, aligned
from reports.reading.lineage import value_text
from reports.reading.notation import Measured, written
from reports.reading.tidy import COLUMNS

LEVEL = 0.95
THE_RUN = "(the run)"  # in place of a binding, where a side lacks the run
NOT_RUN = "not run"  # in place of a number, where a side lacks the cell
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
    """A cell's metric on both sides.

    was, now: the knobs of the cell in words, on each side that has it. base, here: mean, spread and seeds. change: of
    the mean, None where a side lacks the cell; low and high bound it at 95 %, None where a side has a single seed.
    has_moved: whether the values differ in any seed, which a mean may not show.
    """

    exhibit: str
    cell: str
    was: str
    now: str
    metric: str
    base: str
    here: str
    change: float | None
    low: float | None
    high: float | None
    has_moved: bool

    @property
    def knobs(self) -> str:
        """The knobs in words, of both sides where they differ."""
        return " → ".join(dict.fromkeys(filter(None, (self.was, self.now))))


class Cell(NamedTuple):
    """One metric of a cell on one side: the knobs that are set, and the values by seed."""

    setting: dict[str, str]
    values: dict[str, float]


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
    said = ((key, value_text(old, key), value_text(new, key)) for key in keys)
    return [(key, left, right) for key, left, right in said if left != right]


def _count(exhibit: str, stage: str, *sides: Side) -> int:
    names = {name for side in sides for name in side.parameters(exhibit)}
    return sum(name.startswith(f"{stage}/") for name in names)


def _named(runs: list[str], of: int) -> str:
    if len(runs) == of:
        return f"all {of} runs" if of > 1 else runs[0]
    return ", ".join(runs) if len(runs) <= NAMED else f"{len(runs)} of {of} runs"


def _cells(measured: pd.DataFrame | None) -> dict[tuple[str, str], Cell]:
    """Each metric of each cell, by the names of both."""
    if measured is None:
        return {}
    knobs = [name for name in measured.columns if name not in COLUMNS]
    cells: dict[tuple[str, str], Cell] = {}
    for row in measured.to_dict(orient="records"):
        setting = {knob: row[knob] for knob in knobs if row[knob] != ""}
        cell = cells.setdefault((cell_name(row["run"]), row["metric"]), Cell(setting, {}))
        cell.values[row["seed"]] = row["value"]
    return cells


def _move(exhibit: str, key: tuple[str, str], base: Cell | None, here: Cell | None) -> Move:
    cell, name = key
    was, now = (_words(side.setting) if side else "" for side in (base, here))
    if base and here and base.setting == here.setting:
        was = now  # columns may stand in another order on each side
    told = [_measured(side, name) if side else NOT_RUN for side in (base, here)]
    change, bounds = None, (None, None)
    if base and here:
        old, new = list(base.values.values()), list(here.values.values())
        change, bounds = fmean(new) - fmean(old), interval(old, new)
    has_moved = not (base and here) or base.values != here.values
    return Move(exhibit, cell, was, now, name, *told, change, *bounds, has_moved)


def _words(setting: Mapping[str, str]) -> str:
    return ", ".join(f"{knob} {value}" for knob, value in setting.items())


def _measured(cell: Cell, name: str) -> str:
    values = list(cell.values.values())
    spread = stdev(values) if len(values) > 1 else None
    return f"{written(Measured(fmean(values), spread, len(values)), name)} (n = {len(values)})"
