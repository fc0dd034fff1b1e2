"""Figure 4: the augmentation operators on one image (the paper's photograph is not redistributed)."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.evidence import Evidence
from reports.style import MUTED, blank, notes
from reports.summary import Lookup

OPERATORS = {
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


def draw(evidence: Evidence) -> Figure:
    """Ten panels in the paper's order; under each, the mean absolute change of a pixel against (a)."""
    lookup = Lookup(evidence)
    figure, panels = plt.subplots(2, 5, figsize=(7.4, 4.0))
    for letter, axes, (operator, name) in zip("abcdefghij", panels.flat, OPERATORS.items(), strict=True):
        _panel(axes, evidence, lookup, operator)
        axes.set_title(f"({letter}) {name}", fontsize=7.5, weight="normal", loc="center")
    notes(figure, evidence, "Number under a panel: mean absolute change against (a), in grey levels of 255.")
    return figure


def _panel(axes: Axes, evidence: Evidence, lookup: Lookup, operator: str) -> None:
    image = evidence.arrays.get(f"{lookup.run(operator=operator)}/image")
    change = lookup.ours("mean_abs_change", operator=operator)
    if image is None:
        return blank(axes, "missing")
    axes.imshow(image, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    if change is not None and operator != "original":
        axes.set_xlabel(f"{change.mean:.3g}", fontsize=7.5, color=MUTED)
