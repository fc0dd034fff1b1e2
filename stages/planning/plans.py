"""From a declaration to resolved runs: recipe < exhibit < scale < block < cell, every number in the open.

A plan file (params/plan/<scale>/<exhibit>.yaml) holds, for each stage, the bindings that all its runs share and, per
run, what its cell binds. Run ids are positions in the grid, not values, so that an edited value is one changed line in
`dvc params diff` and not a run that vanished and one that appeared.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common import files
from common.errors import UserError
from stages.planning.configurables import check_binding, check_complete
from stages.planning.declaration import (
    PARAMS,
    all_chains,
    blocks_at,
    exhibit_ids,
    read_exhibit,
    read_recipe,
    recipe_path,
)
from stages.planning.fingerprint import fingerprint

RESERVED = ("seed", "labels")
Bindings = dict[str, Any]  # {"configurable.parameter": value}


@dataclass(frozen=True)
class Run:
    """One training or evaluation, resolved: what a stage needs to know, and nothing of how it is driven."""

    exhibit: str
    scale: str
    stage: str
    id: str
    seed: int
    bindings: Bindings
    labels: dict[str, Any]
    upstream: Run | None = None

    @property
    def dataset(self) -> str | None:
        """The data set it reads, if any."""
        return self.bindings.get("dataset.name")

    @functools.cached_property
    def fingerprint(self) -> str:
        """What decides this run's numbers, as one hash; equal settings in two exhibits have equal fingerprints."""
        upstream = self.upstream.fingerprint if self.upstream else None
        return fingerprint(self.stage, self.seed, self.bindings, self.dataset, upstream)

    def folder(self, results: Path) -> Path:
        """results/<scale>/<stage>/<exhibit>/<run>."""
        return results / self.scale / self.stage / self.exhibit / self.id


@dataclass
class Plan:
    """All runs of one exhibit at one scale, by stage in the order they run."""

    exhibit: str
    scale: str
    document: dict[str, Any]
    stages: dict[str, list[Run]] = field(default_factory=dict)

    def runs(self, stage: str) -> list[Run]:
        """The runs of one stage; none if the exhibit does not use it."""
        return self.stages.get(stage, [])

    def index_path(self, results: Path, stage: str) -> Path:
        """Where a finished sweep says what it holds: what later stages and both engines look at."""
        part = "evaluated" if self.document["stages"][stage]["evaluates"] else "trained"
        return results / self.scale / "index" / self.exhibit / part / f"{stage}.json"


def resolve(exhibit_name: str, scale: str) -> Plan:
    """The plan that the declarations give now. UserError for anything that is not declared properly."""
    exhibit = read_exhibit(exhibit_name)
    stages: dict[str, dict[str, Any]] = {}
    for cell in _cells(exhibit, scale):
        for stage in cell.chain:
            if stage not in stages:
                trains = stage == cell.chain[0]
                stages[stage] = {
                    "shared": _shared(exhibit, scale, stage, trains),
                    "evaluates": [],
                    "runs": {},
                }
            if stage != cell.chain[0] and cell.chain[0] not in stages[stage]["evaluates"]:
                stages[stage]["evaluates"].append(cell.chain[0])
            stages[stage]["runs"][cell.id] = {
                "seed": cell.seed,
                "labels": cell.labels,
                **_nest(cell.bindings.get(stage, {})),
            }
    for stage, entry in stages.items():
        _check(stage, entry, f"{PARAMS}/exhibits/{exhibit_name}.yaml", recipe_path(stage, scale))
    for chain in all_chains(
        exhibit
    ):  # both engines have one graph for all scales: a sweep may be empty at some
        for stage in chain:
            evaluates = [] if stage == chain[0] else [chain[0]]
            stages.setdefault(stage, {"shared": {}, "evaluates": evaluates, "runs": {}})
    stages = dict(
        sorted(stages.items(), key=lambda item: bool(item[1]["evaluates"]))
    )  # what is read stands first
    document = {
        "scale": scale,
        "knobs": {name: knob for name, knob in exhibit["knobs"].items() if isinstance(knob, str)},
        "measure": exhibit["measure"],
        "stages": stages,
    }
    return from_document(exhibit_name, scale, document)


def from_document(exhibit: str, scale: str, document: dict[str, Any]) -> Plan:
    """The plan that a plan file's content describes."""
    plan = Plan(exhibit, scale, document)
    for stage, entry in document["stages"].items():
        plan.stages[stage] = []
        upstream = {run.id: run for trained in entry["evaluates"] for run in plan.runs(trained)}
        for run_id, own in entry["runs"].items():
            bindings = {
                **flatten(entry["shared"]),
                **flatten({k: v for k, v in own.items() if k not in RESERVED}),
            }
            run = Run(
                exhibit, scale, stage, run_id, own["seed"], bindings, own["labels"], upstream.get(run_id)
            )
            plan.stages[stage].append(run)
    return plan


