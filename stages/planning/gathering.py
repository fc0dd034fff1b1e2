"""The stages of a plan while they are gathered, cell by cell, and the checks of everything that they are bound to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from common.contracts import Nested, StageEntry
from common.errors import UserError
from common.names import nearest
from stages.planning.configurables import applicable, check_applies, check_binding, check_complete
from stages.planning.declaration import Exhibit
from stages.planning.feasibility import check_run
from stages.planning.grid import Bound, shared_of
from stages.planning.recipes import bound_at, recipe_path, stages_with_recipes
from stages.planning.runs import Bindings
from stages.planning.searches import choosers, search_of

if TYPE_CHECKING:
    from stages.planning.plans import Plan


class GatheredStages:
    """The stages of a plan, with the file and line of every binding, for the checks."""

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
                # No run has this loss. A recipe may hold such a binding, but in an exhibit it must be a mistake.
                if key not in used:
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
