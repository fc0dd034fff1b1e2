"""All that is known about one exhibit at one scale: its declaration, our measurements, the paper's values."""

import math
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reports.declaration import CHECK_OUT, Declaration, load_declaration
from reports.files import ReportError, check_types, parse_csv, read_csv, read_json, read_text

MEASURED_COLUMNS = ("seed", "metric", "value", "run")
PAPER_COLUMNS = ("metric", "value", "unit", "confidence", "note")
COLLECT_AGAIN = "Run the exhibit's collect stage again."
LARGEST = 1e12  # far above any metric of ours: a larger number is a damaged file, and overflows when squared or drawn


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
    measured, provenance = load_collected(folder, exhibit, scale, declaration.knobs)
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


def load_collected(
    folder: Path, exhibit: str, scale: str, knobs: Sequence[str] = ()
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The tidy rows and the provenance that `collect` left in `folder`.

    ReportError unless every run of either is in the other: a file that was cut has lost some.
    """
    provenance = _load_provenance(folder / "provenance.json", exhibit, scale)
    path = folder / "rows.csv"
    measured = measured_from(
        read_text(path, f"tidy rows of {exhibit} at scale {scale}", COLLECT_AGAIN), path, knobs
    )
    check_named(measured, provenance["runs"], path, COLLECT_AGAIN)
    measured_runs, lost = set(measured["run"]), {_run_of(name) for name in provenance["missing"]}
    for name in provenance["runs"]:
        if _run_of(name) not in measured_runs | lost:  # a run of which a stage is missing may have no number
            raise ReportError(
                f"expected rows of run {name} in {path}, which provenance.json beside it lists; found none. "
                f"{COLLECT_AGAIN}"
            )
    return measured, provenance


def check_named(measured: pd.DataFrame, runs: Iterable[str], path: Path, remedy: str) -> None:
    """ReportError if a row is of a run that none of `runs`, "<stage>/<run>", is."""
    unnamed = set(measured["run"]) - {_run_of(name) for name in runs}
    if unnamed:
        raise ReportError(
            f"expected rows of runs that a provenance or plan names in {path}; found run {min(unnamed)}, which it does "
            f"not. {remedy}"
        )


def _run_of(name: str) -> str:
    return name.partition("/")[2]


def _load_provenance(path: Path, exhibit: str, scale: str) -> dict[str, Any]:
    tree = read_json(path, f"the provenance of {exhibit} at scale {scale}", COLLECT_AGAIN)
    check_types(tree, {"missing": list, "runs": dict, "versions": dict}, path, COLLECT_AGAIN)
    for key, expected in {"scale": scale, "exhibit": exhibit}.items():
        if tree.get(key) != expected:
            raise ReportError(
                f"expected {key} {expected!r} in {path}; found {tree.get(key)!r}. {COLLECT_AGAIN}"
            )
    for name, run in tree["runs"].items():
        if not isinstance(run, dict) or not isinstance(run.get("bindings"), dict):
            raise ReportError(
                f"expected an object with bindings for run {name} in {path}; found {run!r:.80}. {COLLECT_AGAIN}"
            )
    if not all(isinstance(name, str) for name in tree["missing"]):
        raise ReportError(f"expected names of runs under 'missing' in {path}; found others. {COLLECT_AGAIN}")
    return tree


def measured_from(text: str, path: Path, knobs: Sequence[str] = ()) -> pd.DataFrame:
    """Tidy rows as `collect` writes them: text knobs, numbers as floats, in a fixed order. ReportError names `path`."""
    header, rows = parse_csv(text, "tidy rows", path, COLLECT_AGAIN)
    absent = [column for column in (*knobs, *MEASURED_COLUMNS) if column not in header]
    if absent:
        raise ReportError(
            f"expected column {', '.join(absent)} in {path}; found {', '.join(header)}. {COLLECT_AGAIN}"
        )
    if not text.endswith("\n"):
        raise ReportError(
            f"expected the last row of {path} to end its line; found it cut after {text[-40:]!r}. {COLLECT_AGAIN}"
        )
    measured = _text_frame(header, rows)
    for column in header:
        if column not in ("metric", "value", "run"):
            measured[column] = measured[column].map(canonical)
    measured["value"] = pd.to_numeric(measured["value"], errors="coerce").astype(float)
    _check_values(measured, path)
    return _in_order(measured)


def _check_values(measured: pd.DataFrame, path: Path) -> None:
    broken = measured[~(measured["value"].abs() <= LARGEST)]
    if len(broken):
        row = broken.iloc[0]
        raise ReportError(
            f"expected a finite number, at most {LARGEST:g} in size, for {row.metric} of run {row.run} in {path}; "
            f"found {row.value:g} ({len(broken)} such rows). "
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
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise ReportError(f"expected an .npz archive at {path}; found: {error}. {COLLECT_AGAIN}") from error
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not (np.abs(array) <= LARGEST).all():
            raise ReportError(
                f"expected finite numbers, at most {LARGEST:g} in size, in array {name} of {path}; found others. "
                f"{COLLECT_AGAIN}"
            )
    return arrays


def _text_frame(header: list[str], rows: list[list[str]]) -> pd.DataFrame:
    if len(set(header)) < len(header):
        raise ReportError(f"expected distinct column names; found {', '.join(header)}. {COLLECT_AGAIN}")
    return pd.DataFrame(rows, columns=header, dtype=object)
