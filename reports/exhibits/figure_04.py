"""Figure 4: the augmentation operators on one image (the paper's photograph is not redistributed)."""

from itertools import zip_longest

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from reports.drawing.style import MUTED, Drawing, blank, notes
from reports.reading.exhibit import Evidence
from reports.reading.summary import Lookup, settings

NAMES = {
    "original": "Original",
    "crop and resize": "Crop and resize",
    "crop resize flip": "Crop, resize, flip",
    "color drop": "Color distort. (drop)",
    "color jitter": "Color distort. (jitter)",
    "rotate": "Rotate",
    "cutout": "Cutout",
    "gaussian noise": "Gaussian noise",
    "gaussian blur": "Gaussian blur",
    "sobel": "Sobel filtering",
}
COLUMNS = 5


def draw(evidence: Evidence) -> Drawing:
    """The paper's ten panels, then ours; under each, the mean absolute change of a pixel against (a)."""
    lookup, operators = Lookup(evidence), settings(evidence, "operator", printed=NAMES)
    rows = -(-len(operators) // COLUMNS)
    figure, panels = plt.subplots(rows, COLUMNS, figsize=(7.4, 2.0 * rows))
    for place, (axes, operator) in enumerate(zip_longest(panels.flat, operators)):
        if operator is None:
            axes.axis("off")
            continue
        _panel(axes, evidence, lookup, operator)
        title = f"({chr(ord('a') + place)}) {NAMES.get(operator, operator)}"
        axes.set_title(title, fontsize=7.5, weight="normal", loc="center")
    return notes(
        figure, evidence, "Number under a panel: mean absolute change against (a), in grey levels of 255."
    )


def _panel(axes: Axes, evidence: Evidence, lookup: Lookup, operator: str) -> None:
    image = evidence.arrays.get(f"{lookup.run(operator=operator)}/image")
    change = lookup.ours("mean_abs_change", operator=operator)
    if image is None:
        return blank(axes, "missing")
    axes.imshow(image, interpolation="none")
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    if change is not None and operator != "original":
        axes.set_xlabel(f"{change.mean:.3g}", fontsize=7.5, color=MUTED)
