"""Table 5: NT-Xent with and without normalization, at several temperatures."""

from reports.evidence import Evidence
from reports.summary import Lookup
from reports.tables import Table, header, value

SETTINGS = (("yes", "0.05"), ("yes", "0.1"), ("yes", "0.5"), ("yes", "1"), ("no", "10"), ("no", "100"))
METRICS = ("entropy", "contrastive_accuracy", "top1")


def draw(evidence: Evidence) -> Table:
    """One row per setting as printed; the entropy's ceiling is the logarithm of the number of candidates."""
    lookup = Lookup(evidence)
    rows = [
        [norm, tau, *[value(lookup, name, l2_norm=norm, temperature=tau) for name in METRICS]]
        for norm, tau in SETTINGS
    ]
    return Table(columns=["l2 norm?", "τ", *[header(name) for name in METRICS]], rows=rows, stubs=2)
