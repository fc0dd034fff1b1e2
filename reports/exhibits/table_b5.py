"""Table B.5: transfer to twelve data sets, ResNet-50 in the paper."""

from reports.evidence import Evidence
from reports.tables import Table
from reports.transfer import transfer_table


def draw(evidence: Evidence) -> Table:
    """Linear evaluation above fine-tuning, as printed."""
    return transfer_table(evidence)
