"""Figure 3: what two random crops ask of the encoder; their geometry on one real image."""

from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from reports.drawing.style import INK, PALETTE, Drawing, notes
from reports.reading.exhibit import Evidence
from reports.reading.summary import Lookup

Point = tuple[float, float]


@dataclass(frozen=True)
class Task:
    """Two crops (left, bottom, width, height as fractions of the image) and an arrow between them."""

    title: str
    crops: dict[str, tuple[float, float, float, float]]
    arrow: tuple[Point, Point]


TASKS = (
    Task(
        title="(a) Global and local views",
        crops={"A": (0.52, 0.28, 0.26, 0.24), "B": (0.12, 0.1, 0.76, 0.78)},
        arrow=((0.22, 0.62), (0.515, 0.43)),
    ),
    Task(
        title="(b) Adjacent views",
        crops={"C": (0.08, 0.42, 0.38, 0.46), "D": (0.54, 0.12, 0.38, 0.4)},
        arrow=((0.62, 0.32), (0.34, 0.54)),
    ),
)


def draw(evidence: Evidence) -> Drawing:
    """Solid: the image. Dashed: its crops. Arrows: from which view another is predicted (B to A, D to C)."""
    picture = evidence.arrays.get(f"{Lookup(evidence).run()}/image")
    figure, panels = plt.subplots(1, 2, figsize=(6.4, 3.4))
    for axes, task in zip(panels, TASKS, strict=True):
        _panel(axes, task, picture)
    return notes(
        figure,
        evidence,
        "Solid: the image. Dashed: random crops of it. Arrow: from one view, predict the other.",
    )


def _panel(axes: Axes, task: Task, picture: np.ndarray | None) -> None:
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal", title=task.title)
    axes.axis("off")
    if picture is not None:
        axes.imshow(picture, extent=(0, 1, 0, 1), interpolation="none", alpha=0.45)  # lines must stand out
    axes.add_patch(plt.Rectangle((0, 0), 1, 1, fill=False, edgecolor=INK, linewidth=1.6))
    for color, (name, crop) in zip((PALETTE[5], PALETTE[4]), task.crops.items(), strict=True):
        left, bottom, width, height = crop
        dashed = {"linestyle": (0, (5, 3)), "linewidth": 1.6, "edgecolor": color}
        axes.add_patch(plt.Rectangle((left, bottom), width, height, fill=False, **dashed))
        axes.text(left + 0.03, bottom + height - 0.03, name, ha="left", va="top", fontsize=12, color=color)
    start, end = task.arrow
    axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 1.2})
