"""The paper's own numbers for an exhibit, as params/paper holds them."""

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from common.errors import UserError
from common.files import read_csv
from common.names import nearest
from reports.reading.declarations import CHECK_OUT
from reports.reading.knobs import canonical

COLUMNS = ("metric", "value", "unit", "confidence", "note")


def load_paper(path: Path, knobs: Sequence[str] = ()) -> pd.DataFrame:
    """The numbers of one exhibit: its knobs as text, metric, value (verbatim), number, unit, confidence, note.

    `number` is NaN where the paper prints words. There are no rows where the paper printed nothing, or for an exhibit
    of our own, which needs no file. knobs: those of the exhibit; further columns tell methods apart that only the paper
    has. UserError if the header has other columns or misspells a knob, or for a repeated cell or a number that is not
    finite.
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
    _check_header(header, knobs, path)
    paper = pd.DataFrame(rows, columns=header, dtype=object)
    for knob in header[: -len(COLUMNS)]:
        paper[knob] = paper[knob].map(canonical)
    number = pd.to_numeric(paper["value"], errors="coerce").astype(float)
    _check_rows(paper, number, path)
    paper.insert(paper.columns.get_loc("value") + 1, "number", number)
    return paper


def _check_header(header: list[str], knobs: Sequence[str], path: Path) -> None:
    """UserError for a column whose name is nearly that of a knob without a column."""
    absent = [knob for knob in knobs if knob not in header]
    for column in header[: -len(COLUMNS)]:
        if column not in knobs and (hint := nearest(column, absent)):
            raise UserError(
                "a column of the paper's values is none of the exhibit's knobs",
                expected=", ".join([*knobs, *COLUMNS]),
                found=f"`{column}`{hint}",
                where=path,
                remedy="correct the header",
            )


def _check_rows(paper: pd.DataFrame, number: pd.Series, path: Path) -> None:
    """UserError for a cell that is printed twice, or with a number that no page can show."""
    cell = list(paper.columns[: paper.columns.get_loc("value")])
    for problem, bad in (
        ("a value of the paper stands twice", paper.duplicated(cell)),
        ("a value of the paper is not a finite number", number.abs() == math.inf),
    ):
        if bad.any():
            row = paper[bad].iloc[0]
            raise UserError(
                problem,
                expected="each cell and metric once, with a finite number or a word",
                found=", ".join(f"{name} {row[name]}" for name in [*cell, "value"]),
                where=path,
                remedy="correct the row",
            )


def knobs_of(paper: pd.DataFrame) -> list[str]:
    """The columns that tell one of the paper's cells from another."""
    return [column for column in paper.columns if column not in (*COLUMNS, "number")]
