"""Table 1: top-1 accuracy by strength of color distortion, for SimCLR and for supervised training."""

from reports.drawing.tables import Table, value_or_blank
from reports.reading.exhibit import Evidence
from reports.reading.summary import Lookup, settings

NAMES = {"SimCLR": "SimCLR, linear evaluation (%)", "Supervised": "Supervised (%)"}


def draw(evidence: Evidence) -> Table:
    """One row per method, one column per policy: as printed, and then what only we have."""
    lookup, policies = Lookup(evidence), settings(evidence, "augmentation")
    rows = [
        [
            NAMES.get(method, method),
            *[value_or_blank(lookup, "top1", method=method, augmentation=policy) for policy in policies],
        ]
        for method in settings(evidence, "method")
    ]
    return Table(columns=["Color distortion strength", *policies], rows=rows)
