"""Table B.1: linear against square root scaling of the learning rate."""

from reports.drawing.tables import Pair, Table, value
from reports.reading.exhibit import Evidence
from reports.reading.summary import Lookup, settings

MARGIN = 0.5  # percent, as printed


def draw(evidence: Evidence) -> Table:
    """Two numbers in a cell, linear / square root, as in the paper."""
    lookup, lengths = Lookup(evidence), settings(evidence, "epochs")

    def pair(size: str, epochs: str) -> Pair:
        at = {"batch_size": size, "epochs": epochs}
        linear, root = (value(lookup, "top1", lr_scaling=scaling, **at) for scaling in ("linear", "sqrt"))
        return Pair(linear, root, MARGIN)

    return Table(
        columns=["Batch size", *[f"{epochs} ep." for epochs in lengths]],
        rows=[
            [size, *[pair(size, epochs) for epochs in lengths]] for size in settings(evidence, "batch_size")
        ],
        notes=[
            "Top-1 accuracy (%), linear / square root scaling; bold where one is more than 0.5 better. "
            "A blank cell is in neither grid."
        ],
    )
