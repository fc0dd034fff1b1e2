"""The few numbers per exhibit that `dvc metrics diff` compares between commits."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Any

Tree = dict[str, dict[str, dict[str, float]]]


def digest(records: Iterable[Mapping[str, Any]]) -> Tree:
    """{exhibit: {cell: {metric: mean over seeds to 4 decimals}}} of the records that measured something.

    A cell is called by its place in the grid, as in the plan, and not by its values: an edited value then
    shows as a metric that moved and not as a cell that vanished and one that appeared.
    """
    return {record["exhibit"]: cells_of(record["raw"]) for record in records if record["raw"]}


def tidy_rows(record: Mapping[str, Any]) -> str:
    """A record's measured rows as CSV: knobs, seed, metric, value, run, as `collect` has them."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(record["raw"][0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(record["raw"])
    return stream.getvalue()


def cell_name(run: str) -> str:
    """The run's id without its seed: "projection1-output_dim2-seed0" is of cell "projection1-output_dim2"."""
    return re.sub(r"-seed\d+$", "", run)


def cells_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """{cell: {metric: mean over seeds to 4 decimals}} of measured rows."""
    values: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        values.setdefault(cell_name(row["run"]), {}).setdefault(row["metric"], []).append(row["value"])
    return {
        cell: {metric: round(fmean(found), 4) for metric, found in sorted(metrics.items())}
        for cell, metrics in sorted(values.items())
    }
