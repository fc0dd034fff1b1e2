"""The paper's own numbers for an exhibit, as params/paper holds them."""

from pathlib import Path

import pandas as pd

from common.errors import UserError
from common.files import read_csv
from reports.reading.declarations import CHECK_OUT
from reports.reading.knobs import canonical

COLUMNS = ("metric", "value", "unit", "confidence", "note")


def load_paper(path: Path) -> pd.DataFrame:
    """The numbers of one exhibit: its knobs as text, metric, value (verbatim), number, unit, confidence, note.

    `number` is NaN where the paper prints words. No rows where it printed none, or for an exhibit of our own, which
    needs no file. UserError if the file's header is another one.
    """
    header, rows = read_csv(path, CHECK_OUT) if path.exists() else (list(COLUMNS), [])
    if tuple(header[-len(COLUMNS) :]) != COLUMNS:
        raise UserError(
            "not a table of the paper's values",
            expected=f"knob columns and then {', '.join(COLUMNS)}",
            found=", ".join(header),
            where=path,
            remedy="correct the header",
        )
    paper = pd.DataFrame(rows, columns=header, dtype=object)
    for knob in header[: -len(COLUMNS)]:
        paper[knob] = paper[knob].map(canonical)
    number = pd.to_numeric(paper["value"], errors="coerce").astype(float)
    paper.insert(paper.columns.get_loc("value") + 1, "number", number)
    return paper


def knobs_of(paper: pd.DataFrame) -> list[str]:
    """The columns that tell one of the paper's cells from another."""
    return [column for column in paper.columns if column not in (*COLUMNS, "number")]
