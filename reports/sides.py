"""Two sides of a comparison: what was measured, with which parameters, here or at a revision or in another folder.

Committed evidence, reports/evidence/<scale>/<exhibit>.csv, are the tidy rows of a run of the whole scale: small enough
for git, and enough to draw an exhibit again and to judge its claims.
"""

from __future__ import annotations

import csv
import io
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from ruamel.yaml import YAML

from reports.evidence import measured_from
from reports.files import ReportError, read_json

EVIDENCE = "reports/evidence"
Parameters = dict[str, dict[str, Any]]  # {"pretrain/part1-seed0": {"nt_xent.temperature": 0.1}}


@dataclass(frozen=True)
class Side:
    """One side: its name for readers, tidy rows by exhibit, and the bindings of every run by exhibit."""

    name: str
    scale: str
    rows: Mapping[str, pd.DataFrame]
    parameters: Mapping[str, Parameters] = field(default_factory=dict)


def from_results(folder: Path, scale: str, exhibits: Iterable[str]) -> Side:
    """What `collect` left under folder/<scale>/tidy. ReportError if it holds none of the exhibits."""
    rows, parameters = {}, {}
    for exhibit in exhibits:
        tidy = folder / scale / "tidy" / exhibit
        if (tidy / "rows.csv").is_file():
            rows[exhibit] = _tidy((tidy / "rows.csv").read_text(encoding="utf-8"), tidy / "rows.csv")
            cause = read_json(tidy / "provenance.json", "the provenance of an exhibit", "Collect it again.")
            parameters[exhibit] = {name: run["bindings"] for name, run in cause["runs"].items()}
    if not rows:
        raise ReportError(
            f"expected results of scale {scale} in {folder}; found no {scale}/tidy/<exhibit>/rows.csv there. "
            f"Run `make reports SCALE={scale}` for that folder, or name another."
        )
    return Side(str(folder), scale, rows, parameters)


def from_revision(revision: str, scale: str, exhibits: Iterable[str]) -> Side:
    """The evidence and the plans that a git revision holds. ReportError if it has none for this scale."""
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if commit is None:
        raise ReportError(
            f"expected a git revision or a folder of results as BASE; found {revision}, which is neither. "
            "Try HEAD, a branch, or the path of another results folder."
        )
    rows, parameters = {}, {}
    for exhibit in exhibits:
        text = _git("show", f"{commit.strip()}:{EVIDENCE}/{scale}/{exhibit}.csv")
        plan = _git("show", f"{commit.strip()}:params/plan/{scale}/{exhibit}.yaml")
        if text is not None:
            rows[exhibit] = _tidy(text, Path(f"{revision}:{EVIDENCE}/{scale}/{exhibit}.csv"))
        if plan is not None:
            parameters[exhibit] = planned_bindings(YAML(typ="safe").load(io.StringIO(plan)))
    if not rows:
        raise ReportError(
            f"expected committed evidence of scale {scale} at {revision}; found no {EVIDENCE}/{scale}/ there. "
            f"Commit what `make reports SCALE={scale}` writes to {EVIDENCE}/, or compare with a folder of results."
        )
    return Side(f"{revision} ({commit[:9]})", scale, rows, parameters)


def planned_bindings(plan: Mapping[str, Any]) -> Parameters:
    """{stage/run: {configurable.parameter: value}} of a plan file's content."""
    found = {}
    for stage, entry in plan["stages"].items():
        for run, own in entry["runs"].items():
            nested = {**entry["shared"]}
            bindings = _flat(nested) | _flat({k: v for k, v in own.items() if k not in ("seed", "labels")})
            found[f"{stage}/{run}"] = bindings
    return found


def _tidy(text: str, path: Path) -> pd.DataFrame:
    header, *rows = [line for line in csv.reader(text.splitlines()) if line] or [[]]
    return measured_from(header, rows, path)


def _flat(nested: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {
        f"{name}.{parameter}": value for name, body in nested.items() for parameter, value in body.items()
    }


def _git(*words: str) -> str | None:
    done = subprocess.run(["git", *words], capture_output=True, text=True, encoding="utf-8")
    return done.stdout if done.returncode == 0 else None
