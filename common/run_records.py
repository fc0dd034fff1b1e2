"""Beside the committed evidence: records.csv (when, where, how fast runs were made), reruns.csv (runs made again)."""

from __future__ import annotations

import math
from pathlib import Path

from common.errors import UserError
from common.files import read_csv

RECORDS = "records.csv"
RERUNS = "reruns.csv"
COLUMNS = (
    "fingerprint", "stage", "finished", "seconds", "images_per_second", "processes", "device", "processor", "commit",
)  # fmt: skip
REMEDY = "restore it from the last commit (git checkout -- reports/evidence)"


def read_records(path: Path) -> list[dict[str, str]]:
    """The rows of records.csv; none without the file. UserError for other columns, or for seconds that are none."""
    if not path.is_file():
        return []
    header, rows = read_csv(path, REMEDY)
    if tuple(header) != COLUMNS:
        raise _damaged(f"columns {', '.join(COLUMNS)}", ", ".join(header), path)
    records = [dict(zip(header, row, strict=True)) for row in rows]
    for number, record in enumerate(records, start=2):
        if not _is_duration(record["seconds"]):
            raise _damaged("seconds, a number", f"{record['seconds']!r} in row {number}", path)
    return records


def _is_duration(text: str) -> bool:
    try:
        return 0 <= float(text) < math.inf
    except ValueError:
        return False


def _damaged(expected: str, found: str, path: Path) -> UserError:
    return UserError("records of runs are damaged", expected=expected, found=found, where=path, remedy=REMEDY)
