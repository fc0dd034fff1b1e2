"""Figure 1: linear evaluation of self-supervised methods by the number of parameters."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from reports.drawing.sizes import Mark, draw_points, empty, explanations, measured_points, printed_points
from reports.drawing.style import INK, MUTED, PALETTE, Drawing, like_paper, notes
from reports.reading.exhibit import Evidence

LITERATURE = Mark("o", PALETTE[4], above=True, size=4, filled=False, tint=MUTED)
SIMCLR = Mark("*", PALETTE[5], line=":", size=10, tint=INK)
SUPERVISED = Mark("x", MUTED, above=True, size=7, tint=INK)
LIMITS, TICKS = (53, 79), (25, 50, 100, 200, 400, 626)


def draw(evidence: Evidence) -> Drawing:
    """Left what we ran. Right what was published: dots are other papers' numbers, stars SimCLR's."""
    ours, paper = measured_points(evidence), printed_points(evidence)
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 4.2), width_ratios=[2, 3])
    _panel(left, ours, f"Ours ({evidence.exhibit.scale})", like_paper(list(ours["top1"]), LIMITS))
    _panel(right, paper, "Published (ImageNet), not ours", LIMITS)
    _ticks(right, TICKS)
    if not ours.empty:
        _ticks(left, sorted(set(ours["params"])))
    left.set_ylabel("Top-1 accuracy (%)")
    return notes(
        figure,
        evidence,
        *explanations(evidence, ours),
        "Hollow dots: numbers of other papers, none of them run here.",
    )


def _panel(axes: Axes, points: pd.DataFrame, title: str, limits: tuple[float, float]) -> None:
    axes.set(title=title, xlabel="Number of parameters (millions)", ylim=limits, xscale="log")
    if points.empty:
        return empty(axes)
    simclr, supervised = (points["method"].str.startswith(name) for name in ("SimCLR", "Supervised"))
    draw_points(axes, points[~simclr & ~supervised], LITERATURE, "literature", lambda point: point["method"])
    draw_points(axes, points[simclr], SIMCLR, "SimCLR", lambda point: point["method"])
    draw_points(axes, points[supervised], SUPERVISED, "supervised", lambda point: "Supervised")
    axes.set_xlim(points["params"].min() / 1.5, points["params"].max() * 2)
    axes.legend()


def _ticks(axes: Axes, values: tuple[float, ...] | list[float]) -> None:
    """Labels at the sizes themselves, as in the paper, and none at powers of ten."""
    axes.xaxis.set(major_locator=FixedLocator(list(values)), minor_locator=NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.3g}")
