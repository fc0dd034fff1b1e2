"""Ours beside the paper's: mean and spread over seeds per cell, found by the knobs."""

from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

import pandas as pd

from reports.evidence import Evidence, canonical, sort_key


class Measured(NamedTuple):
    """A mean over n seeds; spread is their standard deviation (with n - 1), None for one seed."""

    mean: float
    spread: float | None
    n: int


class Metric(NamedTuple):
    """How a metric is written: its label, its unit, and the format of one number."""

    label: str
    unit: str
    format: str = ".1f"


METRICS = {
    "top1": Metric("Top-1 accuracy", "%"),
    "top5": Metric("Top-5 accuracy", "%"),
    "knn_top1": Metric("kNN top-1", "%"),
    "online_top1": Metric("On-line top-1 accuracy", "%"),
    "accuracy": Metric("Accuracy", "%"),
    "params": Metric("Parameters", "M", ".3g"),
    "mean_per_class": Metric("mean per class", "%"),
    "map11": Metric("11-point mAP", "%"),
    "contrastive_accuracy": Metric("Contrastive accuracy", "%"),
    "entropy": Metric("Entropy", "nat"),
    "max_error": Metric("Largest difference", "", ".1e"),
    "cases": Metric("Cases", "", ".0f"),
    "top2": Metric("Top-2 accuracy", "%"),
    "knn_accuracy": Metric("Nearest neighbour accuracy", "%"),
    "silhouette": Metric("Silhouette", "", ".3f"),
    "effective_rank": Metric("Effective rank", ""),
    "top5_share": Metric("Share of the largest 5 %", "%"),
}


def metric(name: str) -> Metric:
    """The notation of a metric; an unknown one is written by its own name, to four digits."""
    return METRICS.get(name, Metric(name.replace("_", " "), "", ".4g"))


def written(measured: Measured, name: str) -> str:
    """Mean and spread, for example 43.4 ± 0.5, or 43.4 of a single seed."""
    form = metric(name).format
    spread = "" if measured.spread is None else f" ± {measured.spread:{form}}"
    return f"{measured.mean:{form}}{spread}"


def summarize(measured: pd.DataFrame, knobs: list[str]) -> pd.DataFrame:
    """One row per cell and metric, ordered as `measured`: knobs, metric, n, mean, spread (NaN if n = 1)."""
    groups = measured.groupby([*knobs, "metric"], sort=False)["value"]
    return groups.agg(n="size", mean="mean", spread="std").reset_index()


def beside(evidence: Evidence) -> pd.DataFrame:
    """One row per cell that we or the paper have: knobs, metric, n, ours, spread, the paper's."""
    ours = summarize(evidence.measured, evidence.knobs)
    keys = [column for column in ours.columns if column in evidence.paper.columns]
    both = ours.merge(evidence.paper, on=keys, how="outer", sort=False)
    return both.rename(columns={"value": "paper", "mean": "ours"}).drop(columns="number")


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
        return Measured(float(row["mean"]), None if pd.isna(row.spread) else float(row.spread), int(row.n))

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
    return _in_order(frame[knob]) if knob in frame else []


def settings(evidence: Evidence, knob: str, printed: Iterable[str] | None = None) -> list[str]:
    """Every value of a knob that the paper or we have, so that no edited value is left out of an exhibit.

    Numbers go by size; with a word among them the paper's go as printed, and then those that only we have.
    `printed` stands in for the paper's values where params/paper has none, as for a formula or a picture.
    """
    theirs = values_of(evidence.paper, knob) if printed is None else list(printed)
    return _in_order([*theirs, *sorted(values_of(evidence.measured, knob), key=sort_key)])


def settings_together(evidence: Evidence, outer: str, inner: str) -> list[tuple[str, str]]:
    """The pairs of `settings` of two knobs that the paper or we have, grouped by the outer one."""
    frames = (evidence.paper, evidence.measured)
    pairs = {pair for frame in frames for pair in zip(frame[outer], frame[inner], strict=True)}
    inners = settings(evidence, inner)
    return [(one, two) for one in settings(evidence, outer) for two in inners if (one, two) in pairs]


def _in_order(values: Iterable[str]) -> list[str]:
    distinct = list(dict.fromkeys(values))
    has_word = any(sort_key(value)[0] for value in distinct)
    return distinct if has_word else sorted(distinct, key=sort_key)


def _rows(frame: pd.DataFrame, name: str, knobs: dict[str, object]) -> pd.DataFrame:
    return frame[_mask(frame, {"metric": name, **knobs})]


def _mask(frame: pd.DataFrame, knobs: dict[str, object]) -> pd.Series:
    mask = pd.Series(True, index=frame.index)
    for knob, value in knobs.items():
        mask &= frame[knob] == canonical(str(value)) if knob in frame else False
    return mask
