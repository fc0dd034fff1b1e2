"""Figure 8: linear evaluation by projection head and output width."""

from matplotlib.figure import Figure

from reports.bars import Bars, draw_bars
from reports.evidence import Evidence

BARS = Bars(
    metric="top1",
    x="output_dim",
    hue="projection",
    limits=(30, 70),
    x_label="Projection output dimensionality",
    hue_label="Projection",
    names={"linear": "Linear", "nonlinear": "Non-linear", "none": "None"},
)


def draw(evidence: Evidence) -> Figure:
    """Bars start at 30 % as in the paper; no head has one width only, that of the representation."""
    return draw_bars(evidence, BARS)
