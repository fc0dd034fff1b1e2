"""Linear evaluation against fine-tuning: what Figures B.5 and B.6 share."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.evidence import Evidence
from reports.style import INK, MUTED, PALETTE, blank, notes
from reports.summary import settings, summarize

LINEAR = "linear eval"
LEAST = 3  # points that a correlation is said of: two are always on a line
MARKERS = "os^Dvp"
LABEL = {
    "xytext": (4, -4),
    "textcoords": "offset points",
    "va": "top",
    "fontsize": 6.5,
    "bbox": {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.4},  # readable on a line
}
Name = Callable[[str], str]


class Fit(NamedTuple):
    """The correlation of n points, and the slope of their least squares line; NaN where they are not defined."""

    correlation: float
    slope: float
    intercept: float
    n: int


def draw_agreement(
    evidence: Evidence, knob: str, point: Name, series: Name = lambda value: "", printed: str = ""
) -> Figure:
    """A panel per share of labels: top-1 after fine-tuning over that of linear evaluation.

    A dot is a value of `knob`, written `point(value)`; those of one `series(value)` are joined. The paper's points,
    where it printed both coordinates, are crosses at scale paper; at others they would lie far outside. `printed`
    says of which training they are.
    """
    fractions = [name for name in settings(evidence, "label_fraction") if name != LINEAR]
    ours = summarize(evidence.measured, evidence.knobs)
    paper = evidence.paper.rename(columns={"number": "mean"}).assign(spread=math.nan)
    figure, panels = plt.subplots(1, len(fractions), figsize=(7.4, 3.9), squeeze=False)
    for axes, fraction in zip(panels[0], fractions, strict=True):
        points = pairs(ours, knob, fraction)
        axes.set(xlabel="Linear evaluation, top-1 (%)")
        axes.set_title(f"Fine-tuned on {fraction} of labels\n{_said(fit(points))}")
        _panel(axes, points, point, series)
        if evidence.exhibit.scale == "paper":
            _crosses(axes, pairs(paper, knob, fraction))
    panels[0, 0].set_ylabel("After fine-tuning, top-1 (%)")
    theirs = {fraction: pairs(paper, knob, fraction) for fraction in fractions}
    notes(figure, evidence, *_explanations(evidence, ours), *_in_words(theirs, point, printed))
    return figure


def pairs(cells: pd.DataFrame, knob: str, fraction: str) -> pd.DataFrame:
    """Rows knob, x, y and their spreads, of every value that has both accuracies, in the order in which they come."""
    top1 = cells[cells["metric"] == "top1"]
    columns = [knob, "mean", "spread"]
    x, y = (top1.loc[top1["label_fraction"] == name, columns] for name in (LINEAR, fraction))
    return x.merge(y, on=knob, suffixes=("_x", "_y")).rename(columns={"mean_x": "x", "mean_y": "y"})


def fit(points: pd.DataFrame) -> Fit:
    """Pearson's r and the line of points with columns x and y; NaN of fewer than LEAST, or of equal ones."""
    x, y = points["x"].to_numpy(float), points["y"].to_numpy(float)
    if len(x) < LEAST or np.ptp(x) == 0 or np.ptp(y) == 0:
        return Fit(math.nan, math.nan, math.nan, len(x))
    dx, dy = x - x.mean(), y - y.mean()
    slope = float(dx @ dy / (dx @ dx))
    correlation = float(dx @ dy / math.sqrt((dx @ dx) * (dy @ dy)))
    return Fit(correlation, slope, float(y.mean() - slope * x.mean()), len(x))


def _panel(axes: Axes, points: pd.DataFrame, point: Name, series: Name) -> None:
    if points.empty:
        return blank(axes, "no values")
    axes.margins(0.2, 0.16)
    axes.grid(True, axis="both")
    names = [series(value) for value in points.iloc[:, 0]]
    for place, name in enumerate(dict.fromkeys(names)):
        some = points[[other == name for other in names]]
        look = {"color": PALETTE[(place + 4) % len(PALETTE)], "marker": MARKERS[place % len(MARKERS)]}
        axes.errorbar(
            some["x"],
            some["y"],
            some["spread_y"],
            some["spread_x"],
            linewidth=0.9,
            elinewidth=0.7,
            capsize=2,
            **look,
        )
        for value, x, y in zip(some.iloc[:, 0], some["x"], some["y"], strict=True):
            axes.annotate(point(value), (x, y), **LABEL)
    _draw_line(axes, points)


def _said(found: Fit) -> str:
    if math.isnan(found.correlation):
        return f"r is not defined ({found.n} points)"
    return f"r = {found.correlation:.3f}, slope {found.slope:.2f} ({found.n} points)"


def _draw_line(axes: Axes, points: pd.DataFrame) -> None:
    found, ends = fit(points), np.array([points["x"].min(), points["x"].max()])
    if not math.isnan(found.slope):
        line = found.intercept + found.slope * ends
        axes.plot(ends, line, color=MUTED, linewidth=0.8, linestyle="--", zorder=1)


def _crosses(axes: Axes, points: pd.DataFrame) -> None:
    axes.plot(points["x"], points["y"], "x", color=INK, markersize=6, label="paper")
    if len(points):
        axes.legend(loc="lower right")


def _explanations(evidence: Evidence, ours: pd.DataFrame) -> Iterator[str]:
    yield (
        f"Ours: data set {evidence.provenance.get('dataset', 'not stated')}. r: Pearson's correlation over the points, "
        "means over seeds; dashed: least squares. The two vertical axes differ."
    )
    if (ours["n"] > 1).any():
        yield "Error bars: standard deviation over seeds."


def _in_words(theirs: dict[str, pd.DataFrame], point: Name, printed: str) -> Iterator[str]:
    """The paper's points, known from its tables only, and their correlation where there are enough of them."""
    for fraction, points in theirs.items():
        listed = [
            f"{point(value)} {x:.1f} / {y:.1f}"
            for value, x, y in zip(points.iloc[:, 0], points["x"], points["y"], strict=True)
        ]
        r = fit(points).correlation
        said = "" if math.isnan(r) else f"; r = {r:.3f}"
        yield f"Paper's tables{printed}, linear / fine-tuned on {fraction}: {', '.join(listed)}{said}."
