"""Linear evaluation against fine-tuning: what Figures B.5 and B.6 share."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from reports.drawing.labels import Label, place_labels
from reports.drawing.style import INK, MUTED, PALETTE, Drawing, blank, draw_spread, mark_diverged, notes
from reports.reading.exhibit import Evidence
from reports.reading.summary import settings, summarize

LINEAR = "linear eval"
LEAST = 3  # points that a correlation is said of: two are always on a line
MARKERS = "os^Dvp"
Name = Callable[[str], str]


class Fit(NamedTuple):
    """The correlation of n points, and the slope of their least squares line; NaN where they are not defined."""

    correlation: float
    slope: float
    intercept: float
    n: int


@dataclass(frozen=True)
class Points:
    """The points of a figure: one per value of `knob`.

    name, label: a value in words and beside its dot. series: which points are joined, "" for all of them.
    printed, alone: the paper's tables that have both accuracies of some values, and linear evaluation alone of others.
    """

    knob: str
    name: Name
    label: Name
    series: Name = lambda value: ""
    printed: str = "Tables 6 and B.4, 1000 epochs"
    alone: str = ""


def draw_agreement(evidence: Evidence, shown: Points) -> Drawing:
    """A panel per share of labels: top-1 after fine-tuning over that of linear evaluation.

    The paper's plot could not be seen. What its tables say of the same settings stands at scale paper, as crosses, and
    as marks on the axis where they have linear evaluation alone; at other scales it would lie far outside.
    """
    fractions = [name for name in settings(evidence, "label_fraction") if name != LINEAR]
    ours = summarize(evidence.measured, evidence.knobs)
    paper = evidence.paper.rename(columns={"number": "mean"}).assign(spread=math.nan)
    figure, panels = plt.subplots(1, len(fractions), figsize=(7.4, 3.9), squeeze=False)
    labels = []
    for axes, fraction in zip(panels[0], fractions, strict=True):
        points = pairs(ours, shown.knob, fraction)
        labels.append(_panel(axes, points, shown))
        axes.set(xlabel="Linear evaluation, top-1 (%)", ylabel="")
        axes.set_title(f"Fine-tuned on {fraction} of labels\n{_said(fit(points))}")
        if evidence.exhibit.scale == "paper":
            _draw_printed(axes, pairs(paper, shown.knob, fraction), _alone(paper, shown.knob), shown)
        if any(axes.get_legend_handles_labels()[1]):
            axes.legend(fontsize=7)
    panels[0, 0].set_ylabel("After fine-tuning, top-1 (%)")
    theirs = {fraction: pairs(paper, shown.knob, fraction) for fraction in fractions}
    said = [*_explanations(evidence, ours), *_in_words(theirs, _alone(paper, shown.knob), shown)]
    drawing = notes(figure, evidence, *said)
    for axes, named in zip(panels[0], labels, strict=True):
        place_labels(axes, named)
    return drawing


def pairs(cells: pd.DataFrame, knob: str, fraction: str) -> pd.DataFrame:
    """Rows knob, x, y and their spreads, of every value that has both accuracies, in the order in which they come."""
    top1 = cells[cells["metric"] == "top1"]
    columns = [knob, "mean", "spread"]
    x, y = (top1.loc[top1["label_fraction"] == name, columns] for name in (LINEAR, fraction))
    return x.merge(y, on=knob, suffixes=("_x", "_y")).rename(columns={"mean_x": "x", "mean_y": "y"})


def fit(points: pd.DataFrame) -> Fit:
    """Pearson's r and the line of points with columns x and y; NaN of fewer than LEAST, or of equal ones.

    Points that lack a value, because its trainings diverged, do not count.
    """
    points = points.dropna(subset=["x", "y"])
    x, y = points["x"].to_numpy(float), points["y"].to_numpy(float)
    if len(x) < LEAST or np.ptp(x) == 0 or np.ptp(y) == 0:
        return Fit(math.nan, math.nan, math.nan, len(x))
    dx, dy = x - x.mean(), y - y.mean()
    slope = float(dx @ dy / (dx @ dx))
    correlation = float(dx @ dy / math.sqrt((dx @ dx) * (dy @ dy)))
    return Fit(correlation, slope, float(y.mean() - slope * x.mean()), len(x))


def _panel(axes: Axes, points: pd.DataFrame, shown: Points) -> list[Label]:
    if points.empty:
        blank(axes, "no values")
        return []
    axes.margins(0.2, 0.16)
    axes.grid(True, axis="both")
    lost, points = points[points["y"].isna()], points.dropna(subset=["x", "y"])
    for x in lost["x"].dropna():
        mark_diverged(axes, x)
    points = points.assign(series=points[shown.knob].map(shown.series))
    names = sorted(set(points["series"]), key=lambda name: (len(name), name))
    colors = {name: PALETTE[(place + 4) % len(PALETTE)] for place, name in enumerate(names)}
    look = {"hue": "series", "style": "series", "hue_order": names, "style_order": names, "palette": colors}
    look |= {"markers": [*MARKERS[: len(names)]], "dashes": False, "sort": False, "estimator": None}
    lines = {"markersize": 5, "linewidth": 0.9, "markeredgecolor": "auto", "legend": len(names) > 1}
    sns.lineplot(points, x="x", y="y", **look, **lines, ax=axes)
    for name, some in points.groupby("series"):
        draw_spread(axes, some["x"], some["y"], some["spread_y"], colors[name])
        draw_spread(axes, some["x"], some["y"], some["spread_x"], colors[name], across=True)
    _draw_line(axes, points)
    return [Label(shown.label(row[shown.knob]), row["x"], row["y"]) for _, row in points.iterrows()]


def _said(found: Fit) -> str:
    if math.isnan(found.correlation):
        return f"r is not defined ({found.n} points)"
    return f"r = {found.correlation:.3f}, slope {found.slope:.2f} ({found.n} points)"


def _draw_line(axes: Axes, points: pd.DataFrame) -> None:
    found, ends = fit(points), np.array([points["x"].min(), points["x"].max()])
    if not math.isnan(found.slope):
        line = found.intercept + found.slope * ends
        axes.plot(ends, line, color=MUTED, linewidth=0.8, linestyle="--", zorder=1)


def _alone(paper: pd.DataFrame, knob: str) -> pd.DataFrame:
    """The paper's rows of linear evaluation at settings of which it prints no fine-tuning."""
    linear = paper["label_fraction"] == LINEAR
    return paper[linear & ~paper[knob].isin(paper.loc[~linear, knob])]


