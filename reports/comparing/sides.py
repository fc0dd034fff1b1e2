"""Two sides of a comparison: what was measured, with which parameters, here or at a revision or in another folder.

Committed evidence, reports/evidence/<scale>/<exhibit>.csv, are the tidy rows of a run of the whole scale: small enough
for git, and enough to judge an exhibit's claims and to draw it again, but for its pictures.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from reports.digest import cell_name, cells_of
from reports.evidence import MEASURED_COLUMNS, check_named, load_arrays, load_collected, measured_from
from reports.files import ReportError, parse_json, rounded

EVIDENCE, METRICS = "reports/evidence", "reports/metrics"
COMMIT_AGAIN = "Name a revision with evidence, metrics and plan as one `make reports` leaves them."
Parameters = dict[str, dict[str, Any]]  # {"pretrain/part1-seed0": {"nt_xent.temperature": 0.1}}


@dataclass(frozen=True)
class Side:
    """One side: its name for readers, and by exhibit its tidy rows, the bindings of every run, and runs without result.

    folder: the results it was read from, which hold pictures too; None for a revision.
    """

    name: str
    scale: str
    rows: dict[str, pd.DataFrame] = field(default_factory=dict)
    parameters: dict[str, Parameters] = field(default_factory=dict)
    missing: dict[str, tuple[str, ...]] = field(default_factory=dict)
    folder: Path | None = None

    def arrays(self, exhibit: str) -> dict[str, np.ndarray]:
        """Pictures and outcomes of an exhibit, by "<run>/<name>"."""
        return load_arrays(self.folder / self.scale / "tidy" / exhibit / "arrays.npz") if self.folder else {}


def from_results(folder: Path, scale: str, exhibits: Iterable[str]) -> Side:
    """What `collect` left under folder/<scale>/tidy. ReportError if it holds none of the exhibits."""
    side = Side(str(folder), scale, folder=folder)
    for exhibit in exhibits:
        tidy = folder / scale / "tidy" / exhibit
        if (tidy / "rows.csv").is_file():
            rows, cause = load_collected(tidy, exhibit, scale)
            side.rows[exhibit] = _as_committed(rows)
            side.parameters[exhibit] = {name: run["bindings"] for name, run in cause["runs"].items()}
            side.missing[exhibit] = tuple(cause["missing"])
    if not side.rows:
        raise ReportError(
            f"expected results of scale {scale} in {folder}; found no {scale}/tidy/<exhibit>/rows.csv there. "
            f"Run `make reports SCALE={scale}` for that folder, or name another."
        )
    return side


def from_revision(revision: str, scale: str, exhibits: Iterable[str]) -> Side:
    """The evidence and the plans that a git revision holds. ReportError if it has none for this scale."""
    commit = _commit(revision)
    digests = _committed_digests(revision, commit, scale)
    side = Side(f"{revision} ({commit[:9]})", scale)
    for exhibit in exhibits:
        text = _git("show", f"{commit}:{EVIDENCE}/{scale}/{exhibit}.csv")
        plan = _git("show", f"{commit}:params/plan/{scale}/{exhibit}.yaml")
        if plan is not None:
            side.parameters[exhibit] = planned_bindings(YAML(typ="safe").load(plan))
        if text is not None:
            path = Path(f"{revision}:{EVIDENCE}/{scale}/{exhibit}.csv")
            side.rows[exhibit] = _as_committed(measured_from(text, path))
            if plan is not None:
                check_named(side.rows[exhibit], side.parameters[exhibit], path, COMMIT_AGAIN)
            if digests is not None:
                _check_whole(side.rows[exhibit], digests.get(exhibit) or {}, path)
            side.missing[exhibit] = _drop_unmeasured(side.parameters.get(exhibit, {}), side.rows[exhibit])
    if not side.rows:
        raise ReportError(
            f"expected committed evidence of scale {scale} at {revision}; found no {EVIDENCE}/{scale}/ there. "
            f"Commit what `make reports SCALE={scale}` writes to {EVIDENCE}/, or compare with a folder of results."
        )
    return side


def with_knobs_of(side: Side, other: Side) -> Side:
    """`side` with a column for every knob of `other`, empty, so that one code draws both: knobs come with time."""
    rows = dict(side.rows)
    for exhibit in rows.keys() & other.rows.keys():
        absent = [name for name in other.rows[exhibit].columns if name not in rows[exhibit].columns]
        columns = [*absent, *rows[exhibit].columns]
        rows[exhibit] = rows[exhibit].assign(**dict.fromkeys(absent, ""))[columns]
    return replace(side, rows=rows)


def planned_bindings(plan: Mapping[str, Any]) -> Parameters:
    """{stage/run: {configurable.parameter: value}} of a plan file's content."""
    found = {}
    for stage, entry in plan["stages"].items():
        for run, own in entry["runs"].items():
            bound = {name: body for name, body in own.items() if name not in ("seed", "labels")}
            found[f"{stage}/{run}"] = _flat(entry["shared"]) | _flat(bound)
    return found


