"""Table 8: transfer to twelve data sets, ResNet-50 (4x) in the paper."""

from reports.drawing.tables import Table
from reports.drawing.transfer import transfer_table
from reports.reading.exhibit import Evidence


def draw(evidence: Evidence) -> Table:
    """Linear evaluation above fine-tuning, as printed."""
    return transfer_table(evidence)
