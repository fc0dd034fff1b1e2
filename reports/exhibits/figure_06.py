"""Figure 6: pixel intensities of crops of two images, without and with color distortion."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from reports.drawing.style import PALETTE, Drawing, blank, notes
from reports.reading.exhibit import Evidence
from reports.reading.summary import Lookup, settings, values_of

IMAGES, CROPS = 2, 4  # as printed; also the frames that stay empty where no run has finished
TITLES = {"no": "(a) Without color distortion", "yes": "(b) With color distortion"}


def draw(evidence: Evidence) -> Drawing:
    """Left without, right with distortion; per image its crops, each over its histogram; equal axes."""
    lookup, images = Lookup(evidence), values_of(evidence.measured, "image")
    images += ["unknown"] * (IMAGES - len(images))
    distortions = settings(evidence, "color_distortion", printed=TITLES)
    crops = max(
        (len(array) for name, array in evidence.arrays.items() if name.endswith("/crops")), default=CROPS
    )
    figure = plt.figure(figsize=(3.7 * len(distortions), 2.3 * len(images)))
    for half, distortion in zip(figure.subfigures(1, len(distortions)), distortions, strict=True):
        title = TITLES.get(distortion, f"Color distortion: {distortion}")
        half.suptitle(f"{title}\n{_distances(lookup, images, distortion)}", fontsize=8)
        panels = half.subplots(2 * len(images), crops, height_ratios=[1.25, 1] * len(images), squeeze=False)
        for row, image in enumerate(images):
            run = lookup.run(image=image, color_distortion=distortion)
            _draw_image(panels[2 * row : 2 * row + 2], evidence, run, _highest(evidence))
    return notes(
        figure,
        evidence,
        "Histograms: share of values by intensity, all channels; equal axes, tallest 1 % of bars cut.",
        "Distance: total variation between the histograms of two crops, a mean over pairs and images.",
    )


def _draw_image(panels: np.ndarray, evidence: Evidence, run: str | None, highest: float) -> None:
    crops = evidence.arrays.get(f"{run}/crops")
    histograms = evidence.arrays.get(f"{run}/histograms")
    for crop, (above, below) in enumerate(panels.T):
        if crops is None or histograms is None or crop >= len(crops):
            blank(above, "missing")
            blank(below, "missing")
            continue
        above.imshow(crops[crop], interpolation="none")
        above.axis("off")
        _histogram(below, histograms[crop], highest)


def _histogram(axes: Axes, counts: np.ndarray, highest: float) -> None:
    edges = np.linspace(0, 1, len(counts) + 1)
    axes.stairs(counts / counts.sum(), edges, fill=True, color=PALETTE[4])
    axes.set(xlim=(0, 1), ylim=(0, highest), xticks=[], yticks=[])
    axes.grid(False)


def _highest(evidence: Evidence) -> float:
    """The upper end of every axis, below the tallest bars: one crop of one colour would flatten the rest."""
    counts = [array for name, array in evidence.arrays.items() if name.endswith("/histograms")]
    shares = [histograms / histograms.sum(axis=1, keepdims=True) for histograms in counts]
    return 1.05 * float(np.quantile(np.concatenate(shares), 0.99)) if shares else 1.0


def _distances(lookup: Lookup, images: Sequence[str], distortion: str) -> str:
    """The claim in numbers, a mean over the images: are crops of one image closer than crops of two?"""
    means = {}
    for name in ("within_distance", "between_distance"):
        cells = [lookup.ours(name, image=image, color_distortion=distortion) for image in images]
        means[name] = [cell.mean for cell in cells if cell is not None]
    if not all(means.values()):
        return "distances missing"
    within, between = (float(np.mean(values)) for values in means.values())
    return f"distance within an image {within:.3f}, between images {between:.3f}"
