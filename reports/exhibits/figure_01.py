"""Figure 1: linear evaluation of self-supervised methods by the number of parameters."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from reports.drawing.labels import Label, place_labels
from reports.drawing.sizes import draw_points, empty, explanation, measured_points, printed_points
from reports.drawing.style import MUTED, PALETTE, Drawing, like_paper, notes
from reports.reading.exhibit import Evidence

LOOK = {"SimCLR": ("*", PALETTE[5]), "supervised": ("X", MUTED), "literature": ("o", PALETTE[4])}
LIMITS, TICKS = (53, 79), (25, 50, 100, 200, 400, 626)


def draw(evidence: Evidence) -> Drawing:
    """Left what we ran. Right what was published: dots are other papers' numbers, stars SimCLR's."""
    ours, paper = measured_points(evidence), printed_points(evidence)
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 4.2), width_ratios=[2, 3])
    panels = {
        left: (ours, f"Ours ({evidence.exhibit.scale})", like_paper(list(ours["top1"]), LIMITS)),
        right: (paper, "Published (ImageNet), not ours", LIMITS),
    }
    labels = {axes: _panel(axes, *panel) for axes, panel in panels.items()}
    _ticks(right, TICKS)
    if not ours.empty:
        _ticks(left, sorted(set(ours["params"])))
    left.set_ylabel("Top-1 accuracy (%)")
    said = explanation(evidence, ours), "Hollow dots: numbers of other papers, none of them run here."
    drawing = notes(figure, evidence, *said)
    for axes, named in labels.items():
        place_labels(axes, named, size=6)
    return drawing


def _panel(axes: Axes, points: pd.DataFrame, title: str, limits: tuple[float, float]) -> list[Label]:
    axes.set(title=title, ylim=limits, xscale="log")
    if points.empty:
        empty(axes)
        return []
    series = points["method"].map(_series)
    names = points["method"].where(series != "supervised", "Supervised")
    drawn = draw_points(axes, points.assign(series=series, line=series, name=names), LOOK, ["literature"])
    axes.set(xlim=(points["params"].min() / 1.5, points["params"].max() * 2), ylabel="")
    axes.set_xlabel("Number of parameters (millions)")
    return drawn


def _series(method: str) -> str:
    first = method.partition(" ")[0].lower()
    return {"simclr": "SimCLR", "supervised": "supervised"}.get(first, "literature")


def _ticks(axes: Axes, values: tuple[float, ...] | list[float]) -> None:
    """Labels at the sizes themselves, as in the paper, and none at powers of ten."""
    axes.xaxis.set(major_locator=FixedLocator(list(values)), minor_locator=NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.3g}")
