"""Gather what an exhibit's runs measured into one tidy folder; judging and drawing read nothing else.

results/<scale>/tidy/<exhibit>/ holds
    rows.csv         a row per run and metric: knobs, seed, metric, value, run; for a run that diverged, the step
    curves.csv       the learning curves: run, epoch, metric, value
    arrays.npz       the pictures and outcomes that runs leave, if any
    provenance.json  what decided each number, and the checksums of the other files; sealed, written last
A file whose content has not changed keeps its modification time.
"""

from __future__ import annotations

import argparse
import csv
import io
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from common import files, receipts, scales, seals
from common.errors import UserError, command
from common.names import cell_name, nearest
from common.options import add_results, add_scale
from stages.planning.declaration import exhibit_ids
from stages.planning.fingerprint import adoption_of
from stages.planning.plans import Plan, Run, datasets_of, read_plan
from stages.running.finished import Finished, finished

CURVES = ("loss", "contrastive_accuracy", "top1", "accuracy")
EPOCHS = 100  # points of a curve: what a drawing of a few inches can show
Known = dict[str, dict[str, Finished]]  # by stage and run


@command
def main(arguments: list[str] | None = None) -> int:
    """`python -m stages collect [--exhibit figure_08] [--scale S]`: every exhibit without --exhibit."""
    parser = argparse.ArgumentParser(prog="python -m stages collect", description=__doc__.splitlines()[0])
    parser.add_argument("--exhibit", help="only this exhibit, for example figure_08 (default: all)")
    add_scale(parser)
    add_results(parser)
    options = parser.parse_args(arguments)
    scale = scales.check_scale(options.scale or scales.default())
    for name in [options.exhibit] if options.exhibit else exhibit_ids():
        collect(read_plan(name, scale), options.results)
    if not options.exhibit:
        folder = options.results / scale / "tidy"
        receipts.write(
            options.results / scale, "tidy", [path for path in folder.glob("*/*") if path.is_file()]
        )
    return 0


PROVENANCE = "provenance.json"


def collect(plan: Plan, results: Path) -> None:
    """Write the tidy folder of one exhibit. Runs without a result are listed as missing, not left out silently."""
    known = {stage: dict(_known(plan, stage, results)) for stage in plan.stages}
    _check_measures(plan, known)
    folder = results / plan.scale / "tidy" / plan.exhibit
    written = {"rows.csv": _table(plan, known).encode(), "curves.csv": _curves(known).encode()}
    arrays = dict(_arrays(known))
    written |= {"arrays.npz": files.npz_bytes(arrays)} if arrays else {}
    for name, data in written.items():
        files.write_bytes(folder / name, data, only_if_changed=True)
    for path in folder.iterdir():
        if path.name not in (*written, PROVENANCE):
            path.unlink()
    listed = {name: files.sha256_bytes(data) for name, data in written.items()}
    record = seals.sealed(_provenance(plan, known) | {"files": listed})
    files.write_json(folder / PROVENANCE, record, only_if_changed=True)


def _known(plan: Plan, stage: str, results: Path) -> Iterator[tuple[str, Finished]]:
    """The finished runs of one stage. UserError if one of them is not what the plan describes now."""
    for run in plan.runs(stage):
        run_there = finished(run, results)
        if run_there and run_there.account["fingerprint"] != run.fingerprint:
            raise UserError(
                "a result belongs to another plan or to other code",
                expected=f"fingerprint {run.fingerprint} for run {run.id}",
                found=run_there.account["fingerprint"],
                where=run.folder(results),
                remedy=f"run `python -m stages {stage} --scale {plan.scale} --sweep {plan.exhibit}` again. If only the "
                "code changed, and the numbers cannot have, declare that: `python -m stages adopt --reason ...`",
            )
        if run_there:
            yield run.id, run_there


def _table(plan: Plan, known: Known) -> str:
    knobs = _knob_names(plan)
    rows = (
        [*(values.get(knob, "") for knob in knobs), run.seed, metric, repr(value), run.id]
        for run, values in _cells(plan)
        for metric, value in _values(plan, known, run)
    )
    return _csv([*knobs, "seed", "metric", "value", "run"], rows)


def _values(plan: Plan, known: Known, run: Run) -> Iterator[tuple[str, float]]:
    """What a cell's runs measured, in the order of `measure`; for a run that diverged, only the step."""
    diverged = {stage: ended for stage in plan.stages if (ended := _divergence(known, stage, run.id))}
    for stage, metric in _measured(plan):
        entry = known.get(stage, {}).get(run.id)
        if entry and metric in entry.metrics:
            yield metric, entry.metrics[metric]
    if diverged:
        yield "diverged", float(next(iter(diverged.values()))["step"])