def _draw_printed(axes: Axes, points: pd.DataFrame, alone: pd.DataFrame, shown: Points) -> None:
    if len(points):
        axes.plot(points["x"], points["y"], "x", color=INK, markersize=6, label=shown.printed)
    if len(alone):
        bottom = axes.get_xaxis_transform()
        look = {"color": INK, "markersize": 7, "label": f"linear evaluation alone, {shown.alone}"}
        axes.plot(alone["mean"], [0.02] * len(alone), "|", transform=bottom, **look)


def _explanations(evidence: Evidence, ours: pd.DataFrame) -> Iterator[str]:
    yield (
        f"Ours: data set {evidence.provenance.get('dataset', 'not stated')}. r: Pearson's correlation over the points, "
        "means over seeds; dashed: least squares. The two vertical axes differ."
    )
    if (ours["n"] > 1).any():
        yield "Error bars: standard deviation over seeds."


def _in_words(theirs: Mapping[str, pd.DataFrame], alone: pd.DataFrame, shown: Points) -> Iterator[str]:
    """What the paper's tables say, with a correlation where there are enough points."""
    yield (
        "We have the paper's text and tables and could not see this plot; whether its points are among what the tables "
        "have is not known."
    )
    for fraction, points in theirs.items():
        places = zip(points[shown.knob], points["x"], points["y"], strict=True)
        listed = ", ".join(f"{shown.name(value)} {x:.1f} / {y:.1f}" for value, x, y in places)
        r = fit(points).correlation
        said = "" if math.isnan(r) else f"; r = {r:.3f}"
        yield f"{shown.printed}, linear / fine-tuned on {fraction}: {listed}{said}."
    if len(alone):
        listed = ", ".join(f"{shown.name(row[shown.knob])} {row['mean']:.1f}" for _, row in alone.iterrows())
        yield f"{shown.alone}, linear evaluation alone: {listed}."
