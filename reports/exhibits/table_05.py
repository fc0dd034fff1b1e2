"""Table 5: NT-Xent with and without normalization, at several temperatures."""

from reports.drawing.tables import Table, value
from reports.reading.exhibit import Evidence
from reports.reading.notation import metric
from reports.reading.summary import Lookup, settings_together

METRICS = ("entropy", "contrastive_accuracy", "top1")


def draw(evidence: Evidence) -> Table:
    """One row per setting, printed or ours; the entropy's ceiling is the log of the number of candidates."""
    lookup = Lookup(evidence)
    rows = [
        [norm, tau, *[value(lookup, name, l2_norm=norm, temperature=tau) for name in METRICS]]
        for norm, tau in settings_together(evidence, "l2_norm", "temperature")
    ]
    return Table(columns=["l2 norm?", "τ", *[metric(name).header for name in METRICS]], rows=rows, stubs=2)
