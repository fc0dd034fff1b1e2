"""Validation chooses: of the settings that were tried for a cell, the one with the highest mean over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from reports.judging.keys import identity, named, without

SPLIT = "split"  # the knob that tells validation from test


class Chosen(NamedTuple):
    """cell: the knobs that were not tuned. setting: the tuned ones, {} if something is missing, which is then named.

    place: where the chosen setting's result on the test split stands among the cells. tried: how many were compared.
    """

    cell: dict[str, str]
    setting: dict[str, str]
    place: int
    tried: int
    missing: list[str]


def choose(
    keys: Sequence[Mapping[str, str]], values: np.ndarray, diverged: np.ndarray, knobs: Sequence[str]
) -> list[Chosen]:
    """The best on the validation split of the cells that differ in `knobs` alone; the test split decides nothing.

    values: (cells, seeds), NaN where a seed has no result. diverged: bool of the same shape.
    A setting in which a seed diverged is no candidate. As long as any other setting lacks a seed nothing is chosen,
    because the choice could still change. Of equal settings the first is taken.
    """
    groups: dict[tuple, list[int]] = {}
    for place, key in enumerate(keys):
        groups.setdefault(identity(without(key, [*knobs, SPLIT])), []).append(place)
    return [_best(keys, values, diverged, knobs, places) for places in groups.values()]


def _best(
    keys: Sequence[Mapping[str, str]],
    values: np.ndarray,
    diverged: np.ndarray,
    knobs: Sequence[str],
    places: Sequence[int],
) -> Chosen:
    cell = without(keys[places[0]], [*knobs, SPLIT])
    validation = [place for place in places if keys[place].get(SPLIT) == "validation"]
    candidates = [place for place in validation if not diverged[place].any()]
    unfinished = [place for place in candidates if np.isnan(values[place]).any()]
    if unfinished or not candidates:
        return Chosen(cell, {}, -1, len(validation), [named(keys[place]) for place in unfinished or places])
    best = max(candidates, key=lambda place: values[place].mean())
    test = {**keys[best], SPLIT: "test"}
    place = next((place for place in places if keys[place] == test), -1)
    setting = {knob: keys[best].get(knob, "") for knob in knobs}
    return Chosen(cell, setting, place, len(validation), [] if place >= 0 else [named(test)])
