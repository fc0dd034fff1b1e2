"""Table B.3: supervised training by architecture, length and augmentation."""

from reports.drawing.tables import Table, value
from reports.reading.exhibit import Evidence
from reports.reading.summary import Lookup, settings, settings_together


def draw(evidence: Evidence) -> Table:
    """One row per network and length, printed or ours; one column per augmentation."""
    lookup, policies = Lookup(evidence), settings(evidence, "augmentation")
    rows = [
        [
            network,
            epochs,
            *[
                value(lookup, "top1", architecture=network, epochs=epochs, augmentation=policy)
                for policy in policies
            ],
        ]
        for network, epochs in settings_together(evidence, "architecture", "epochs")
    ]
    return Table(columns=["Model", "Epochs", *[f"{policy} (%)" for policy in policies]], rows=rows, stubs=2)
