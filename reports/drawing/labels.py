"""Labels beside points that do not lie on each other."""

from collections.abc import Sequence
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox

from reports.drawing.style import INK

# Where a label may stand, the best place first: (x, y) in points from its point, and which way it runs from there.
PLACES = [
    *[(4, -4, "left", "top"), (4, 4, "left", "bottom"), (-4, 4, "right", "bottom"), (-4, -4, "right", "top")],
    *[
        (0, 7, "center", "bottom"),
        (0, -7, "center", "top"),
        (7, 0, "left", "center"),
        (-7, 0, "right", "center"),
    ],
    *[(x, y, "left" if x > 0 else "right", "center") for x, y in product((14, -14), (14, -14, 22, -22))],
]
POINT = 3  # half a point's side, in points
STEPS = 100  # between two points of a line
ON_LINE = 1.0  # what each step under a label costs, in pixels that it would share with another label
NEAR, FAR = 8, 60.0  # the places that touch the point, and what one costs that does not


class Label(NamedTuple):
    """The name of a point, in a colour of its own if there is one."""

    text: str
    x: float
    y: float
    color: str = ""


def place_labels(axes: Axes, labels: Sequence[Label], size: float = 6.5) -> None:
    """Write each label at the first place where it covers no point, label or line, within the panel if it can.

    Call it last: the figure is laid out first, because what covers what depends on its scale.
    """
    figure = axes.get_figure()
    figure.draw_without_rendering()
    renderer, inside = figure.canvas.get_renderer(), axes.get_window_extent()
    reach = POINT * figure.dpi / 72
    points = [axes.transData.transform((label.x, label.y)) for label in labels]
    taken = [Bbox.from_bounds(*(point - reach), 2 * reach, 2 * reach) for point in points]
    along = np.concatenate([np.empty((0, 2)), *map(_along, axes.get_lines())])
    for label in labels:
        text = axes.annotate(label.text, (label.x, label.y), fontsize=size, color=label.color or INK, xytext=(0, 0),
                             textcoords="offset points", in_layout=False)  # fmt: skip
        boxes = []
        for x, y, horizontal, vertical in PLACES:
            text.set(position=(x, y), ha=horizontal, va=vertical)
            boxes.append(text.get_window_extent(renderer))
        costs = [_cost(box, taken, inside) + ON_LINE * box.count_contains(along) for box in boxes]
        costs = [cost + FAR * (place >= NEAR) for place, cost in enumerate(costs)]
        best = int(np.argmin(costs))
        x, y, horizontal, vertical = PLACES[best]
        text.set(position=(x, y), ha=horizontal, va=vertical)
        taken.append(boxes[best])


def _along(line: Line2D) -> np.ndarray:
    """Points along a line that is drawn, in pixels; none of one that joins nothing."""
    if line.get_linestyle() in ("None", "none", "") or len(line.get_xdata()) < 2:
        return np.empty((0, 2))
    ends = line.get_transform().transform(line.get_xydata())
    return np.concatenate([np.linspace(a, b, STEPS) for a, b in pairwise(ends)])


def _cost(box: Bbox, taken: Sequence[Bbox], inside: Bbox) -> float:
    """The area that a label would share with others or have outside the panel, in pixels."""
    shared = [common for other in taken if (common := Bbox.intersection(box, other)) is not None]
    within = Bbox.intersection(box, inside)
    outside = box.width * box.height - (within.width * within.height if within is not None else 0)
    return round(sum(common.width * common.height for common in shared) + outside, 3)
