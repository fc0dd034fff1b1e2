"""Which of an exhibit's cells a claim speaks of: rows, and the selections that take some of them away.

A selection is {knob: value}. The value may be a list, or a word that means the same at every scale: first, second,
last, any (names the knob and takes all), {not: value}, {same: knob} or {differs: knob}. Words for places are read after
plain values and from left to right. An empty text means that the exhibit does not have the knob.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from reports.judging.keys import Key
from reports.reading.knobs import canonical

PLACES: dict[str, Callable[[list[str]], list[str]]] = {
    "first": lambda values: values[:1],
    "second": lambda values: values[1:2],
    "last": lambda values: values[-1:],
    "any": lambda values: values,
}
UNKNOWN = "?"  # the value of a knob in a cell of which no run has a number to tell it


class Missing(Exception):
    """A selection that no cell answers: the claim cannot be evaluated. `cells` says which."""

    def __init__(self, cells: Sequence[str]):
        super().__init__("; ".join(cells))
        self.cells = list(cells)


@dataclass(frozen=True)
class Row:
    """`weights` of the cells and what is added to their sum; `levels` are the rows that a trend runs over.

    told: the key with the knobs that a difference has used up, "0.1 minus 0.05", for people.
    """

    key: Key
    weights: np.ndarray
    constant: float = 0.0
    levels: tuple[Row, ...] = field(default=())
    told: Key = field(default_factory=dict)

    @property
    def needs(self) -> np.ndarray:
        """Which cells it needs, (k,) bool: those with weight, and all levels of a trend, whose middle has none."""
        return np.any([self.weights != 0, *(level.needs for level in self.levels)], axis=0)

    def value(self, cells: np.ndarray) -> np.ndarray:
        """The sum for cells (k,) or (k, n seeds); cells without weight may be NaN."""
        used = self.weights != 0
        return self.weights[used] @ cells[used] + self.constant


def select(rows: Sequence[Row], selection: Mapping[str, Any]) -> list[Row]:
    """The rows that a selection names."""
    chosen = list(rows)
    # Places last: "first" means the first of the cells that the plain values have left.
    for knob, wanted in sorted(selection.items(), key=lambda item: _is_place(item[1])):
        present = in_order({row.key.get(knob, "") for row in chosen})
        if UNKNOWN in present and _is_place(wanted):  # nobody can tell then which value is first
            raise Missing([f"a value of {knob} of which no run has a number"])
        # A cell whose value nobody knows may be one of those: the claim then waits for it.
        chosen = [
            row for row in chosen if row.key.get(knob) == UNKNOWN or _fits(row.key, knob, wanted, present)
        ]
        spelled = set(spelled_out(wanted))
        # A list asks for all of its values: with one of them missing a claim would be judged on fewer cells.
        absent = set() if "" in spelled else spelled - set(present)
        if absent or not chosen:
            raise Missing([spoken({**selection, knob: value}) for value in sorted(absent) or [wanted]])
    return chosen


def in_order(values: Iterable[str]) -> list[str]:
    """Numbers, also 1/8, by size and before words; numbers within words count: ResNet-8, ResNet-50, ResNet-50 (2x)."""
    return sorted(values, key=_size)


def _size(value: str) -> tuple[bool, float, list[str | int]]:
    try:
        # The first item keeps numbers and words from being compared with each other, which raises TypeError.
        return False, float(Fraction(value)), []
    except ValueError:
        parts = re.split(r"(\d+)", value)
        return True, 0.0, [int(part) if place % 2 else part for place, part in enumerate(parts)]


def _is_place(wanted: Any) -> bool:
    return wanted in PLACES if isinstance(wanted, str) else isinstance(wanted, dict)


def spelled_out(wanted: Any) -> list[str]:
    """The values that a selection spells out."""
    if isinstance(wanted, dict) or _is_place(wanted):
        return []
    return [canonical(str(value)) for value in (wanted if isinstance(wanted, list) else [wanted])]


def _fits(key: Key, knob: str, wanted: Any, present: list[str]) -> bool:
    value = key.get(knob, "")
    if not isinstance(wanted, dict):
        return value in (PLACES[wanted](present) if _is_place(wanted) else spelled_out(wanted))
    ((relation, body),) = wanted.items()
    if relation == "not":
        return not _fits(key, knob, body, present)
    return (value == key.get(body, "")) == (relation == "same")


def spoken(selection: Mapping[str, Any]) -> str:
    """A selection as a message says it."""
    return ", ".join(f"{knob}={value}" for knob, value in selection.items())
