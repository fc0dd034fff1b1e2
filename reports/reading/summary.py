"""Our numbers beside the paper's: mean and spread over the seeds of each cell, looked up by its knobs."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from statistics import fmean
from typing import Any

import pandas as pd

from common.names import cell_name
from reports.reading.exhibit import Evidence
from reports.reading.knobs import canonical, in_order, sort_key
from reports.reading.notation import Measured


def summarize(measured: pd.DataFrame, knobs: list[str]) -> pd.DataFrame:
    """One row per cell and metric, ordered as `measured`: knobs, metric, n, mean, spread (NaN if n = 1), diverged.

    diverged: how many seeds diverged; n counts the others.
    """
    groups = measured.groupby([*knobs, "metric"], sort=False)["value"]
    summary = groups.agg(n="count", mean="mean", spread="std", diverged="size").reset_index()
    return summary.assign(diverged=summary["diverged"] - summary["n"])


def beside(evidence: Evidence) -> pd.DataFrame:
    """One row per cell that we or the paper have: knobs, metric, n, ours, spread, diverged seeds, the paper's."""
    ours = summarize(evidence.measured, evidence.knobs)
    keys = [column for column in ours.columns if column in evidence.paper.columns]
    both = ours.merge(evidence.paper, on=keys, how="outer", sort=False)
    return both.rename(columns={"value": "paper", "mean": "ours"}).drop(columns="number")


def cell_means(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """{cell: {metric: mean over seeds to 4 decimals}} of collected rows; a cell is called by its place in the grid."""
    values: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        values.setdefault(cell_name(row["run"]), {}).setdefault(row["metric"], []).append(row["value"])
    return {
        cell: {metric: round(fmean(of_seeds), 4) for metric, of_seeds in sorted(metrics.items())}
        for cell, metrics in sorted(values.items())
    }


class Lookup:
    """Cells by their knobs: `lookup.ours("top1", projection="linear", output_dim=32)`."""

    def __init__(self, evidence: Evidence):
        self.evidence = evidence

    @cached_property
    def _summaries(self) -> pd.DataFrame:
        return summarize(self.evidence.measured, self.evidence.knobs)

    def ours(self, name: str, **knobs: object) -> Measured | None:
        """Our mean, spread and n, or None if no run has measured this cell."""
        rows = _rows(self._summaries, name, knobs)
        if rows.empty:
            return None
        row = rows.iloc[0]
        spread = None if pd.isna(row.spread) else float(row.spread)
        return Measured(float(row["mean"]), spread, int(row.n), int(row.diverged))

    def paper(self, name: str, **knobs: object) -> str | None:
        """The paper's value as printed, or None if it has none."""
        rows = _rows(self.evidence.paper, name, knobs)
        return None if rows.empty else str(rows.iloc[0]["value"])

    def run(self, **knobs: object) -> str | None:
        """The first run of a cell, whose arrays are then "<run>/<name>"."""
        measured = self.evidence.measured
        rows = measured[_mask(measured, knobs)]
        return None if rows.empty else str(rows.iloc[0]["run"])


def values_of(frame: pd.DataFrame, knob: str) -> list[str]:
    """The distinct values of a knob: numbers by size, or, with a word among them, as they come."""
    return in_order(frame[knob]) if knob in frame else []


def settings(evidence: Evidence, knob: str, printed: Iterable[str] | None = None) -> list[str]:
    """Every value of a knob that the paper or we have, so that no edited value is left out of an exhibit.

    Numbers go by size; with a word among them the paper's go as printed, and then those that only we have.
    `printed` stands in for the paper's values where params/paper has none, as for a formula or a picture.
    """
    theirs = values_of(evidence.paper, knob) if printed is None else list(printed)
    return in_order([*theirs, *sorted(values_of(evidence.measured, knob), key=sort_key)])


def settings_together(evidence: Evidence, outer: str, inner: str) -> list[tuple[str, str]]:
    """The pairs of `settings` of two knobs that the paper or we have, grouped by the outer one."""
    frames = [frame for frame in (evidence.paper, evidence.measured) if {outer, inner} <= set(frame)]
    pairs = {pair for frame in frames for pair in zip(frame[outer], frame[inner], strict=True)}
    inners = settings(evidence, inner)
    return [(one, two) for one in settings(evidence, outer) for two in inners if (one, two) in pairs]


def _rows(frame: pd.DataFrame, name: str, knobs: dict[str, object]) -> pd.DataFrame:
    return frame[_mask(frame, {"metric": name, **knobs})]


def _mask(frame: pd.DataFrame, knobs: dict[str, object]) -> pd.Series:
    mask = pd.Series(True, index=frame.index)
    for knob, value in knobs.items():
        mask &= frame[knob] == canonical(str(value)) if knob in frame else False
    return mask
