"""Table 3: what h and g(h) know of the transformation that was applied, against guessing."""

from reports.drawing.tables import Table, value
from reports.reading.exhibit import Evidence
from reports.reading.summary import Lookup, settings

NAMES = {"Orig. vs corrupted": "Orig. vs corrupted (Gaussian noise)", "random guess": "Random guess"}


def draw(evidence: Evidence) -> Table:
    """One row per question, one column per vector that is asked; chance is computed from the test labels."""
    lookup, vectors = Lookup(evidence), settings(evidence, "representation")
    rows = [
        [
            NAMES.get(question, question),
            *[value(lookup, "accuracy", what_to_predict=question, representation=name) for name in vectors],
        ]
        for question in settings(evidence, "what_to_predict")
    ]
    columns = ["What to predict?", *[f"{NAMES.get(name, name)} (%)" for name in vectors]]
    return Table(columns=columns, rows=rows)
