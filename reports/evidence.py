"""All that is known about one exhibit at one scale: its declaration, our measurements, the paper's values."""

import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reports.declaration import CHECK_OUT, Declaration, load_declaration
from reports.files import ReportError, read_csv, read_json

MEASURED_COLUMNS = ("seed", "metric", "value", "run")
PAPER_COLUMNS = ("metric", "value", "unit", "confidence", "note")
COLLECT_AGAIN = "Run the exhibit's collect stage again."


@dataclass(frozen=True)
class Evidence:
    """One exhibit's material. Knob values are text, in the paper's spelling (see `canonical`).

    measured: knob columns, seed, metric, value (float), run; one row per run, seed and metric.
    paper: knob columns, metric, value (text, verbatim), number (float, NaN where the paper prints words),
        unit, confidence, note.
    arrays: panels and histograms by "<run>/<name>".
    missing: ids of runs that the plan names and that left no result.
    """

    exhibit: Declaration
    measured: pd.DataFrame
    paper: pd.DataFrame
    arrays: Mapping[str, np.ndarray]
    missing: tuple[str, ...]
    provenance: Mapping[str, Any]

    @property
    def knobs(self) -> list[str]:
        """The columns that tell one cell from another."""
        return [column for column in self.measured.columns if column not in MEASURED_COLUMNS]


def load(
    exhibit: str, scale: str, results: Path = Path("results"), params: Path = Path("params")
) -> Evidence:
    """Read everything about `exhibit` at `scale`.

    Raises ReportError if a file is absent or does not hold what it should.
    """
    declaration = load_declaration(params / "exhibits" / f"{exhibit}.yaml", scale)
    folder = results / scale / "tidy" / exhibit
    provenance = _load_provenance(folder / "provenance.json", declaration)
    measured = _load_measured(folder / "rows.csv", declaration)
    return Evidence(
        exhibit=declaration,
        measured=measured,
        paper=load_paper(params / "paper" / f"{exhibit}.csv"),
        arrays=load_arrays(folder / "arrays.npz"),
        missing=tuple(provenance["missing"]),
        provenance=provenance,
    )


def canonical(text: str) -> str:
    """One spelling per knob value, so that 0.10 meets 0.1 and 256.0 meets 256; words and "1/8" stay."""
    try:
        number = float(text)
    except ValueError:
        return text.strip()
    return f"{number:.12g}" if math.isfinite(number) else text.strip()


def load_paper(path: Path) -> pd.DataFrame:
    """The paper's own values for one exhibit, knobs first; no rows where it printed none."""
    header, rows = read_csv(path, "the paper's values", CHECK_OUT)
    if tuple(header[-len(PAPER_COLUMNS) :]) != PAPER_COLUMNS:
        raise ReportError(
            f"expected knob columns and then {', '.join(PAPER_COLUMNS)} in {path}; "
            f"found {', '.join(header)}. Correct the header."
        )
    paper = _text_frame(header, rows)
    for knob in header[: -len(PAPER_COLUMNS)]:
        paper[knob] = paper[knob].map(canonical)
    number = pd.to_numeric(paper["value"], errors="coerce").astype(float)
    paper.insert(paper.columns.get_loc("value") + 1, "number", number)
    return paper


def _load_provenance(path: Path, declaration: Declaration) -> dict[str, Any]:
    tree = read_json(path, f"the provenance of {declaration.id} at scale {declaration.scale}", COLLECT_AGAIN)
    for key, kind in {"missing": list, "runs": dict, "versions": dict}.items():
        if not isinstance(tree.get(key), kind):
            raise ReportError(
                f"expected a {kind.__name__} under {key!r} in {path}; "
                f"found {tree.get(key)!r}. {COLLECT_AGAIN}"
            )
    for key, expected in {"scale": declaration.scale, "exhibit": declaration.id}.items():
        if tree.get(key) != expected:
            raise ReportError(
                f"expected {key} {expected!r} in {path}; found {tree.get(key)!r}. {COLLECT_AGAIN}"
            )
    return tree


def _load_measured(path: Path, declaration: Declaration) -> pd.DataFrame:
    what = f"tidy rows of {declaration.id} at scale {declaration.scale}"
    header, rows = read_csv(path, what, COLLECT_AGAIN)
    return measured_from(header, rows, path, declaration.knobs)


def measured_from(
    header: list[str], rows: list[list[str]], path: Path, knobs: Sequence[str] = ()
) -> pd.DataFrame:
    """Tidy rows as `collect` writes them: text knobs, numbers as floats, in a fixed order. ReportError names `path`."""
    absent = [column for column in (*knobs, *MEASURED_COLUMNS) if column not in header]
    if absent:
        raise ReportError(
            f"expected column {', '.join(absent)} in {path}; found {', '.join(header)}. {COLLECT_AGAIN}"
        )
    measured = _text_frame(header, rows)
    for column in header:
        if column not in ("metric", "value", "run"):
            measured[column] = measured[column].map(canonical)
    measured["value"] = pd.to_numeric(measured["value"], errors="coerce").astype(float)
    _check_values(measured, path)
    return _in_order(measured)


def _check_values(measured: pd.DataFrame, path: Path) -> None:
    broken = measured[~np.isfinite(measured["value"])]
    if len(broken):
        row = broken.iloc[0]
        raise ReportError(
            f"expected a finite number for {row.metric} of run {row.run} in {path}; "
            f"found none ({len(broken)} such rows). "
            f"List a run that diverged under missing in provenance.json, or run it again."
        )
    repeated = measured[measured.duplicated([c for c in measured.columns if c not in ("value", "run")])]
    if len(repeated):
        row = repeated.iloc[0]
        raise ReportError(
            f"expected one row per cell, seed and metric in {path}; "
            f"found a second {row.metric} of seed {row.seed} by run {row.run}. {COLLECT_AGAIN}"
        )


def _in_order(measured: pd.DataFrame) -> pd.DataFrame:
    """Sorted by knobs, seed and metric: equal evidence gives equal bytes, in whatever order it came."""
    keys = [column for column in measured.columns if column not in ("value", "run")]
    order = sorted(range(len(measured)), key=lambda row: [sort_key(measured[key].iloc[row]) for key in keys])
    return measured.iloc[order].reset_index(drop=True)


def sort_key(text: str) -> tuple[bool, float, str]:
    """Sorts numbers by size, before words by spelling."""
    try:
        return False, float(text), text
    except ValueError:
        return True, 0.0, text


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """Pictures and outcomes by "<run>/<name>", none without an archive; ReportError if it is broken."""
    if not path.exists():
        return {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise ReportError(f"expected an .npz archive at {path}; found: {error}. {COLLECT_AGAIN}") from error


def _text_frame(header: list[str], rows: list[list[str]]) -> pd.DataFrame:
    if len(set(header)) < len(header):
        raise ReportError(f"expected distinct column names; found {', '.join(header)}. {COLLECT_AGAIN}")
    return pd.DataFrame(rows, columns=header, dtype=object)
