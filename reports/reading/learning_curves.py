"""The learning curves of an exhibit's runs, as `collect` leaves them in curves.csv."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from common.files import parse_csv, read_text
from reports.reading.tidy import COLLECT_AGAIN, LARGEST, damaged

HEADER = ["run", "epoch", "metric", "value"]


def load_curves(path: Path) -> pd.DataFrame:
    """Columns stage, run, epoch (float), metric, value (float), in the order of the file; empty without one.

    UserError for another header, or an epoch or a value that is no finite number.
    """
    header, rows = (
        parse_csv(read_text(path, COLLECT_AGAIN), path, COLLECT_AGAIN) if path.is_file() else (HEADER, [])
    )
    if header != HEADER:
        raise damaged(", ".join(HEADER), ", ".join(header), path)
    curves = pd.DataFrame(rows, columns=header, dtype=object)
    for column in ("epoch", "value"):
        curves[column] = pd.to_numeric(curves[column], errors="coerce").astype(float)
        broken = curves[~(curves[column].abs() <= LARGEST)]
        if len(broken):
            raise damaged(f"a finite {column} of run {broken.iloc[0].run}", "none", path)
    names = curves["run"].str.partition("/") if len(curves) else pd.DataFrame(columns=[0, 1, 2])
    return curves.assign(stage=names[0], run=names[2])[["stage", "run", "epoch", "metric", "value"]]
