"""Figure B.6: linear evaluation against fine-tuning over architectures."""

from matplotlib.figure import Figure

from reports.agreement import draw_agreement
from reports.evidence import Evidence


def draw(evidence: Evidence) -> Figure:
    """Points of one depth are joined from the narrowest network to the widest."""
    return draw_agreement(evidence, "architecture", _short, series=_depth, printed=" (1000 epochs)")


def _short(network: str) -> str:
    return network.replace("ResNet-", "R")


def _depth(network: str) -> str:
    return network.partition(" ")[0]
