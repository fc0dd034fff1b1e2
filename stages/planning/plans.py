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
from common.contracts import Nested, PlanDocument, StageEntry
from common.errors import UserError
from common.names import nearest
from stages.planning.configurables import applicable, check_applies, check_binding, check_complete
from stages.planning.declaration import PARAMS, Exhibit, all_chains, check_exhibits, exhibit_ids, open_exhibit
from stages.planning.feasibility import check_run
from stages.planning.grid import Bound, cells_of, shared_of
from stages.planning.recipes import bound_at, check_stages, recipe_path, stages_with_recipes
from stages.planning.runs import Bindings, Run
from stages.planning.searches import choosers, points, search_of

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
    stages = _Stages(exhibit, scale)
    for cell in cells_of(exhibit, scale):
        stages.check_searches(cell.bound)
        for stage in cell.chain:
            stages.add(stage, cell.chain[0], cell.id, cell.seed, cell.labels, cell.bound.get(stage, {}))
    stages.check()
    for chain in all_chains(exhibit.content):
        for (
            stage
        ) in chain:  # Both engines have one graph for all scales, so a sweep may be empty at some of them.
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


class _Stages:
    """The stages of a plan while they are gathered, with the file and line of every binding, for the checks."""

    def __init__(self, exhibit: Exhibit, scale: str) -> None:
        self.exhibit, self.scale, self.choosers = exhibit, scale, choosers()
        self.entries: dict[str, StageEntry] = {}
        self.shared: dict[str, Bound] = {}
        self.set_here: dict[str, Bound] = {}
        self.own: dict[str, dict[str, Bound]] = {}

    def entry(self, stage: str, opening: str) -> StageEntry:
        """What is gathered of one stage. opening: the first stage of its chain."""
        entry = self.entries.setdefault(stage, {"shared": {}, "evaluates": [], "runs": {}})
        if stage != opening and opening not in entry["evaluates"]:
            entry["evaluates"].append(opening)
        return entry

    def add(
        self, stage: str, opening: str, run_id: str, seed: int, labels: dict[str, Any], bound: Bound
    ) -> None:
        """Add one run of a stage."""
        entry = self.entry(stage, opening)
        # Checked once for the stage and not for every run, because all runs share these bindings.
        if stage not in self.shared:
            self._check_stage(stage)
            self.set_here[stage] = shared_of(self.exhibit, self.scale, stage, stage == opening)
            self.shared[stage] = {**bound_at(stage, self.scale), **self.set_here[stage]}
            for key, (value, where) in self.shared[stage].items():
                check_binding(stage, key, value, where)
            entry["shared"] = _nest(_values(self.shared[stage]))
        entry["runs"][run_id] = {"seed": seed, "labels": labels, **_nest(_values(bound))}
        self.own.setdefault(stage, {})[run_id] = bound

    def _check_stage(self, stage: str) -> None:
        if chooser := self.choosers.get(stage):
            raise UserError(
                f"stage {stage} stands in no chain: its runs are the grid among which a run of {chooser} chooses",
                expected=f"a chain with {chooser}, which adds them by itself",
                found=stage,
                where=self.exhibit.where("runs"),
            )
        if stage not in (known := stages_with_recipes()):
            raise UserError(
                f"no stage `{stage}`{nearest(stage, known)}",
                expected=", ".join(known),
                found=stage,
                where=self.exhibit.where("runs"),
            )

    def check_searches(self, bound: dict[str, Bound]) -> None:
        """UserError for a binding of a cell for a search alone: its runs are bound as the run that chooses."""
        for stage, chooser in self.choosers.items():
            for key, (_, where) in bound.get(stage, {}).items():
                raise UserError(
                    f"the runs of stage {stage} are bound as those of {chooser}, except for the grid",
                    expected=f"{chooser}/{key}",
                    found=f"{stage}/{key}",
                    where=where,
                )

    def check(self) -> None:
        """UserError unless every run has the parameters that it is bound to, and values for all that it needs."""
        for stage, runs in self.own.items():
            shared, used = _values(self.shared[stage]), set()
            for own in runs.values():
                for key, (value, where) in own.items():
                    check_binding(stage, key, value, where)
                bound = {**applicable(stage, shared, _values(own)), **_values(own)}
                # A shared binding may be meant for another loss; a binding of a cell never is.
                for key, (_, where) in own.items():
                    check_applies(stage, key, bound, where)
                check_complete(stage, bound, str(recipe_path(stage, self.scale)))
                self._check_grid(stage, bound, own)
                used |= set(bound)
            for key, (_, where) in self.set_here[stage].items():
                if (
                    key not in used
                ):  # No run has this loss. A recipe may hold such a binding, but in an exhibit it must be a mistake.
                    check_applies(stage, key, bound, where)

    def _check_grid(self, stage: str, bound: Bindings, own: Bound) -> None:
        search, said = search_of(stage), {**self.shared[stage], **own}
        for values in search.grid.values() if search else ():
            if not bound.get(values):
                raise UserError(
                    f"a run of stage {stage} has nothing to choose among",
                    expected=f"at least one value of {values}",
                    found="none",
                    where=said[values][1] if values in said else str(recipe_path(stage, self.scale)),
                )

    def check_runs(self, plan: Plan) -> None:
        """UserError for a run that cannot be made from the data to which it is bound."""
        for stage, own in self.own.items():
            for run in plan.runs(stage):
                said = {**self.shared[stage], **own[run.id]}
                # One point stands for the whole grid: all points need the same data.
                for each in (*run.search[:1], run):
                    check_run(
                        each, lambda key, said=said: said[key][1] if key in said else str(self.exhibit.path)
                    )

    def in_order(self) -> dict[str, StageEntry]:
        """The stages, each after those it reads: openings of chains first, a search before the stage that chooses."""
        ordered: dict[str, StageEntry] = {}
        for stage in sorted(self.entries, key=self._depth):
            entry, search = self.entries[stage], search_of(stage)
            if search:
                ordered[search.stage] = StageEntry(
                    searches_for=stage,
                    grid=search.grid,
                    shared={},
                    evaluates=list(entry["evaluates"]),
                    runs={},
                )
            ordered[stage] = entry
        return ordered

    def _depth(self, stage: str) -> int:
        return 0 if not self.entries[stage]["evaluates"] else 2 if search_of(stage) else 1


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


def _nest(bindings: Bindings) -> Nested:
    nested: Nested = {}
    for key, value in bindings.items():
        name, _, parameter = key.partition(".")
        nested.setdefault(name, {})[parameter] = _listed(value)
    return nested


def _values(bound: Bound) -> Bindings:
    return {key: value for key, (value, _) in bound.items()}


def _listed(value: Any) -> Any:
    return [_listed(item) for item in value] if isinstance(value, tuple | list) else value


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
