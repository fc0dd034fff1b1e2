"""Table B.4: top-1 accuracy of networks fine-tuned on 1 % and 10 % of the labels."""

from reports.evidence import Evidence
from reports.few_labels import few_labels
from reports.tables import Table


def draw(evidence: Evidence) -> Table:
    """The runs of Table 7."""
    return few_labels(evidence, "top1")
