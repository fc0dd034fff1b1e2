"""The cells of an exhibit at a scale: every grid point and seed, what it binds, and where each binding was written."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from common import scales
from stages.planning.declaration import Exhibit, blocks_at

Say = Callable[..., str]  # place in a document -> its file and line
Bound = dict[str, tuple[Any, str]]  # {"configurable.parameter": (value, file and line)}


@dataclass(frozen=True)
class Cell:
    """One grid point with one seed; its id is its place in the grid, not its values."""

    id: str
    chain: list[str]
    seed: int
    labels: dict[str, Any]
    bound: dict[str, Bound]  # by stage


def cells_of(exhibit: Exhibit, scale: str) -> Iterator[Cell]:
    """Every grid point of every block, for every seed."""
    (blocks, seeds, _), said = blocks_at(exhibit.content, scale), _blocks_said(exhibit, scale)
    for number, block in enumerate(blocks):
        prefix = f"part{number + 1}-" if len(blocks) > 1 else ""
        axes = [list(enumerate(values, start=1)) for values in block["grid"].values()]
        for point in itertools.product(*axes):
            knobs = dict(zip(block["grid"], point, strict=True))
            name = prefix + "-".join(f"{knob}{place}" for knob, (place, _) in knobs.items())
            name = name.rstrip("-") or "run"
            labels, bound = _point(exhibit, block, number, knobs, said)
            for seed in seeds:
                yield Cell(f"{name}-seed{seed}", block["chain"], seed, labels, bound)


def shared_of(exhibit: Exhibit, scale: str, stage: str, opens: bool) -> Bound:
    """What the exhibit binds for all runs of a stage at a scale; what a cell binds goes before it.

    As in a cell, a binding without the name of a stage is for the stage that opens the chain.
    """
    _, _, common = blocks_at(exhibit.content, scale)
    bound: Bound = {}
    for key, value in common.items():
        named, _, binding = key.rpartition("/")
        if named == stage or (opens and not named):
            bound[binding] = (value, _set_said(exhibit, scale, key))
    return bound


def _point(
    exhibit: Exhibit, block: dict[str, Any], number: int, knobs: dict[str, tuple[int, Any]], said: Say
) -> tuple[dict[str, Any], dict[str, Bound]]:
    bound: Bound = {key: (value, said(number, "set", key)) for key, value in block.get("set", {}).items()}
    labels = dict(block.get("label", {}))
    for knob, (place, value) in knobs.items():
        target = exhibit.content["knobs"][knob]
        if isinstance(target, str):
            bound[target] = (value, said(number, "grid", knob, place - 1))
        else:
            labels[knob] = value
            for key, own in target[value].items():
                bound[key] = (own, exhibit.where("knobs", knob, value, key))
    return labels, _by_stage(bound, block["chain"][0])


def _by_stage(bound: Bound, first: str) -> dict[str, Bound]:
    """Bindings go to the first stage of the chain unless their key names another: `linear_eval/evaluate.split`."""
    by_stage: dict[str, Bound] = {}
    for key, pair in bound.items():
        stage, _, binding = key.rpartition("/")
        by_stage.setdefault(stage or first, {})[binding] = pair
    return by_stage


def _blocks_said(exhibit: Exhibit, scale: str) -> Say:
    """Where the run blocks of this scale are written: in the scale's file, under `scales:` of the exhibit, or above."""
    name = exhibit.content["id"]
    for each in scales.lineage(scale):
        if "runs" in (scales.read(each).exhibits.get(name) or {}):
            return partial(scales.read(each).where, "exhibits", name, "runs")
        if "runs" in (exhibit.content["scales"].get(each) or {}):
            return partial(exhibit.where, "scales", each, "runs")
    return partial(exhibit.where, "runs")


def _set_said(exhibit: Exhibit, scale: str, key: str) -> str:
    name = exhibit.content["id"]
    for each in scales.lineage(scale):
        if key in (scales.read(each).exhibits.get(name) or {}).get("set", {}):
            return scales.read(each).where("exhibits", name, "set", key)
        if key in (exhibit.content["scales"].get(each) or {}).get("set", {}):
            return exhibit.where("scales", each, "set", key)
    return exhibit.where("set", key)
