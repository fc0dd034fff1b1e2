"""Figure 2: the framework (Section 2.1, Algorithm 1), drawn around one image and two real views of it."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from reports.drawing.style import INK, MUTED, PALETTE, Drawing, notes
from reports.reading.exhibit import Evidence
from reports.reading.summary import Lookup

Point = tuple[float, float]
IMAGE: Point = (0.0, 0.0)
PICTURE, RADIUS = 0.38, 0.26  # half a picture's side, a node's radius


def draw(evidence: Evidence) -> Drawing:
    """One image at the bottom, two views left and right, agreement of their projections at the top."""
    run = Lookup(evidence).run()
    views = [*evidence.arrays.get(f"{run}/crops", ()), None, None]
    figure, axes = plt.subplots(figsize=(5.4, 4.8))
    axes.set(xlim=(-2.3, 2.3), ylim=(-0.55, 4.1), aspect="equal")
    axes.axis("off")
    for side, name, augmentation, view in ((-1, "i", "t", views[0]), (1, "j", r"t^{\prime}", views[1])):
        _branch(axes, side, name, augmentation, view)
    _image(axes, IMAGE, "$x$", evidence.arrays.get(f"{run}/original"), below=True)
    _arrow(axes, (-1.0, 3.7), (1.0, 3.7), style="<|-|>")
    axes.text(0, 3.8, "maximize agreement", ha="center", va="bottom", color=INK)
    axes.text(0, 2.45, "representation", ha="center", va="center", fontsize=8, color=MUTED)
    axes.text(0, 0.62, r"$t, t^{\prime} \sim \mathcal{T}$", ha="center", va="bottom", color=INK)
    return notes(figure, evidence)


def _branch(axes: Axes, side: int, name: str, augmentation: str, picture: np.ndarray | None) -> None:
    view, representation, projection = (side, 1.15), (side, 2.45), (side, 3.7)
    _arrow(axes, IMAGE, view, f"${augmentation}$", dashed=True)
    _arrow(axes, view, representation, r"$f(\cdot)$  encoder")
    _arrow(axes, representation, projection, r"$g(\cdot)$  projection")
    _image(axes, view, rf"$\tilde{{x}}_{name}$", picture)
    _node(axes, representation, f"$h_{name}$", PALETTE[0])
    _node(axes, projection, f"$z_{name}$", PALETTE[1])


def _image(axes: Axes, center: Point, name: str, picture: np.ndarray | None, below: bool = False) -> None:
    """A picture with its name outside, or only the name in a circle if no run left a picture."""
    if picture is None:
        return _node(axes, center, name, "white")
    x, y = center
    extent = (x - PICTURE, x + PICTURE, y - PICTURE, y + PICTURE)
    axes.imshow(picture, extent=extent, interpolation="none", zorder=3)
    outward = 0 if below else np.sign(x)
    axes.text(x + outward * 0.55 + below * 0.55, y, name, ha="center", va="center", fontsize=13)


def _node(axes: Axes, center: Point, text: str, color: str) -> None:
    axes.add_patch(plt.Circle(center, RADIUS, facecolor=color, edgecolor=INK, linewidth=1.2, zorder=3))
    axes.text(*center, text, ha="center", va="center_baseline", fontsize=13, zorder=4)


def _arrow(
    axes: Axes, start: Point, end: Point, label: str = "", style: str = "-|>", dashed: bool = False
) -> None:
    look = {
        "arrowstyle": style,
        "color": INK,
        "linewidth": 1.2,
        "shrinkA": 24,
        "shrinkB": 38 if dashed else 24,
    }
    axes.annotate("", end, start, arrowprops=look | {"linestyle": (0, (4, 3)) if dashed else "solid"})
    outward = 1 if end[0] > 0 else -1  # labels stand outside, so that they do not meet in the middle
    middle = ((start[0] + end[0]) / 2 + 0.1 * outward, (start[1] + end[1]) / 2)
    axes.text(*middle, label, ha="left" if outward > 0 else "right", va="center", fontsize=9)
