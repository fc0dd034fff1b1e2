"""Which setting of a tuned method is shown: the one with the highest accuracy on the validation split."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from reports.evidence import Evidence
from reports.summary import Measured, summarize


class Choice(NamedTuple):
    """The chosen values of the tuned knobs, what they reached on each split, and among how many they were."""

    setting: dict[str, str]
    validation: Measured
    test: Measured | None
    tried: int


def chosen(
    evidence: Evidence, metric: str, tuned: Sequence[str], split: str = "split", **method: str
) -> Choice | None:
    """The setting of the `tuned` knobs with the highest mean of `metric` on the validation split, of one `method`.

    The test split decides nothing. Of equal settings the first in the order of the knobs' values is taken. None if
    no setting of the method has been validated.
    """
    cells = summarize(evidence.measured, evidence.knobs)
    cells = cells[(cells["metric"] == metric) & _matches(cells, method)]
    validated = cells[cells[split] == "validation"]
    if validated.empty:
        return None
    best = validated.loc[validated["mean"].idxmax()]  # the first of equals
    setting = {knob: str(best[knob]) for knob in tuned}
    tests = cells[(cells[split] == "test") & _matches(cells, setting)]
    return Choice(
        setting, _measured(best), None if tests.empty else _measured(tests.iloc[0]), tried=len(validated)
    )


def _matches(cells: pd.DataFrame, values: Mapping[str, str]) -> pd.Series:
    mask = pd.Series(True, index=cells.index)
    for knob, value in values.items():
        mask &= cells[knob] == value
    return mask


def _measured(row: pd.Series) -> Measured:
    return Measured(
        float(row["mean"]), None if pd.isna(row["spread"]) else float(row["spread"]), int(row["n"])
    )
