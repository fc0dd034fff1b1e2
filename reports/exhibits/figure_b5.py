"""Figure B.5: linear evaluation against fine-tuning over the length of pretraining."""

from matplotlib.figure import Figure

from reports.drawing.agreement import Points, draw_agreement
from reports.evidence import Evidence


def draw(evidence: Evidence) -> Figure:
    """Points are joined from the shortest pretraining to the longest."""
    return draw_agreement(evidence, Points("pretrain_epochs", name=_epochs, label=_epochs))


def _epochs(value: str) -> str:
    return f"{value} epoch" + "s" * (value != "1")
