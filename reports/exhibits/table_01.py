"""Table 1: top-1 accuracy by strength of color distortion, for SimCLR and for supervised training."""

from reports.evidence import Evidence
from reports.summary import Lookup
from reports.tables import Table, value

METHODS = {"SimCLR": "SimCLR, linear evaluation (%)", "Supervised": "Supervised (%)"}
STRENGTHS = ("1/8", "1/4", "1/2", "1", "1 (+Blur)", "AutoAug")


def draw(evidence: Evidence) -> Table:
    """One row per method, one column per policy, as printed."""
    lookup = Lookup(evidence)
    rows = [
        [name, *[value(lookup, "top1", method=method, augmentation=strength) for strength in STRENGTHS]]
        for method, name in METHODS.items()
    ]
    return Table(columns=["Color distortion strength", *STRENGTHS], rows=rows)
