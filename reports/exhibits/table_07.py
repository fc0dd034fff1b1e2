"""Table 7: top-5 accuracy of networks fine-tuned on 1 % and 10 % of the labels."""

from reports.drawing.few_labels import few_labels
from reports.drawing.tables import Table
from reports.reading.exhibit import Evidence

CHANCE = "Guessing reaches a top-5 of 5 in the number of classes: 0.5 % of ImageNet's 1000, but 50 % of CIFAR-10's ten."


def draw(evidence: Evidence) -> Table:
    """Top-5 as measured; where there are ten classes Table B.4 says more."""
    return few_labels(evidence, "top5", CHANCE)
