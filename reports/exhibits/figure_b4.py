"""Figure B.4: t-SNE of h and of z = g(h), ten classes of held-out images."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from reports.drawing.style import PALETTE, Drawing, blank, notes
from reports.reading.exhibit import Evidence
from reports.reading.notation import written
from reports.reading.summary import Lookup, settings, values_of

TITLES = {"h": "(a) h", "z": "(b) z = g(h)"}
COLORS = PALETTE[1:6]
MARKERS = ("o", "x", "^")  # five colours in each: a class is told by both


def draw(evidence: Evidence) -> Drawing:
    """The first seed's picture, and under it how far classes are apart, measured in the space itself."""
    lookup, layers = Lookup(evidence), settings(evidence, "panel", printed=TITLES)
    figure, panels = plt.subplots(1, len(layers), figsize=(3.7 * len(layers), 4.0))
    for axes, layer in zip(panels, layers, strict=True):
        axes.set_title(TITLES.get(layer, layer))
        _panel(axes, evidence, lookup, layer)
    seed = next(iter(values_of(evidence.measured, "seed")), "none")
    handles, labels = next(filter(any, (axes.get_legend_handles_labels() for axes in panels)), ([], []))
    if handles:
        figure.legend(handles, labels, loc="outside upper center", ncols=5, markerscale=2)
    return notes(
        figure,
        evidence,
        f"Ours: data set {evidence.provenance.get('dataset', 'not stated')}, held-out images; picture of seed {seed}.",
        "Silhouette (-1 to 1) and leave-one-out accuracy of the nearest neighbours are measured before embedding.",
        "The paper's picture was not available to us; its text names no settings of t-SNE.",
    )


def _panel(axes: Axes, evidence: Evidence, lookup: Lookup, layer: str) -> None:
    run = lookup.run(panel=layer)
    points, classes = (evidence.arrays.get(f"{run}/{name}") for name in ("embedding", "classes"))
    if points is None or classes is None:
        return blank(axes, "missing")
    names = evidence.arrays.get(f"{run}/class_names", np.array([], dtype=str))
    for place, label in enumerate(np.unique(classes)):
        x, y = points[classes == label].T
        marker = MARKERS[place // len(COLORS) % len(MARKERS)]
        name = str(names[label]) if label < len(names) else f"class {label}"
        axes.scatter(x, y, s=9, marker=marker, color=COLORS[place % len(COLORS)], linewidth=0.7, label=name)
    axes.set(xticks=[], yticks=[], xlabel=_numbers(lookup, layer))
    axes.grid(False)


def _numbers(lookup: Lookup, layer: str) -> str:
    silhouette, nearest = (lookup.ours(name, panel=layer) for name in ("silhouette", "knn_accuracy"))
    if silhouette is None or nearest is None:
        return "numbers missing"
    apart = written(silhouette, "silhouette")
    return f"silhouette {apart}, kNN {written(nearest, 'knn_accuracy')} % (n = {nearest.n})"
