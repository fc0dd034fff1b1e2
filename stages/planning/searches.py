"""Searches: the runs among which another run chooses, one for each point of a grid.

A stage that chooses has a constant `SEARCH` in its file. It names the stage whose runs try the points, and says which
binding of a point takes its values from which list of the choosing run. Except for the grid, a point is bound as the
run that chooses. So the two cannot disagree, and a plan lists a grid once, however many points it has.
"""

from __future__ import annotations

import ast
import functools
import itertools
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from common.names import cell_name
from stages.planning.code_hashes import module_path, tree_of
from stages.planning.configurables import applicable
from stages.planning.recipes import stages_with_recipes
from stages.planning.runs import Run

NAME = "SEARCH"


class Search(NamedTuple):
    """stage: the one whose runs try the points. grid: {binding of a point: the choosing run's list of its values}."""

    stage: str
    grid: dict[str, str]


@functools.cache
def search_of(stage: str) -> Search | None:
    """The search of a stage, as its file declares it; None for most stages."""
    module = f"stages.{stage}"
    for node in tree_of(module).body if module_path(module).is_file() else ():
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == NAME:
            return Search(*ast.literal_eval(node.value))
    return None


def choosers() -> dict[str, str]:
    """{the stage of a search: the stage that chooses among its runs}."""
    searches = {stage: search_of(stage) for stage in stages_with_recipes()}
    return {search.stage: stage for stage, search in searches.items() if search}


def stages_with_runs() -> list[str]:
    """The stages that have runs: those with a recipe, and the stages of their searches, which have no recipe."""
    return sorted([*stages_with_recipes(), *choosers()])


def points(run: Run, stage: str, grid: Mapping[str, str]) -> Iterator[Run]:
    """The runs of `stage` that try the points of a choosing run's grid; the last binding varies fastest.

    Their names are their places in the grid, as for cells: "part1-dataset2-lr1-weight_decay3-seed0".
    """
    rest = {key: value for key, value in run.bindings.items() if key not in grid.values()}
    rest, cell = applicable(stage, rest, {}), cell_name(run.id)
    axes = [list(enumerate(run.bindings[values], start=1)) for values in grid.values()]
    names = [key.partition(".")[2] for key in grid]
    for point in itertools.product(*axes):
        place = "-".join(f"{name}{number}" for name, (number, _) in zip(names, point, strict=True))
        name = f"{cell}-{place}{run.id.removeprefix(cell)}"
        bound = {key: value for key, (_, value) in zip(grid, point, strict=True)}
        bindings = {**rest, **bound}
        yield Run(run.exhibit, run.scale, stage, name, run.seed, bindings, run.labels, run.upstream)
