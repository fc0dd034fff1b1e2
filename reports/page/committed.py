"""What of a scale is small enough to be committed: the numbers that DVC compares, and the tidy rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from common.files import write_text
from reports.reading.plain import json_text
from reports.reading.record import Record
from reports.reading.summary import cell_means

Tree = dict[str, dict[str, dict[str, float]]]


def keep(metrics: Path, folder: Path, records: Sequence[Record]) -> None:
    """Write the file `metrics`, and into `folder` <exhibit>.csv of each exhibit with numbers; other tables go."""
    write_text(metrics, json_text(digest(records)), only_if_changed=True)
    kept = {f"{record['exhibit']}.csv": tidy_rows(record) for record in records if record["raw"]}
    for path in folder.glob("*.csv"):
        if path.name not in kept:
            path.unlink()
    for name, text in kept.items():
        write_text(folder / name, text, only_if_changed=True)


def digest(records: Iterable[Record]) -> Tree:
    """{exhibit: {cell: {metric: mean over seeds to 4 decimals}}} of the records that measured something.

    A cell is called by its place in the grid, as in the plan, and not by its values: an edited value then
    shows as a metric that moved and not as a cell that vanished and one that appeared.
    """
    return {record["exhibit"]: cell_means(record["raw"]) for record in records if record["raw"]}


def tidy_rows(record: Record) -> str:
    """A record's rows as CSV: knobs, seed, metric, value, run, as `collect` has them."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(record["raw"][0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(record["raw"])
    return stream.getvalue()
