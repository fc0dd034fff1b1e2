"""Table B.4: top-1 accuracy of networks fine-tuned on 1 % and 10 % of the labels."""

from reports.drawing.few_labels import few_labels
from reports.drawing.tables import Table
from reports.reading.exhibit import Evidence


def draw(evidence: Evidence) -> Table:
    """The runs of Table 7."""
    return few_labels(evidence, "top1")
