"""What of a scale is small enough to be committed: the numbers that DVC compares, and the tidy results."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from common.files import write_bytes, write_text
from reports.reading.completion import RECORDS
from reports.reading.folders import Folders
from reports.reading.plain import json_text
from reports.reading.record import Record
from reports.reading.summary import cell_means

Tree = dict[str, dict[str, dict[str, float]]]


def keep(
    metrics: Path, scale: str, folders: Folders, records: Sequence[Record], declared: Iterable[str]
) -> None:
    """Write the file `metrics`, and the tidy folder of each exhibit that has results into the evidence of the scale.

    Of the other exhibits that are `declared`, what others committed stays; what is not declared goes.
    """
    write_text(metrics, json_text(digest(records)), only_if_changed=True)
    committed = folders._replace(committed=True)
    for exhibit in sorted(record["exhibit"] for record in records if record["raw"]):
        _copy(folders.tidy(exhibit, scale), committed.tidy(exhibit, scale))
    place, known = folders.evidence / scale, {*declared, RECORDS}
    for path in place.iterdir() if place.is_dir() else ():
        if path.name not in known:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _copy(source: Path, target: Path) -> None:
    """Make a folder hold what another holds, file by file; provenance.json, which seals the others, last."""
    paths = sorted(source.iterdir(), key=lambda path: path.name == "provenance.json")
    for path in paths:
        write_bytes(target / path.name, path.read_bytes(), only_if_changed=True)
    for path in target.iterdir():
        if not (source / path.name).exists():
            path.unlink()


def digest(records: Iterable[Record]) -> Tree:
    """{exhibit: {cell: {metric: mean over seeds to 4 decimals}}} of the records that measured something.

    A cell is called by its place in the grid, as in the plan, and not by its values: an edited value then
    shows as a metric that moved and not as a cell that vanished and one that appeared.
    """
    return {record["exhibit"]: cell_means(record["raw"]) for record in records if record["raw"]}