def aligned(base: Side, here: Side) -> Side:
    """`base` with its cells called as those cells of `here` that have the same settings.

    A cell is called by its place in the grid. A setting that both sides have is compared with itself, wherever it
    stands. The others meet by place, so that an edited value is one number that moved; but not between scales, whose
    grids have other places.
    """
    rows, parameters = dict(base.rows), dict(base.parameters)
    for exhibit in base.rows.keys() & here.rows.keys():
        names = _names(base.rows[exhibit], here.rows[exhibit], base.scale == here.scale)
        run_ids = base.rows[exhibit]["run"].map(lambda run, names=names: _renamed(run, names))
        rows[exhibit] = base.rows[exhibit].assign(run=run_ids)
        parameters[exhibit] = {
            _renamed(name, names): bound for name, bound in base.parameters.get(exhibit, {}).items()
        }
    return replace(base, rows=rows, parameters=parameters)


def _names(base: pd.DataFrame, here: pd.DataFrame, by_place: bool) -> dict[str, str]:
    """What each cell of the base is called here."""
    theirs, ours = _settings(base), _settings(here)
    names = {theirs[setting]: ours[setting] for setting in theirs.keys() & ours.keys()}
    taken = {*names.values()}
    for cell in {cell_name(run) for run in base["run"]} - names.keys():
        names[cell] = cell if by_place and cell not in taken else f"{cell} of the base"
    return names


def _settings(rows: pd.DataFrame) -> dict[tuple[tuple[str, str], ...], str]:
    """{knobs that are set, with their values: the cell}; without settings that do not tell cells apart."""
    knobs = [name for name in rows.columns if name not in MEASURED_COLUMNS]
    found: dict[tuple[tuple[str, str], ...], set[str]] = {}
    for row in rows.to_dict(orient="records"):
        setting = tuple(sorted((knob, row[knob]) for knob in knobs if row[knob] != ""))
        found.setdefault(setting, set()).add(cell_name(row["run"]))
    return {setting: cells.pop() for setting, cells in found.items() if len(cells) == 1}


def _renamed(run: str, names: Mapping[str, str]) -> str:
    """A run's id, or its stage and id, with its cell called anew."""
    stage, slash, name = run.rpartition("/")
    cell = cell_name(name)
    return f"{stage}{slash}{names.get(cell, cell)}{name.removeprefix(cell)}"


def _drop_unmeasured(planned: Parameters, rows: pd.DataFrame) -> tuple[str, ...]:
    """Take the runs that left no row out of what was planned, and name them."""
    measured = set(rows["run"])
    missing = tuple(name for name in planned if name.partition("/")[2] not in measured)
    for name in missing:
        del planned[name]
    return missing


def _committed_digests(revision: str, commit: str, scale: str) -> dict[str, Any] | None:
    """What the metrics file of a revision says of each exhibit; None if it has none. ReportError if it is broken."""
    text, path = _git("show", f"{commit}:{METRICS}/{scale}.json"), Path(f"{revision}:{METRICS}/{scale}.json")
    return None if text is None else parse_json(text, "metrics", path, COMMIT_AGAIN)


def _check_whole(rows: pd.DataFrame, digested: Mapping[str, Any], path: Path) -> None:
    """ReportError unless the rows give the means that were committed with them: a cut file has lost some."""
    found = cells_of(rows.to_dict(orient="records"))
    for cell in sorted({*found, *digested}):
        if found.get(cell) != digested.get(cell):
            raise ReportError(
                f"expected the means {digested.get(cell, 'of no cell')} of {cell}, as the metrics of its commit have "
                f"them, in {path}; found {found.get(cell, 'no rows')}. {COMMIT_AGAIN}"
            )


def _as_committed(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows to ten digits, so that a number on its way through a record is the number that it was."""
    return rows.assign(value=rows["value"].map(rounded))


def _commit(revision: str) -> str:
    found = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if found is None:
        raise ReportError(
            f"expected a git revision or a folder of results as BASE; found {revision}, which is neither. "
            "Try HEAD, a branch, or the path of another results folder."
        )
    return found.strip()


def _flat(nested: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {
        f"{name}.{parameter}": value for name, body in nested.items() for parameter, value in body.items()
    }


def _git(*words: str) -> str | None:
    done = subprocess.run(["git", *words], capture_output=True, text=True, encoding="utf-8")
    return done.stdout if done.returncode == 0 else None
