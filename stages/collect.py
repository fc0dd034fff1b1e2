"""Gather what an exhibit's runs measured into one tidy folder: the only thing that drawing reads.

results/<scale>/tidy/<exhibit>/rows.csv has a row per run and metric: knobs, seed, metric, value, run. Beside it stand
provenance.json (what decided each number) and, where runs leave pictures, arrays.npz.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common import files
from common.errors import UserError, command
from stages.planning.declaration import check_scale, default_scale, nearest
from stages.planning.fingerprint import adoption_of
from stages.planning.plans import Plan, Run, datasets_of, read_plan
from stages.running import store

PROVENANCE = ("fingerprint", "stage", "seed", "bindings", "code", "data", "upstream")


@command
def main(arguments: list[str] | None = None) -> int:
    """`python -m stages collect --exhibit figure_08 [--scale S]`."""
    parser = argparse.ArgumentParser(prog="python -m stages collect", description=__doc__.splitlines()[0])
    parser.add_argument("--exhibit", required=True)
    parser.add_argument("--scale")
    parser.add_argument("--results", type=Path, default=Path("results"))
    options = parser.parse_args(arguments)
    scale = check_scale(options.scale) if options.scale else default_scale()
    collect(read_plan(options.exhibit, scale), options.results)
    return 0


def collect(plan: Plan, results: Path) -> None:
    """Write the tidy folder of one exhibit. Runs that are not there are listed as missing, not left out in silence."""
    finished = {stage: _finished(plan, stage, results) for stage in plan.stages}
    missing = [
        f"{stage}/{run.id}"
        for stage in plan.stages
        for run in plan.runs(stage)
        if run.id not in finished[stage]
    ]
    folder = results / plan.scale / "tidy" / plan.exhibit
    files.write_text(folder / "rows.csv", _table(plan, finished))
    files.write_json(folder / "provenance.json", _provenance(plan, finished, missing, results))
    arrays = dict(_arrays(plan, finished, results))
    if arrays:
        files.write_npz(folder / "arrays.npz", arrays)
    else:
        (folder / "arrays.npz").unlink(missing_ok=True)


def _finished(plan: Plan, stage: str, results: Path) -> dict[str, dict[str, Any]]:
    """The index entries of one stage's finished runs. UserError if one is not what the plan describes now."""
    path = plan.index_path(results, stage)
    entries = files.read_json(path) if path.is_file() else {}
    for run in plan.runs(stage):
        entry = entries.get(run.id)
        if entry and entry["fingerprint"] != run.fingerprint:
            raise UserError(
                "a result is not of this plan and this code",
                expected=f"fingerprint {run.fingerprint} for run {run.id}",
                found=entry["fingerprint"],
                where=path,
                remedy=f"run `python -m stages {stage} --scale {plan.scale} --sweep {plan.exhibit}` again; if only the "
                "code changed and the numbers cannot have, `python -m stages adopt --reason ...` says so",
            )
    return entries


def _table(plan: Plan, finished: dict[str, dict[str, Any]]) -> str:
    knobs = _knob_names(plan)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*knobs, "seed", "metric", "value", "run"])
    _check_measures(plan, finished)
    for run, values in _cells(plan):
        for stage, metric in _measured(plan):
            entry = finished.get(stage, {}).get(run.id)
            if entry and metric in entry["metrics"]:
                row = [values.get(knob, "") for knob in knobs]
                writer.writerow([*row, run.seed, metric, repr(entry["metrics"][metric]), run.id])
    return stream.getvalue()


def _measured(plan: Plan) -> Iterator[tuple[str, str]]:
    """Stage and metric of every measure. "logistic.top1|map11" is whichever a run has: data sets have their own."""
    for measured in plan.document["measure"]:
        stage, _, metrics = measured.partition(".")
        yield from ((stage, metric) for metric in metrics.split("|"))


def _check_measures(plan: Plan, finished: dict[str, dict[str, Any]]) -> None:
    """UserError for a measure that no stage of the exhibit gives: it would leave an exhibit without numbers.

    A measure may be one that only some runs have: while others are missing, its absence says nothing.
    """
    for measured in plan.document["measure"]:
        stage, _, metrics = measured.partition(".")
        entries = finished.get(stage, {})
        known = {name for entry in entries.values() for name in entry["metrics"]}
        whole = all(run.id in entries for run in plan.runs(stage))
        if stage not in plan.stages or (whole and known and known.isdisjoint(metrics.split("|"))):
            raise UserError(
                f"nothing measures `{measured}`{nearest(measured, [f'{stage}.{name}' for name in known])}",
                expected=", ".join(f"{stage}.{name}" for name in sorted(known)) or ", ".join(plan.stages),
                found=measured,
                where=f"params/exhibits/{plan.exhibit}.yaml, measure",
            )


def _cells(plan: Plan) -> Iterator[tuple[Run, dict[str, Any]]]:
    """Every cell (the run that opens its chain) with the values of its knobs, whichever stage binds them."""
    for stage, entry in plan.document["stages"].items():
        if entry["evaluates"]:
            continue
        for run in plan.runs(stage):
            yield run, _knob_values(plan, run)


def _knob_values(plan: Plan, run: Run) -> dict[str, Any]:
    values = dict(run.labels)
    for knob, target in plan.document["knobs"].items():
        stage, _, binding = target.rpartition("/")
        runs = plan.runs(stage) if stage else [run]
        for other in runs:
            if other.id == run.id and binding in other.bindings:
                values[knob] = other.bindings[binding]
    return values


def _knob_names(plan: Plan) -> list[str]:
    labelled = {name: None for _, values in _cells(plan) for name in values}
    return [*dict.fromkeys([*labelled, *plan.document["knobs"]])]


def _provenance(
    plan: Plan, finished: dict[str, dict[str, Any]], missing: list[str], results: Path
) -> dict[str, Any]:
    runs, versions, costs = {}, {}, {}
    for stage in plan.stages:
        for run in plan.runs(stage):
            if run.id in finished[stage]:
                cause = store.read_run(run.folder(results))
                runs[f"{stage}/{run.id}"] = {
                    **{name: cause[name] for name in PROVENANCE},
                    "adopted": adoption_of(stage),
                    **({"imported": cause["imported"]} if "imported" in cause else {}),
                }
                costs[run.fingerprint] = cause.get("cost", {})  # a run that two cells show was paid for once
                for name, version in cause["versions"].items():
                    versions.setdefault(name, set()).add(version)
    return {
        "scale": plan.scale,
        "exhibit": plan.exhibit,
        "dataset": ", ".join(datasets_of([plan])),
        "missing": missing,
        "cost": {name: sum(cost.get(name, 0) for cost in costs.values()) for name in ("images", "flops")},
        "runs": runs,
        "versions": {name: ", ".join(sorted(found)) for name, found in versions.items()},
    }


def _arrays(plan: Plan, finished: dict[str, dict[str, Any]], results: Path) -> Iterator[tuple[str, Any]]:
    for stage in plan.stages:
        for run in plan.runs(stage):
            if "arrays.npz" in finished[stage].get(run.id, {}).get("files", {}):
                for name, array in files.read_npz(run.folder(results) / "arrays.npz").items():
                    yield f"{run.id}/{name}", array
