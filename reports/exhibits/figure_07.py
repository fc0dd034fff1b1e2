"""Figure 7: linear evaluation by depth and width, over the number of parameters."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from reports.drawing.labels import Label, place_labels
from reports.drawing.sizes import draw_points, empty, explanation, measured_points, printed_points
from reports.drawing.style import PALETTE, Drawing, like_paper, notes
from reports.reading.exhibit import Evidence
from reports.reading.knobs import sort_key

SHORT, LONG, SUPERVISED = ("o", PALETTE[4]), ("*", PALETTE[5]), ("X", PALETTE[2])
LIMITS = (50, 80)


def draw(evidence: Evidence) -> Drawing:
    """Blue dots: the shortest pretraining, joined by depth. Red stars: longer. Green crosses: with labels."""
    ours, paper = measured_points(evidence), printed_points(evidence)
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 4.1))
    labels = {
        left: _panel(left, ours, f"Ours ({evidence.exhibit.scale})", like_paper(list(ours["top1"]), LIMITS)),
        right: _panel(right, paper, "Paper (ImageNet)", LIMITS),
    }
    left.set_ylabel("Top-1 accuracy (%)")
    drawing = notes(figure, evidence, explanation(evidence, ours))
    for axes, named in labels.items():
        place_labels(axes, named)
    return drawing


def _panel(axes: Axes, points: pd.DataFrame, title: str, limits: tuple[float, float]) -> list[Label]:
    axes.set(title=title, ylim=limits)
    if points.empty:
        empty(axes)
        return []
    look, series = {}, pd.Series("", index=points.index)
    for supervised, word in ((False, "SimCLR"), (True, "supervised")):
        some = points["training"].eq("supervised") == supervised
        for place, length in enumerate(sorted(set(points.loc[some, "epochs"]), key=sort_key)):
            name = f"{word}, {_epochs(length)}"
            look[name] = SUPERVISED if supervised else LONG if place else SHORT
            series[some & (points["epochs"] == length)] = name
    line = series.where(points["training"] == "supervised", series + points["depth"])
    names = [_name(point, look[name]) for (_, point), name in zip(points.iterrows(), series, strict=True)]
    drawn = draw_points(axes, points.assign(series=series, line=line, name=names), look)
    axes.set(xlim=(0, 1.2 * points["params"].max()), xlabel="Number of parameters (millions)", ylabel="")
    return drawn


def _epochs(length: str) -> str:
    return f"{length} epoch" + "s" * (length != "1")


def _name(point: pd.Series, look: tuple[str, str]) -> str:
    network = f"R{point['depth']}" + (f"({point['width']}x)" if point["width"] != "1" else "")
    return f"Sup. {network}" if look == SUPERVISED else network + "*" * (look == LONG)
