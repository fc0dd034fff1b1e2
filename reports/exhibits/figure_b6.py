"""Figure B.6: linear evaluation against fine-tuning over architectures."""

from reports.drawing.agreement import Points, draw_agreement
from reports.drawing.style import Drawing
from reports.reading.exhibit import Evidence


def draw(evidence: Evidence) -> Drawing:
    """Points of one depth are joined from the narrowest network to the widest; beside each stands its width."""
    points = Points("architecture", name=_short, label=_width, series=_depth)
    return draw_agreement(evidence, points)


def _short(network: str) -> str:
    return network.replace("ResNet-", "R")


def _depth(network: str) -> str:
    return network.partition(" ")[0]


def _width(network: str) -> str:
    return network.partition(" ")[2].strip("()") or "1x"
