"""Figure B.3: squared real eigenvalues of a linear projection head, on a uniform and on a logarithmic axis."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from reports.drawing.style import PALETTE, Drawing, blank, notes
from reports.reading.exhibit import Evidence
from reports.reading.notation import written
from reports.reading.summary import Lookup, values_of

TITLES = {"linear": "(a) Uniform y-axis", "log": "(b) Logarithmic y-axis"}


def draw(evidence: Evidence) -> Drawing:
    """One curve per seed; low rank is a number too, because a curve alone does not say how low."""
    spectra = [
        array for name, array in sorted(evidence.arrays.items()) if name.endswith("/squared_eigenvalues")
    ]
    lookup = Lookup(evidence)
    figure, panels = plt.subplots(1, 2, figsize=(7.4, 3.0))
    for axes, (scale, title) in zip(panels, TITLES.items(), strict=True):
        axes.set_title(title)
        if spectra:
            _draw_spectra(axes, spectra, scale)
        else:
            blank(axes, "missing")
    ranks = [rank for width in values_of(evidence.measured, "output_dim") for rank in _ranks(lookup, width)]
    panels[0].text(
        0.97, 0.95, "\n".join(ranks), transform=panels[0].transAxes, ha="right", va="top", fontsize=8
    )
    return notes(
        figure,
        evidence,
        "Shares: of the sum of squares. Effective rank: exponential of their entropy; full if all are equal.",
        "The paper's curves were not available to us; its text finds W (2048 x 2048) to be approximately low-rank.",
    )


def _draw_spectra(axes: Axes, spectra: list[np.ndarray], scale: str) -> None:
    for values in spectra:
        shown = values > 0  # a complex pair on the imaginary axis has none on a logarithmic one
        axes.plot(np.arange(1, len(values) + 1)[shown], values[shown], color=PALETTE[4], alpha=0.8)
    axes.set(yscale=scale, xlabel="Ranking", ylabel="Squared eigenvalue")
    if scale == "linear":
        axes.set_ylim(bottom=0)


def _ranks(lookup: Lookup, width: str) -> list[str]:
    """The effective rank of the heads of one width, and the share of their largest eigenvalues."""
    rank, share = (lookup.ours(name, output_dim=width) for name in ("effective_rank", "top5_share"))
    if rank is None or share is None:
        return []
    return [
        f"effective rank {written(rank, 'effective_rank')} of {width} (n = {rank.n})",
        f"share of the largest 5 %: {written(share, 'top5_share')} %",
    ]
