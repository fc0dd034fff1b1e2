"""Table B.2: fine-tuning and linear evaluation after a broader composition of augmentations."""

from reports.drawing.tables import Cell, Table, value
from reports.reading.exhibit import Evidence
from reports.reading.notation import metric
from reports.reading.summary import Lookup, settings

METRICS = ("top1", "top5")
NAMES = {
    "broader aug pretraining": "Pretrained, broader augmentation",
    "default aug pretraining": "Pretrained, default augmentation",
    "from scratch": "From scratch, crop and flip",
}
SCRATCH = "From scratch: training with labels by the recipe of Figure 7, not by that of fine-tuning."


def draw(evidence: Evidence) -> Table:
    """A row per network, labels used and start, as printed; then the rows that only we have."""
    lookup = Lookup(evidence)
    rows = [
        [network, fraction, NAMES.get(start, start), *_cells(lookup, network, fraction, start)]
        for network in settings(evidence, "architecture")
        for fraction in settings(evidence, "label_fraction")
        for start in settings(evidence, "initialisation")
    ]
    filled = [row for row in rows if any(cell.ours or cell.paper for cell in row[3:])]
    columns = ["Architecture", "Labels", "Start", *[metric(name).header for name in METRICS]]
    return Table(columns, filled, stubs=3, notes=[SCRATCH])


def _cells(lookup: Lookup, network: str, fraction: str, start: str) -> list[Cell]:
    where = {"architecture": network, "label_fraction": fraction, "initialisation": start}
    return [value(lookup, name, **where) for name in METRICS]
