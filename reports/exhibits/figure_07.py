"""Figure 7: linear evaluation by depth and width, over the number of parameters."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from reports.drawing.sizes import Mark, draw_points, empty, explanations, measured_points, printed_points
from reports.drawing.style import PALETTE, Drawing, like_paper, notes
from reports.reading.exhibit import Evidence
from reports.reading.knobs import sort_key

SHORT = Mark("o", PALETTE[4], line="-")
LONG = Mark("*", PALETTE[5], line="-", size=9)
SUPERVISED = Mark("x", PALETTE[2], line="-", above=True, size=6)
LIMITS = (50, 80)


def draw(evidence: Evidence) -> Drawing:
    """Blue dots: the shortest pretraining, joined by depth. Red stars: longer. Green crosses: with labels."""
    ours, paper = measured_points(evidence), printed_points(evidence)
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.9))
    _panel(left, ours, f"Ours ({evidence.exhibit.scale})", like_paper(list(ours["top1"]), LIMITS))
    _panel(right, paper, "Paper (ImageNet)", LIMITS)
    left.set_ylabel("Top-1 accuracy (%)")
    return notes(figure, evidence, *explanations(evidence, ours))


def _panel(axes: Axes, points: pd.DataFrame, title: str, limits: tuple[float, float]) -> None:
    axes.set(title=title, xlabel="Number of parameters (millions)", ylim=limits)
    if points.empty:
        return empty(axes)
    axes.set_xlim(0, 1.2 * points["params"].max())
    supervised = points["training"] == "supervised"
    for place, (length, some) in enumerate(_by_length(points[~supervised])):
        mark, star = (LONG, "*") if place else (SHORT, "")
        for depth, joined in some.groupby("depth", sort=False):
            label = f"SimCLR, {_epochs(length)}" if depth == some["depth"].iloc[0] else "_"
            draw_points(axes, joined, mark, label, lambda point, star=star: _name(point) + star)
    for length, some in _by_length(points[supervised]):
        label = f"supervised, {_epochs(length)}"
        draw_points(axes, some, SUPERVISED, label, lambda point: f"Sup. {_name(point)}")
    axes.legend()


def _by_length(points: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The points of each training length, shortest first."""
    lengths = sorted(set(points["epochs"]), key=sort_key)
    return [(length, points[points["epochs"] == length]) for length in lengths]


def _epochs(length: str) -> str:
    return f"{length} epoch" + "s" * (length != "1")


def _name(point: pd.Series) -> str:
    return f"R{point['depth']}" + (f"({point['width']}x)" if point["width"] != "1" else "")
