"""Accuracy against the number of parameters: what Figures 1 and 7 share."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes

from reports.drawing.style import INK, MUTED
from reports.reading.exhibit import Evidence
from reports.reading.summary import summarize


@dataclass(frozen=True)
class Mark:
    """How a kind of point is drawn: marker, colour, the line that joins its points, where its labels stand."""

    marker: str
    color: str
    line: str = "none"
    above: bool = False
    size: float = 5
    filled: bool = True
    tint: str = INK  # of the labels


def measured_points(evidence: Evidence) -> pd.DataFrame:
    """One row per cell of ours: its knobs, params (millions), top1 (%) and spread (NaN for one seed)."""
    cells = summarize(evidence.measured, evidence.knobs)
    return _points(cells.rename(columns={"mean": "number"}), evidence.knobs)


def printed_points(evidence: Evidence) -> pd.DataFrame:
    """The same of the paper's values, without spread."""
    knobs = list(evidence.paper.columns[: evidence.paper.columns.get_loc("metric")])
    return _points(evidence.paper.assign(spread=math.nan), knobs)


def _points(cells: pd.DataFrame, knobs: Sequence[str]) -> pd.DataFrame:
    """Cells that have both metrics, as wide rows, in the order in which they come."""
    params, top1 = (cells[cells["metric"] == name] for name in ("params", "top1"))
    both = top1[[*knobs, "number", "spread"]].rename(columns={"number": "top1"})
    return both.merge(params[[*knobs, "number"]].rename(columns={"number": "params"}), on=list(knobs))


def draw_points(
    axes: Axes, points: pd.DataFrame, mark: Mark, label: str, name: Callable[[pd.Series], str]
) -> None:
    """One series, joined in the order of its sizes, every point with its name; spread as an error bar.

    The panel must have its limits: they decide which labels would collide.
    """
    if points.empty:
        return
    points = points.sort_values("params", kind="stable")
    face = mark.color if mark.filled else "white"
    look = {"color": mark.color, "markerfacecolor": face, "markersize": mark.size, "linewidth": 0.9}
    axes.plot(points["params"], points["top1"], marker=mark.marker, linestyle=mark.line, label=label, **look)
    errors = {"fmt": "none", "ecolor": mark.color, "elinewidth": 0.8, "capsize": 2}
    axes.errorbar(points["params"], points["top1"], yerr=points["spread"], **errors)
    for _, point in points.iterrows():
        place = (
            {"xytext": (3, -5), "va": "top"} if _beneath(axes, point, points, mark) else {"xytext": (-3, 5)}
        )
        look = {"fontsize": 6, "color": mark.tint, "textcoords": "offset points"}
        axes.annotate(name(point), (point["params"], point["top1"]), **look, **place)


def _beneath(axes: Axes, point: pd.Series, points: pd.DataFrame, mark: Mark) -> bool:
    """Whether a label stands under its point: as its mark says, unless it would lie on the axis or on a point."""
    low, high = axes.get_ylim()
    room = 0.05 * (high - low)
    height, size = points["top1"] - point["top1"], points["params"] / point["params"]
    crowded = ((height > 0) & (height < room) & size.between(0.8, 1.25)).any()
    return bool(crowded or (not mark.above and point["top1"] - low > room))


def empty(axes: Axes) -> None:
    """Say in the middle of a panel that it has no point."""
    axes.text(0.5, 0.5, "no values", transform=axes.transAxes, ha="center", color=MUTED)


def explanations(evidence: Evidence, points: pd.DataFrame) -> Iterator[str]:
    """The notes that both figures carry."""
    yield (
        f"Ours: data set {evidence.provenance.get('dataset', 'not stated')}; parameters are the encoder's. "
        "The axes of the two panels differ."
    )
    if points["spread"].notna().any():
        yield "Error bars: standard deviation over seeds."
