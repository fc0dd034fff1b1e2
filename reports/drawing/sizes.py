"""Accuracy against the number of parameters: what Figures 1 and 7 share."""

import math
from collections.abc import Mapping, Sequence

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from reports.drawing.labels import Label
from reports.drawing.style import INK, MUTED, draw_spread
from reports.reading.exhibit import Evidence
from reports.reading.paper import knobs_of
from reports.reading.summary import summarize

Look = Mapping[str, tuple[str, str]]  # of a series: its marker and its colour


def measured_points(evidence: Evidence) -> pd.DataFrame:
    """One row per cell of ours: its knobs, params (millions), top1 (%), spread (NaN for one seed), diverged (seeds)."""
    cells = summarize(evidence.measured, evidence.knobs)
    return _points(cells.rename(columns={"mean": "number"}), evidence.knobs)


def printed_points(evidence: Evidence) -> pd.DataFrame:
    """The same of the paper's values, without spread."""
    return _points(evidence.paper.assign(spread=math.nan, diverged=0), knobs_of(evidence.paper))


def _points(cells: pd.DataFrame, knobs: Sequence[str]) -> pd.DataFrame:
    """Cells that have both metrics, as wide rows, in the order in which they come."""
    params, top1 = (cells[cells["metric"] == name] for name in ("params", "top1"))
    both = top1[[*knobs, "number", "spread", "diverged"]].rename(columns={"number": "top1"})
    both = both.merge(params[[*knobs, "number"]].rename(columns={"number": "params"}), on=list(knobs))
    return both[both["top1"].notna()].reset_index(drop=True)


def draw_points(axes: Axes, points: pd.DataFrame, look: Look, unjoined: Sequence[str] = ()) -> list[Label]:
    """The points by size, with columns `series`, `line` (which of a series are joined) and `name`; their labels.

    Spread is an error bar; a cross on a point tells that a seed of it diverged. Points of an `unjoined` series are
    hollow, and no line joins them.
    """
    order = [name for name in look if name in set(points["series"])]
    markers, colors = ({name: look[name][place] for name in order} for place in (0, 1))
    where = {"x": "params", "y": "top1", "hue": "series", "hue_order": order, "palette": colors, "ax": axes}
    joined, alone = points[~points["series"].isin(unjoined)], points[points["series"].isin(unjoined)]
    if len(alone):
        sns.scatterplot(
            alone, **where, style="series", markers=markers, s=22, facecolor="white", legend=False
        )
        axes.collections[-1].set(facecolor="white", edgecolor=[colors[name] for name in alone["series"]])
    if len(joined):
        lines = {"style": "series", "markers": markers, "dashes": False, "units": "line", "estimator": None}
        sns.lineplot(
            joined, **where, **lines, linewidth=0.9, markersize=8, markeredgecolor="auto", legend=False
        )
    for name in order:
        some, line = points[points["series"] == name], "none" if name in unjoined else "-"
        draw_spread(axes, some["params"], some["top1"], some["spread"], colors[name])
        face = "white" if name in unjoined else colors[name]
        axes.plot(
            [], [], markers[name], linestyle=line, color=colors[name], mfc=face, label=name, linewidth=0.9
        )
    lost = points[points["diverged"] > 0]
    axes.plot(lost["params"], lost["top1"], "x", color=INK, markersize=5, zorder=4)
    axes.legend()
    return [
        Label(row["name"], row["params"], row["top1"], MUTED if row["series"] in unjoined else "")
        for _, row in points.iterrows()
    ]


def empty(axes: Axes) -> None:
    """Say in the middle of a panel that it has no point."""
    axes.text(0.5, 0.5, "no values", transform=axes.transAxes, ha="center", color=MUTED)


def explanation(evidence: Evidence, points: pd.DataFrame) -> str:
    """The note that both figures carry."""
    spread = " Error bars: standard deviation over seeds." if points["spread"].notna().any() else ""
    lost = " Crosses on points: a seed diverged, and the others count." if points["diverged"].any() else ""
    return (
        f"Ours: data set {evidence.provenance.get('dataset', 'not stated')}; parameters are the encoder's. "
        f"The axes of the two panels differ.{spread}{lost}"
    )
