"""All that is known about one exhibit at one scale: its declaration, our measurements, the paper's values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from reports.reading.declarations import Declaration, load_declaration
from reports.reading.folders import Folders
from reports.reading.judged import Judged
from reports.reading.learning_curves import load_curves
from reports.reading.paper import load_paper
from reports.reading.tidy import (
    COLUMNS,
    DIVERGED,
    Provenance,
    Tidy,
    load_arrays,
    load_collected,
    mended_by,
)


@dataclass(frozen=True)
class Evidence:
    """One exhibit's material. Knob values are text, in the paper's spelling (see reports.reading.knobs).

    rows: knob columns, seed, metric, value (float), run; one row per run, seed and metric, as collected.
    measured: the same without the metric `diverged`: a run that diverged has NaN for what it would have measured.
    paper: knob columns, metric, value (text, verbatim), number (float, NaN where the paper prints words),
        unit, confidence, note.
    arrays: panels and histograms by "<run>/<name>".
    missing: ids of runs that the plan names and that left no result.
    judged: what was tested on all this; None before it was.
    curves: how each training went, see reports.reading.learning_curves; empty where nothing recorded it.
    """

    exhibit: Declaration
    rows: pd.DataFrame
    measured: pd.DataFrame
    paper: pd.DataFrame
    arrays: Mapping[str, np.ndarray]
    missing: tuple[str, ...]
    provenance: Provenance
    judged: Judged | None = None
    curves: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def knobs(self) -> list[str]:
        """The columns that tell one cell from another."""
        return [column for column in self.measured.columns if column not in COLUMNS]


def load(exhibit: str, scale: str, folders: Folders) -> Evidence:
    """Read everything about `exhibit` at `scale`. UserError if a file is absent or does not hold what it should."""
    declaration = load_declaration(folders.params / "exhibits" / f"{exhibit}.yaml", scale)
    folder = folders.tidy(exhibit, scale)
    with mended_by(folders.mend(exhibit, scale)):
        tidy = load_collected(folder, exhibit, scale, declaration.knobs)
        arrays, curves = load_arrays(folder / "arrays.npz"), load_curves(folder / "curves.csv")
    return replace(gather(declaration, tidy, arrays, folders.params), curves=curves)


def gather(declaration: Declaration, tidy: Tidy, arrays: Mapping[str, np.ndarray], params: Path) -> Evidence:
    """The evidence of an exhibit: its tidy results with the paper's values beside them."""
    return Evidence(
        exhibit=declaration,
        rows=tidy.rows,
        measured=_measured(tidy.rows, declaration.metrics),
        paper=load_paper(params / "paper" / f"{declaration.id}.csv", declaration.knobs),
        arrays=arrays,
        missing=tuple(tidy.provenance["missing"]),
        provenance=tidy.provenance,
    )


def _measured(rows: pd.DataFrame, declared: tuple[str, ...]) -> pd.DataFrame:
    """The rows, and NaN for what a diverged run would have measured: the metrics of its cell's other seeds, or all.

    What it had measured before it diverged, a pretraining whose evaluation did, stays.
    """
    measured = rows[rows["metric"] != DIVERGED]
    knobs = [name for name in rows.columns if name not in COLUMNS]
    added = []
    for _, row in rows[rows["metric"] == DIVERGED].iterrows():
        alike = measured[(measured[knobs] == row[knobs]).all(axis=1)]
        names = list(dict.fromkeys(alike["metric"])) or declared or list(dict.fromkeys(measured["metric"]))
        own = set(measured.loc[measured["run"] == row["run"], "metric"])
        added += [{**row, "metric": name, "value": math.nan} for name in names if name not in own]
    return (
        pd.concat([measured, pd.DataFrame(added)], ignore_index=True)
        if added
        else measured.reset_index(drop=True)
    )
