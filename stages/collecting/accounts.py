"""What decided the numbers of an exhibit: an account of each of its runs, what is missing, costs, versions."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from common.names import cell_name
from stages.collecting.rows import Known, cells, knob_names, searches_in
from stages.planning.cost import cost_of
from stages.planning.fingerprint import adoption_of
from stages.planning.plans import Plan, datasets_of


def provenance(plan: Plan, known: Known) -> dict[str, Any]:
    """The content of provenance.json, without the checksums of the files beside it."""
    # The runs among which another chose have no rows. Once the run that chose is there, none of them is missing.
    searches = searches_in(plan)
    stages = [stage for stage in plan.stages if stage not in searches]
    runs, searched = dict(_accounts(plan, known, stages)), dict(_accounts(plan, known, searches))
    missing = [name for name in _names(plan, stages) if name not in runs]
    # From the plan: evidence from elsewhere does not say it, and this file is the same on every machine.
    costs = {
        run.fingerprint: dataclasses.asdict(cost_of(run))
        for stage in plan.stages
        for run in plan.runs(stage)
        if run.id in known[stage]
    }
    return {
        "scale": plan.scale,
        "exhibit": plan.exhibit,
        "dataset": ", ".join(datasets_of([plan])),
        "missing": missing,
        **({"missing_cells": dict(_cells(plan, missing))} if missing else {}),
        "diverged": {name: own["diverged"] for name, own in runs.items() if "diverged" in own},
        # A run that two cells show is counted once.
        "cost": {name: sum(cost[name] for cost in costs.values()) for name in ("images", "flops")},
        "runs": runs,
        **({"searched": searched} if searched else {}),
        "versions": _versions([*runs.values(), *searched.values()]),
    }


def _names(plan: Plan, stages: Iterable[str]) -> Iterator[str]:
    return (f"{stage}/{run.id}" for stage in stages for run in plan.runs(stage))


def _cells(plan: Plan, names: Iterable[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """The cells of these runs with the values of their knobs as rows.csv would have them: no row says them yet."""
    runs, knobs = {name.partition("/")[2] for name in names}, knob_names(plan)
    for run, values in cells(plan):
        if run.id in runs:
            yield cell_name(run.id), {knob: str(values.get(knob, "")) for knob in knobs}


def _accounts(plan: Plan, known: Known, stages: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What decided the numbers of each run that is there, by "<stage>/<run>"."""
    for stage in stages:
        for run in plan.runs(stage):
            if one := known[stage].get(run.id):
                yield f"{stage}/{run.id}", one.account | {"adopted": adoption_of(stage, run.code)}


def _versions(accounts: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Every version of each library that a run was made with."""
    named: dict[str, set[str]] = {}
    for account in accounts:
        for name, version in account["machine"]["versions"].items():
            named.setdefault(name, set()).add(version)
    return {name: ", ".join(sorted(some)) for name, some in named.items()}
