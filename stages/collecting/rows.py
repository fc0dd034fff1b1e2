"""Rows and curves of an exhibit: the knobs of each cell beside what its runs measured."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator
from typing import Any

from common import scales
from common.errors import UserError
from common.names import nearest
from stages.planning.declaration import read_exhibit
from stages.planning.plans import Plan, Run
from stages.running.finished import Finished

CURVES = ("loss", "contrastive_accuracy", "top1", "accuracy")
EPOCHS = 100  # points of a curve: what a drawing of a few inches can show
Known = dict[str, dict[str, Finished]]  # by stage and run


def table(plan: Plan, known: Known) -> str:
    """rows.csv: a row for each cell and metric, in the order of the plan and of `measure`."""
    knobs = knob_names(plan)
    rows = (
        [*(values.get(knob, "") for knob in knobs), run.seed, metric, repr(value), run.id]
        for run, values in cells(plan)
        for metric, value in _values(plan, known, run)
    )
    return _csv([*knobs, "seed", "metric", "value", "run"], rows)


def _values(plan: Plan, known: Known, run: Run) -> Iterator[tuple[str, float]]:
    """What a cell's runs measured, in the order of `measure`, and the step of the run among them that diverged."""
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


def curves(known: Known) -> str:
    """curves.csv: the learning curves of all runs, thinned."""
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


def check_measures(plan: Plan, known: Known) -> None:
    """UserError for a measure that no stage of the exhibit gives: it would leave the exhibit without numbers.

    Only some runs may have a measure, so nothing is said as long as runs are missing, and nothing of a scale with a
    parent, which may leave out just these runs.
    """
    searches, is_whole_scale = searches_in(plan), scales.read(plan.scale).parent is None
    for measured in plan.document["measure"]:
        stage, _, metrics = measured.partition(".")
        # The runs of a search belong to no cell, and have no row.
        entries = {} if stage in searches else known.get(stage, {})
        names = {name for entry in entries.values() for name in entry.metrics}
        whole = is_whole_scale and all(run.id in entries for run in plan.runs(stage))
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


def cells(plan: Plan) -> Iterator[tuple[Run, dict[str, Any]]]:
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


def knob_names(plan: Plan) -> list[str]:
    """The columns of rows.csv that tell one cell from another, with the knobs that no cell varies at this scale."""
    labelled = {name: None for _, values in cells(plan) for name in values}
    return [*dict.fromkeys([*labelled, *plan.document["knobs"], *read_exhibit(plan.exhibit)["knobs"]])]


def searches_in(plan: Plan) -> list[str]:
    """The stages whose runs are those of a search."""
    return [stage for stage, entry in plan.document["stages"].items() if "searches_for" in entry]