def _divergence(known: Known, stage: str, run: str) -> dict[str, Any] | None:
    entry = known.get(stage, {}).get(run)
    return entry.account.get("diverged") if entry else None


def _curves(known: Known) -> str:
    rows = (
        [f"{stage}/{run}", row["epoch"], metric, f"{float(row[metric]):.5g}"]
        for stage, runs in known.items()
        for run, one in runs.items()
        for row in _thinned(one.curve)
        for metric in CURVES
        if metric in row
    )
    return _csv(["run", "epoch", "metric", "value"], rows)


def _thinned(curve: list[dict[str, str]]) -> list[dict[str, str]]:
    """At most EPOCHS rows at even distances, always with the last one."""
    stride = math.ceil(len(curve) / EPOCHS) or 1
    return curve[::-1][::stride][::-1]


def _csv(header: list[str], rows: Iterable[list[Any]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return stream.getvalue()


def _measured(plan: Plan) -> Iterator[tuple[str, str]]:
    """Stage and metric of every measure. "logistic.top1|map11" stands for either: it depends on the data set."""
    for measured in plan.document["measure"]:
        stage, _, metrics = measured.partition(".")
        yield from ((stage, metric) for metric in metrics.split("|"))


def _check_measures(plan: Plan, known: Known) -> None:
    """UserError for a measure that no stage of the exhibit gives: it would leave the exhibit without numbers.

    Only some runs may have a measure, so nothing is said as long as runs are missing.
    """
    searches = _searches(plan)
    for measured in plan.document["measure"]:
        stage, _, metrics = measured.partition(".")
        # The runs of a search belong to no cell, and have no row.
        entries = {} if stage in searches else known.get(stage, {})
        names = {name for entry in entries.values() for name in entry.metrics}
        whole = all(run.id in entries for run in plan.runs(stage))
        if (
            stage not in plan.stages
            or stage in searches
            or (whole and names and names.isdisjoint(metrics.split("|")))
        ):
            raise UserError(
                f"nothing measures `{measured}`{nearest(measured, [f'{stage}.{name}' for name in names])}",
                expected=", ".join(f"{stage}.{name}" for name in sorted(names)) or ", ".join(plan.stages),
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


def _provenance(plan: Plan, known: Known) -> dict[str, Any]:
    # The runs among which another chose have no rows. Once the run that chose is there, none of them is missing.
    searches = _searches(plan)
    stages = [stage for stage in plan.stages if stage not in searches]
    runs, searched = dict(_accounts(plan, known, stages)), dict(_accounts(plan, known, searches))
    costs = {one.account["fingerprint"]: one.cost for some in known.values() for one in some.values()}
    return {
        "scale": plan.scale,
        "exhibit": plan.exhibit,
        "dataset": ", ".join(datasets_of([plan])),
        "missing": [name for name in _names(plan, stages) if name not in runs],
        "diverged": {name: own["diverged"] for name, own in runs.items() if "diverged" in own},
        # A run that two cells show is counted once.
        "cost": {name: sum(cost.get(name, 0) for cost in costs.values()) for name in ("images", "flops")},
        "runs": runs,
        **({"searched": searched} if searched else {}),
        "versions": _versions([*runs.values(), *searched.values()]),
    }


def _searches(plan: Plan) -> list[str]:
    """The stages whose runs are those of a search."""
    return [stage for stage, entry in plan.document["stages"].items() if "searches_for" in entry]


def _names(plan: Plan, stages: Iterable[str]) -> Iterator[str]:
    return (f"{stage}/{run.id}" for stage in stages for run in plan.runs(stage))


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


def _arrays(known: Known) -> Iterator[tuple[str, Any]]:
    """The pictures and outcomes of each cell's first run: exhibits show those of one seed."""
    for runs in known.values():
        shown: set[str] = set()
        for run, one in runs.items():
            if one.arrays and cell_name(run) not in shown:
                shown.add(cell_name(run))
                yield from ((f"{run}/{name}", _compact(array)) for name, array in one.arrays.items())


def _compact(array: np.ndarray) -> np.ndarray:
    """Whole numbers in the smallest type that holds them: labels of ten classes need a byte, not eight."""
    if array.dtype.kind not in "iu" or not array.size:
        return array
    return array.astype(np.promote_types(np.min_scalar_type(array.min()), np.min_scalar_type(array.max())))
