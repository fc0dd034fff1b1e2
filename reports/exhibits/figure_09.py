"""Figure 9: linear evaluation by batch size and epochs."""

from reports.drawing.bars import Bars, draw_bars
from reports.drawing.style import Drawing
from reports.reading.exhibit import Evidence

BARS = Bars(
    metric="top1",
    x="epochs",
    hue="batch_size",
    limits=(50, 70),
    x_label="Training epochs",
    hue_label="Batch size",
)


def draw(evidence: Evidence) -> Drawing:
    """Bars start at 50 % as in the paper. Smaller scales have other batch sizes, coloured by their rank."""
    return draw_bars(evidence, BARS)
