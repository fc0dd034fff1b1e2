"""Figure B.5: linear evaluation against fine-tuning over the length of pretraining."""

from reports.drawing.agreement import Points, draw_agreement
from reports.drawing.style import Drawing
from reports.reading.exhibit import Evidence

BOTH, ALONE = "Tables 6 and B.4", "Table B.1, square root scaling"


def draw(evidence: Evidence) -> Drawing:
    """Points are joined from the shortest pretraining to the longest."""
    points = Points("pretrain_epochs", name=_epochs, label=_epochs, printed=BOTH, alone=ALONE)
    return draw_agreement(evidence, points)


def _epochs(value: str) -> str:
    return f"{value} epoch" + "s" * (value != "1")
