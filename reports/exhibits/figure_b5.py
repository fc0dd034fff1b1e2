"""Figure B.5: linear evaluation against fine-tuning over the length of pretraining."""

from matplotlib.figure import Figure

from reports.drawing.agreement import Points, draw_agreement
from reports.evidence import Evidence

BOTH, ALONE = "Tables 6 and B.4", "Table B.1, square root scaling"


def draw(evidence: Evidence) -> Figure:
    """Points are joined from the shortest pretraining to the longest."""
    points = Points("pretrain_epochs", name=_epochs, label=_epochs, printed=BOTH, alone=ALONE)
    return draw_agreement(evidence, points)


def _epochs(value: str) -> str:
    return f"{value} epoch" + "s" * (value != "1")
