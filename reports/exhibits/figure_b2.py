"""Figure B.2: even larger batches and longer training, with square root scaling of the learning rate."""

from reports.drawing.bars import Bars, draw_bars
from reports.drawing.style import Drawing
from reports.reading.exhibit import Evidence
from reports.reading.summary import Lookup

BARS = Bars(
    metric="top1",
    x="epochs",
    hue="batch_size",
    limits=(50, 75),
    x_label="Training epochs",
    hue_label="Batch size",
    paper_grid={
        "epochs": [str(50 * 2**power) for power in range(7)],
        "batch_size": [str(256 * 2**power) for power in range(8)],
    },
    assumed="doubling between the ends that the text tells",
)


def draw(evidence: Evidence) -> Drawing:
    """The paper's bars are those that Table B.1 has too; its text tells the ends of the grid."""
    printed = Lookup(evidence).paper
    ends = [
        f"batch size {printed('max_batch_size', batch_size='any')}",
        f"{printed('min_epochs', epochs='min')} to {printed('max_epochs', epochs='max')} epochs",
    ]
    stops = printed("batch_size_where_gain_stops", epochs="saturation")
    words = f"The paper goes to {' and '.join(ends)}, and finds no gain above batch size {stops}."
    return draw_bars(evidence, BARS, words)
