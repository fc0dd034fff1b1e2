"""The rows of an exhibit's numbers as a page shows them: ours beside the paper's, with the runs that made each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from reports.reading.knobs import sort_key
from reports.reading.lineage import Trail, trails
from reports.reading.notation import Measured, metric, written
from reports.reading.record import Record
from reports.reading.tidy import COLUMNS, DIVERGED


class Number(NamedTuple):
    """A row of ours beside the paper's. `ours` and `paper` are (as written, as a number to sort by)."""

    cell: list[str]
    metric: str
    ours: tuple[str, str]
    n: str
    paper: tuple[str, str]
    source: str
    runs: list[Trail]


def numbers(
    record: Record, header: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[list[str], list[Number]]:
    """The knobs, and the rows of the exhibit's CSV with links to the runs of each; measured cells come first."""
    knobs = [name for name in header[: header.index("metric")] if name not in COLUMNS]
    by_run = {trail.run: trail for trail in trails(record)}
    runs: dict[tuple[str, ...], list[Trail]] = {}
    for row in record["raw"]:
        key = tuple(str(row.get(knob) or "") for knob in (*knobs, "metric"))
        if row["run"] in by_run:
            runs.setdefault(key, []).append(by_run[row["run"]])
    shown = [_number(dict(zip(header, row, strict=True)), knobs, runs) for row in rows]
    return knobs, sorted(shown, key=lambda row: (not row.ours[0], [sort_key(text) for text in row.cell]))


def _number(row: Mapping[str, str], knobs: Sequence[str], runs: Mapping[tuple[str, ...], Any]) -> Number:
    ours = ""
    if row["n"]:
        spread, n, diverged = (float(row[name] or "nan") for name in ("spread", "n", "diverged"))
        mean = float(row["ours"] or "nan")
        ours = written(
            Measured(mean, spread if row["spread"] else None, int(n), int(diverged)), row["metric"]
        )
    cell = [row[knob] for knob in knobs]
    lost = runs.get((*cell, DIVERGED), [])
    return Number(
        cell=cell,
        metric=metric(row["metric"]).header,
        ours=(ours, row["ours"]),
        n=row["n"].removesuffix(".0"),
        paper=(row["paper"], row["paper"]),
        source=": ".join(filter(None, (row["confidence"].replace("_", " "), row["note"]))),
        runs=[*runs.get((*cell, row["metric"]), []), *lost],
    )
