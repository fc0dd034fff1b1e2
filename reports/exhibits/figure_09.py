"""Figure 9: linear evaluation by batch size and epochs."""

from matplotlib.figure import Figure

from reports.bars import Bars, draw_bars
from reports.evidence import Evidence, sort_key

PAPER_BATCHES = ("256", "512", "1024", "2048", "4096", "8192")


def draw(evidence: Evidence) -> Figure:
    """Bars start at 50 % as in the paper. Smaller scales have other batch sizes, coloured by their rank."""
    ours = set(evidence.measured.get("batch_size", []))
    bars = Bars(
        metric="top1",
        x="epochs",
        hue="batch_size",
        hues=tuple(sorted(ours.union(PAPER_BATCHES), key=sort_key)),
        limits=(50, 70),
        x_label="Training epochs",
        hue_label="Batch size",
    )
    return draw_bars(evidence, bars)