def plan_path(exhibit: str, scale: str) -> Path:
    """params/plan/<scale>/<exhibit>.yaml."""
    return PARAMS / "plan" / scale / f"{exhibit}.yaml"


def read_plan(exhibit: str, scale: str) -> Plan:
    """The plan on disk, checked to be what the declarations give now. UserError if it is out of date."""
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
    return [resolve(name, scale) for name in exhibit_ids()]


def datasets_of(plans: list[Plan]) -> list[str]:
    """The data sets that any run reads, sorted."""
    return sorted(
        {run.dataset for plan in plans for runs in plan.stages.values() for run in runs if run.dataset}
    )


def flatten(nested: dict[str, dict[str, Any]]) -> Bindings:
    """{"nt_xent": {"temperature": 0.1}} -> {"nt_xent.temperature": 0.1}."""
    return {
        f"{name}.{parameter}": value for name, body in nested.items() for parameter, value in body.items()
    }


def _nest(bindings: Bindings) -> dict[str, dict[str, Any]]:
    nested: dict[str, dict[str, Any]] = {}
    for key, value in bindings.items():
        name, _, parameter = key.partition(".")
        nested.setdefault(name, {})[parameter] = value
    return nested


@dataclass(frozen=True)
class _Cell:
    id: str
    chain: list[str]
    seed: int
    labels: dict[str, Any]
    bindings: dict[str, Bindings]  # by stage


def _cells(exhibit: dict[str, Any], scale: str) -> list[_Cell]:
    """Every grid point of every block, for every seed."""
    blocks, seeds, _ = blocks_at(exhibit, scale)
    cells = []
    for number, block in enumerate(blocks, start=1):
        prefix = f"part{number}-" if len(blocks) > 1 else ""
        axes = [list(enumerate(values, start=1)) for values in block["grid"].values()]
        for point in itertools.product(*axes):
            knobs = dict(zip(block["grid"], point, strict=True))
            name = prefix + "-".join(f"{knob}{place}" for knob, (place, _) in knobs.items())
            values = {knob: value for knob, (_, value) in knobs.items()}
            for seed in seeds:
                cells.append(_cell(exhibit, block, f"{name.rstrip('-') or 'run'}-seed{seed}", values, seed))
    return cells


def _cell(
    exhibit: dict[str, Any], block: dict[str, Any], run_id: str, values: dict[str, Any], seed: int
) -> _Cell:
    bindings = dict(block.get("set", {}))
    labels = dict(block.get("label", {}))
    for knob, value in values.items():
        target = exhibit["knobs"][knob]
        if isinstance(target, str):
            bindings[target] = value
        else:
            labels[knob] = value
            bindings.update(target[value])
    return _Cell(run_id, block["chain"], seed, labels, _by_stage(bindings, block["chain"][0]))


def _by_stage(bindings: Bindings, first: str) -> dict[str, Bindings]:
    """Bindings go to the first stage of the chain unless their key names another: `linear_eval/evaluate.split`."""
    by_stage: dict[str, Bindings] = {}
    for key, value in bindings.items():
        stage, _, binding = key.rpartition("/")
        by_stage.setdefault(stage or first, {})[binding] = value
    return by_stage


def _shared(exhibit: dict[str, Any], scale: str, stage: str, trains: bool) -> dict[str, dict[str, Any]]:
    """The recipe of this stage at this scale, with what the exhibit sets for all its runs.

    As in a cell, a binding without a stage's name is for the stage that opens the chain (`trains`).
    """
    path = recipe_path(stage, scale)
    recipe = read_recipe(path)
    for key, (value, line) in recipe.items():
        check_binding(stage, key, value, f"{path}, line {line}")
    bindings = {key: value for key, (value, _) in recipe.items()}
    _, _, common = blocks_at(exhibit, scale)
    for key, value in common.items():
        named, _, binding = key.rpartition("/")
        if named == stage or (trains and not named):
            bindings[binding] = value
    return _nest({key: _listed(value) for key, value in bindings.items()})


def _listed(value: Any) -> Any:
    return [_listed(item) for item in value] if isinstance(value, tuple | list) else value


def _check(stage: str, entry: dict[str, Any], where: str, recipe: Path) -> None:
    shared = flatten(entry["shared"])
    for key, value in shared.items():
        check_binding(stage, key, value, where)
    for run_id, own in entry["runs"].items():
        bindings = flatten({name: body for name, body in own.items() if name not in RESERVED})
        for key, value in bindings.items():
            check_binding(stage, key, value, f"{where}, run {run_id}")
        check_complete(stage, set(shared) | set(bindings), str(recipe))


def _first_difference(old: Any, new: Any, path: str = "") -> tuple[str, str]:
    """The first place where two plans differ, in words: (what the file has, what it should have)."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*new, *(key for key in old if key not in new)]:
            if old.get(key) != new.get(key):
                return _first_difference(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
    return f"{path}: {_short(old)}", f"{path}: {_short(new)}"


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
