"""From a declaration to resolved runs, with every number in the open: recipe < exhibit < scale < block < cell.

A plan file (params/plan/<scale>/<exhibit>.yaml) holds for each stage the bindings that all its runs share, and for each
run what its cell binds; for a search it holds the grid once. Run ids are positions in the grid and not values, so that
an edited value is one changed line in `dvc params diff`, and not a run that vanished and another that appeared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common import files
from common.contracts import PlanDocument
from common.errors import UserError
from stages.planning.configurables import applicable
from stages.planning.declaration import PARAMS, all_chains, check_exhibits, exhibit_ids, open_exhibit
from stages.planning.gathering import GatheredStages
from stages.planning.grid import cells_of
from stages.planning.recipes import check_stages
from stages.planning.runs import Bindings, Run
from stages.planning.searches import points

RESERVED = ("seed", "labels")
Searches = dict[str, tuple[Run, ...]]  # {a run that chooses: the runs among which it chooses}


@dataclass
class Plan:
    """All runs of one exhibit at one scale, by stage in the order they run."""

    exhibit: str
    scale: str
    document: PlanDocument
    stages: dict[str, list[Run]] = field(default_factory=dict)

    def runs(self, stage: str) -> list[Run]:
        """The runs of one stage; none if the exhibit does not use it."""
        return self.stages.get(stage, [])

    def index_path(self, results: Path, stage: str) -> Path:
        """The file in which a finished sweep says what it holds; later stages and both engines look at it."""
        part = "evaluated" if self.document["stages"][stage]["evaluates"] else "trained"
        return results / self.scale / "index" / self.exhibit / part / f"{stage}.json"


def resolve(exhibit_name: str, scale: str) -> Plan:
    """The plan as the declarations are now. UserError for anything that is not declared properly."""
    exhibit = open_exhibit(exhibit_name)
    stages = GatheredStages(exhibit, scale)
    for cell in cells_of(exhibit, scale):
        stages.check_searches(cell.bound)
        for stage in cell.chain:
            stages.add(stage, cell.chain[0], cell.id, cell.seed, cell.labels, cell.bound.get(stage, {}))
    stages.check()
    for chain in all_chains(exhibit.content):
        # Both engines have one graph for all scales, so a sweep may be empty at some of them.
        for stage in chain:
            stages.entry(stage, chain[0])
    document = PlanDocument(
        scale=scale,
        knobs={name: knob for name, knob in exhibit.content["knobs"].items() if isinstance(knob, str)},
        measure=exhibit.content["measure"],
        stages=stages.in_order(),
    )
    plan = from_document(exhibit_name, scale, document)
    stages.check_runs(plan)
    return plan


def from_document(exhibit: str, scale: str, document: PlanDocument) -> Plan:
    """The plan that a plan file's content describes."""
    plan = Plan(exhibit, scale, document)
    searches: dict[str, Searches] = {}  # by the stage that chooses
    for stage, entry in document["stages"].items():
        if chooser := entry.get("searches_for"):
            grids = {run.id: tuple(points(run, stage, entry["grid"])) for run in _listed_runs(plan, chooser)}
            searches[chooser] = grids
            plan.stages[stage] = [point for grid in grids.values() for point in grid]
        else:
            plan.stages[stage] = list(_listed_runs(plan, stage, searches.get(stage)))
    return plan


def _listed_runs(plan: Plan, stage: str, searches: Searches | None = None) -> Iterator[Run]:
    """The runs that a stage's entry lists, each with the runs of earlier stages that it reads."""
    entry = plan.document["stages"][stage]
    # An evaluation has the id of the run that it evaluates: both have the same place in the grid.
    upstream = {run.id: run for trained in entry["evaluates"] for run in plan.runs(trained)}
    shared = flatten(entry["shared"])
    for run_id, own in entry["runs"].items():
        bound = flatten({key: body for key, body in own.items() if key not in RESERVED})
        yield Run(
            exhibit=plan.exhibit,
            scale=plan.scale,
            stage=stage,
            id=run_id,
            seed=own["seed"],
            bindings={**applicable(stage, shared, bound), **bound},
            labels=own["labels"],
            upstream=upstream.get(run_id),
            search=(searches or {}).get(run_id, ()),
        )


def plan_path(exhibit: str, scale: str) -> Path:
    """params/plan/<scale>/<exhibit>.yaml."""
    return PARAMS / "plan" / scale / f"{exhibit}.yaml"


def read_plan(exhibit: str, scale: str) -> Plan:
    """The plan on disk. UserError if the declarations would now give another one."""
    path, now = plan_path(exhibit, scale), resolve(exhibit, scale)
    written = files.read_yaml(path) if path.is_file() else None
    if written != now.document:
        old, new = _first_difference(written, now.document)
        raise UserError(
            "the plan is out of date",
            expected=f"what params/exhibits/{exhibit}.yaml and the recipes say: {new}",
            found=old,
            where=path,
            remedy=f"run `make plan` (or `python -m stages plan --scale {scale}`), then the same command again",
        )
    return now


def write_plan(plan: Plan) -> bool:
    """Write the plan file if its content changed; returns whether it did."""
    header = (
        f"# Made by `make plan` from params/exhibits/{plan.exhibit}.yaml and params/recipes/: edit those.\n"
    )
    path = plan_path(plan.exhibit, plan.scale)
    return files.write_yaml(path, plan.document, header=header, only_if_changed=True)


def all_plans(scale: str) -> list[Plan]:
    """The resolved plan of every declared exhibit."""
    check_exhibits(scale)
    check_stages(scale)
    return [resolve(name, scale) for name in exhibit_ids()]


def datasets_of(plans: list[Plan]) -> list[str]:
    """The data sets that any run reads, sorted."""
    return sorted(
        {run.dataset for plan in plans for runs in plan.stages.values() for run in runs if run.dataset}
    )


def flatten(nested: Mapping[str, Mapping[str, Any]]) -> Bindings:
    """{"nt_xent": {"temperature": 0.1}} -> {"nt_xent.temperature": 0.1}."""
    return {
        f"{name}.{parameter}": value for name, body in nested.items() for parameter, value in body.items()
    }


def _first_difference(old: Any, new: Any, path: str = "") -> tuple[str, str]:
    """The first difference between two plans, in words: (what the file has, what it should have)."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*new, *(key for key in old if key not in new)]:
            if old.get(key) != new.get(key):
                return _first_difference(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
    return f"{path}: {_short(old)}", f"{path}: {_short(new)}"


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
