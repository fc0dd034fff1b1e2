"""The tidy results of one exhibit: rows and their provenance, as `collect` leaves them or a commit keeps them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, NotRequired, TypedDict

import numpy as np
import pandas as pd

from common.errors import UserError
from common.files import parse_csv, parse_yaml, read_npz, read_text, sha256_file
from common.seals import SEAL, read_sealed
from reports.reading.knobs import canonical, sort_key
from reports.reading.planned import planned_bindings

COLUMNS = ("seed", "metric", "value", "run")
DIVERGED = "diverged"  # the metric of a run that diverged; its value is the step
COLLECT_AGAIN = "gather the results again: python -m stages collect"
LARGEST = 1e12  # far above any metric of ours: a larger number is a damaged file, and overflows when squared or drawn


class Run(TypedDict):
    """What decided the numbers of one run of one stage. Committed evidence keeps the bindings alone."""

    bindings: dict[str, Any]
    stage: NotRequired[str]
    seed: NotRequired[int]
    fingerprint: NotRequired[str]
    code: NotRequired[str]
    data: NotRequired[str | None]
    upstream: NotRequired[str | None]
    search: NotRequired[list[str]]
    metrics: NotRequired[dict[str, float]]
    adopted: NotRequired[dict[str, str] | None]
    imported: NotRequired[dict[str, Any]]


class Provenance(TypedDict):
    """What decided the numbers of an exhibit: runs by "<stage>/<run>", and the names of those without a result.

    missing_cells: the cells of these with the values of their knobs, by the cell's place in the grid.
    searched: the runs among which those of `runs` chose, likewise; they belong to no cell and have no rows.
    diverged: for each diverged run, the step at which its loss was no longer finite, and the last finite loss.
    """

    exhibit: str
    scale: str
    dataset: str
    missing: list[str]
    missing_cells: NotRequired[dict[str, dict[str, str]]]
    runs: dict[str, Run]
    searched: NotRequired[dict[str, Run]]
    versions: dict[str, str]
    cost: NotRequired[dict[str, float]]
    diverged: NotRequired[dict[str, dict[str, float]]]


class Tidy(NamedTuple):
    """rows: knobs as text, seed, metric, value (float) and run; one row for each run and metric, in a fixed order."""

    rows: pd.DataFrame
    provenance: Provenance


@contextmanager
def mended_by(remedy: str, place: Callable[[str], str] = str) -> Iterator[None]:
    """In here `remedy` mends what is damaged, where collecting again cannot: results that git keeps.

    place: says for readers where a file lies.
    """
    try:
        yield
    except UserError as error:
        if not error.remedy.startswith(COLLECT_AGAIN):
            raise
        pieces = {"expected": error.expected, "found": error.found, "where": place(error.where)}
        raise UserError(error.problem, **pieces, remedy=remedy) from error


def load_collected(folder: Path, exhibit: str, scale: str, knobs: Sequence[str] = ()) -> Tidy:
    """What `collect` left in `folder`.

    UserError unless rows and provenance name the same runs: a file that was cut short has lost some.
    """
    path = folder / "rows.csv"
    text, provenance = read_text(path, COLLECT_AGAIN), _load_provenance(folder, exhibit, scale)
    rows = parse_rows(text, path, knobs)
    known = {*provenance["runs"], *provenance.get("diverged", {})}
    check_named(rows, known, path, COLLECT_AGAIN)
    told = {*rows["run"], *map(_run_of, provenance["missing"])}
    for name in known:
        if _run_of(name) not in told:  # A run that lacks a stage may have no number.
            raise damaged(f"rows of run {name}, which provenance.json beside it lists", "none", path)
    diverged = set(map(_run_of, provenance.get("diverged", {})))
    provenance["missing"] = [name for name in provenance["missing"] if _run_of(name) not in diverged]
    return Tidy(rows, provenance)


def from_commit(text: str, plan: str | None, exhibit: str, scale: str, where: Path, remedy: str) -> Tidy:
    """The rows that a commit keeps, and what its plan of the exhibit says of their runs; errors name `where`."""
    rows, runs, missing = parse_rows(text, where), {}, []
    if plan is not None:
        bindings = planned_bindings(parse_yaml(plan, where))
        check_named(rows, bindings, where, remedy)
        measured = set(rows["run"])
        missing = [name for name in bindings if _run_of(name) not in measured]
        runs = {name: Run(bindings=bound) for name, bound in bindings.items() if name not in missing}
    datasets = {
        run["bindings"]["dataset.name"]: None for run in runs.values() if "dataset.name" in run["bindings"]
    }
    return Tidy(
        rows,
        Provenance(
            exhibit=exhibit,
            scale=scale,
            dataset=", ".join(datasets) or "not stated",
            missing=missing,
            runs=runs,
            versions={},
        ),
    )


def check_named(rows: pd.DataFrame, runs: Iterable[str], path: Path, remedy: str) -> None:
    """UserError if a row belongs to a run that is not among `runs`, "<stage>/<run>"."""
    if unnamed := set(rows["run"]) - set(map(_run_of, runs)):
        raise UserError(
            "rows of an unknown run",
            expected="runs that a provenance or plan names",
            found=f"run {min(unnamed)}, which is not among them",
            where=path,
            remedy=remedy,
        )


def parse_rows(text: str, path: Path, knobs: Sequence[str] = ()) -> pd.DataFrame:
    """Tidy rows as `collect` writes them: text knobs, numbers as floats, in a fixed order. UserError names `path`."""
    header, lines = parse_csv(text, path, COLLECT_AGAIN)
    absent = [column for column in (*knobs, *COLUMNS) if column not in header]
    if absent:
        raise damaged(f"column {', '.join(absent)}", ", ".join(header), path)
    if not text.endswith("\n"):
        raise damaged(
            "a last row that ends with a line end", f"a file that is cut off after {text[-40:]!r}", path
        )
    rows = pd.DataFrame(lines, columns=header, dtype=object)
    for column in header:
        if column not in ("metric", "value", "run"):
            rows[column] = rows[column].map(canonical)
    rows["value"] = pd.to_numeric(rows["value"], errors="coerce").astype(float)
    _check_values(rows, path)
    return _in_order(rows)


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """Pictures and outcomes by "<run>/<name>", none without an archive; UserError if it is broken."""
    if not path.exists():
        return {}
    try:
        arrays = read_npz(path)
    except UserError as error:
        raise damaged("an .npz archive", error.found, path) from error
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not (np.abs(array) <= LARGEST).all():
            raise damaged(
                f"finite numbers, at most {LARGEST:g} in size", f"other numbers in array {name}", path
            )
    return arrays


def check_types(
    record: Mapping[str, Any], kinds: Mapping[str, type | tuple[type, ...]], path: Path, remedy: str
) -> None:
    """UserError unless `record`, the object in `path`, has every key of `kinds` with a value of that type."""
    for key, kind in kinds.items():
        if not isinstance(record, Mapping) or not isinstance(record.get(key), kind):
            names = [each.__name__ for each in (kind if isinstance(kind, tuple) else (kind,))]
            value = record.get(key) if isinstance(record, Mapping) else record
            raise damaged(f"a {' or '.join(names)} under {key!r}", f"{value!r:.80}", path, remedy)


def check_of(record: Mapping[str, Any], exhibit: str, scale: str, path: Path, remedy: str) -> None:
    """UserError unless the object in `path` says that it is of this exhibit and scale."""
    for key, expected in {"scale": scale, "exhibit": exhibit}.items():
        if record.get(key) != expected:
            raise damaged(f"{key} {expected!r}", repr(record.get(key)), path, remedy)


def _load_provenance(folder: Path, exhibit: str, scale: str) -> Provenance:
    path = folder / "provenance.json"
    tree = read_sealed(path, COLLECT_AGAIN)
    check_types(tree, {"missing": list, "runs": dict, "versions": dict, "files": dict}, path, COLLECT_AGAIN)
    for name, digest in tree["files"].items():
        if not (folder / name).is_file() or sha256_file(folder / name) != digest:
            raise damaged("the file that provenance.json lists", "no file, or a changed one", folder / name)
    check_of(tree, exhibit, scale, path, COLLECT_AGAIN)
    searched = tree.get("searched", {})
    if not isinstance(searched, dict):
        raise damaged("runs by name under 'searched'", f"{searched!r:.80}", path)
    for name, run in (tree["runs"] | searched).items():
        if not isinstance(run, dict) or not isinstance(run.get("bindings"), dict):
            raise damaged(f"an object with bindings for run {name}", f"{run!r:.80}", path)
    if not all(isinstance(name, str) for name in tree["missing"]):
        raise damaged("names of runs under 'missing'", "something else", path)
    cells = tree.get("missing_cells", {})
    if not isinstance(cells, dict) or not all(map(_is_cell, cells.values())):
        raise damaged("knobs of each cell under 'missing_cells'", f"{cells!r:.80}", path)
    # Both were checked here. They are no part of what was measured, and rows may be put into another order now.
    return {name: value for name, value in tree.items() if name not in (SEAL, "files")}


def _is_cell(knobs: Any) -> bool:
    return isinstance(knobs, dict) and all(isinstance(text, str) for item in knobs.items() for text in item)


def _check_values(rows: pd.DataFrame, path: Path) -> None:
    broken = rows[~(rows["value"].abs() <= LARGEST)]
    if len(broken):
        row = broken.iloc[0]
        found = f"{row.value:g} ({len(broken)} such rows)"
        expected = f"a finite number, at most {LARGEST:g} in size, for {row.metric} of run {row.run}"
        raise damaged(
            expected, found, path, f"{COLLECT_AGAIN}; a run that diverged has a row `diverged` instead"
        )
    repeated = rows[rows.duplicated([name for name in rows.columns if name not in ("value", "run")])]
    if len(repeated):
        row = repeated.iloc[0]
        found = f"a second {row.metric} of seed {row.seed} by run {row.run}"
        raise damaged("one row per cell, seed and metric", found, path)


def _in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Sorted by knobs, seed and metric: equal results give equal bytes, in whatever order they came."""
    keys = [column for column in rows.columns if column not in ("value", "run")]
    order = sorted(range(len(rows)), key=lambda row: [sort_key(rows[key].iloc[row]) for key in keys])
    return rows.iloc[order].reset_index(drop=True)


def _run_of(name: str) -> str:
    """A run's id, with or without its stage before it."""
    return name.rpartition("/")[2]


def damaged(expected: str, found: str, path: Path, remedy: str = COLLECT_AGAIN) -> UserError:
    """The error of a file that does not hold what it should."""
    return UserError("a file is damaged", expected=expected, found=found, where=path, remedy=remedy)
