"""Accuracy with few labels: what Tables 7 and B.4 share."""

from reports.drawing.tables import Cell, Table, Value, value
from reports.reading.exhibit import Evidence
from reports.reading.notation import metric
from reports.reading.summary import Lookup, settings, settings_together

OURS = ("SimCLR", "Supervised baseline")
GROUPS = {
    "-": "Labels only",
    "label propagation": "Label propagation",
    "representation": "Representation learning only",
}
HERE = "At this scale"
BASELINE = (
    "Supervised baseline, ours: the same network from random weights on the same labels, for as many epochs and at "
    "the same learning rate as fine-tuning. The paper prints its number without a recipe."
)


def few_labels(evidence: Evidence, name: str, *more_notes: str) -> Table:
    """The paper's rows in its order and groups, literature as printed; then the networks that only we have."""
    lookup, fractions = Lookup(evidence), settings(evidence, "label_fraction")
    paper = evidence.paper[["group", "method", "architecture"]].drop_duplicates()
    printed = list(paper.itertuples(index=False, name=None))
    known = {(method, network) for _, method, network in printed}
    rows = [
        [GROUPS.get(group, group), *_row(lookup, name, fractions, method, network)]
        for group, method, network in printed
    ]
    rows += [
        [HERE, *_row(lookup, name, fractions, *pair)]
        for pair in settings_together(evidence, "method", "architecture")
        if pair not in known
    ]
    heads = [f"{metric(name).header}, {fraction} of labels" for fraction in fractions]
    notes = (BASELINE, *more_notes)
    return Table(["", "Method", "Architecture", *heads], rows, stubs=3, notes=notes)


def _row(lookup: Lookup, name: str, fractions: list[str], method: str, network: str) -> list[Cell]:
    """One method; a number of the literature is the paper's and never ours to run."""
    cells = [
        value(lookup, name, method=method, architecture=network, label_fraction=fraction)
        for fraction in fractions
    ]
    if method in OURS or any(cell.ours for cell in cells):
        return [method, network, *cells]
    return [
        f"{method} (literature)",
        network,
        *[Value(name, None, cell.paper, absent="") for cell in cells],
    ]
