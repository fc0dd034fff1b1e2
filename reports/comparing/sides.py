"""Two sides of a comparison: what was measured, with which parameters, here or at a revision or in another folder.

Committed evidence, reports/evidence/<scale>/<exhibit>/, is what `collect` gathered from a run of the whole scale:
small enough for git, and enough to judge an exhibit's claims and to draw it again.
"""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from common.errors import UserError
from common.names import cell_name, nearest
from common.scales import names
from reports.reading.folders import restore
from reports.reading.learning_curves import load_curves
from reports.reading.plain import rounded
from reports.reading.summary import cell_means
from reports.reading.tidy import (
    COLLECT_AGAIN,
    COLUMNS,
    Provenance,
    Tidy,
    damaged,
    from_commit,
    load_arrays,
    load_collected,
    mended_by,
)

EVIDENCE, METRICS = "reports/evidence", "reports/metrics"
COMMIT_AGAIN = "name a revision with evidence, metrics and plan as one `make reports` leaves them"


@dataclass(frozen=True)
class Side:
    """One side: its name for readers, and the tidy results of each exhibit.

    places: the tidy folder of each exhibit, with pictures and curves; none for a revision from before those were kept.
    unpacked: what holds the folders of a revision as long as the side is used. revision: as the user named it.
    remedy: what mends a damaged file.
    """

    name: str
    scale: str
    tidy: dict[str, Tidy] = field(default_factory=dict)
    places: dict[str, Path] = field(default_factory=dict)
    unpacked: TemporaryDirectory | None = None
    revision: str = ""
    remedy: str = COLLECT_AGAIN

    def rows(self, exhibit: str) -> pd.DataFrame | None:
        """The tidy rows of an exhibit, if it has any."""
        return self.tidy[exhibit].rows if exhibit in self.tidy else None

    def parameters(self, exhibit: str) -> dict[str, dict[str, Any]]:
        """{"pretrain/part1-seed0": {"nt_xent.temperature": 0.1}} of an exhibit."""
        runs = self.tidy[exhibit].provenance["runs"] if exhibit in self.tidy else {}
        return {name: run["bindings"] for name, run in runs.items()}

    def arrays(self, exhibit: str) -> dict[str, np.ndarray]:
        """Pictures and outcomes of an exhibit, by "<run>/<name>"."""
        if exhibit not in self.places:
            return {}
        with self.reading():
            return load_arrays(self.places[exhibit] / "arrays.npz")

    def curves(self, exhibit: str) -> pd.DataFrame:
        """How each training of an exhibit went."""
        if exhibit not in self.places:
            return pd.DataFrame()
        with self.reading():
            return load_curves(self.places[exhibit] / "curves.csv")

    def reading(self) -> AbstractContextManager[None]:
        """In here a damaged file is named with this side's remedy, and as git has it: HEAD:reports/evidence/..."""
        folder = f"{Path(self.unpacked.name)}/" if self.unpacked else ""
        return mended_by(
            self.remedy, lambda where: where.replace(folder, f"{self.revision}:") if folder else where
        )


def from_results(folder: Path, scale: str, exhibits: Iterable[str]) -> Side:
    """What `collect` left under folder/<scale>/tidy. UserError if it holds none of the exhibits."""
    side = _read(Side(str(folder), scale), folder / scale / "tidy", exhibits)
    return _with_results(
        side, f"{scale}/tidy/<exhibit>/rows.csv in {folder}", "run `make reports` for that folder"
    )


def _read(side: Side, folder: Path, exhibits: Iterable[str]) -> Side:
    """The side with the tidy folders of its exhibits that lie in `folder`."""
    for exhibit in exhibits:
        if (folder / exhibit / "rows.csv").is_file():
            with side.reading():
                side.tidy[exhibit] = _as_committed(load_collected(folder / exhibit, exhibit, side.scale))
            side.places[exhibit] = folder / exhibit
    return side


def from_evidence(folder: Path, scale: str, exhibits: Iterable[str]) -> Side:
    """The committed evidence of a scale as it lies in this checkout. UserError if there is none."""
    side = Side(f"evidence of {scale}", scale, remedy=restore(folder / scale))
    side = _read(side, folder / scale, exhibits)
    return _with_results(side, f"<exhibit>/rows.csv in {folder / scale}", f"run `make reports SCALE={scale}`")


def from_revision(revision: str, scale: str, exhibits: Iterable[str]) -> Side:
    """The evidence and the plans that a git revision holds. UserError if it has none for this scale, or damaged."""
    return _with_results(
        read_revision(revision, scale, exhibits),
        f"{EVIDENCE}/{scale}/ at {revision}",
        f"commit what `make reports SCALE={scale}` writes to {EVIDENCE}/",
    )


def read_revision(revision: str, scale: str, exhibits: Iterable[str]) -> Side:
    """The same, and a side without results for a revision that has none. UserError for damaged ones."""
    commit = _commit(revision)
    side = Side(f"{revision} ({commit[:9]})", scale, revision=revision, remedy=COMMIT_AGAIN)
    if _git("ls-tree", "-d", "--name-only", f"{commit}:{EVIDENCE}/{scale}"):
        unpacked = TemporaryDirectory(prefix="evidence-")
        _unpack(commit, f"{EVIDENCE}/{scale}", Path(unpacked.name))
        folder = Path(unpacked.name) / EVIDENCE / scale
        return _read(replace(side, unpacked=unpacked), folder, exhibits)
    return _from_rows(side, revision, commit, exhibits)


def _unpack(commit: str, place: str, target: Path) -> None:
    done = subprocess.run(["git", "archive", "--format=tar", commit, place], capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(target, filter="data")


def _from_rows(side: Side, revision: str, commit: str, exhibits: Iterable[str]) -> Side:
    """The evidence of a revision from before it was whole folders: a table of rows each, and the plan."""
    scale = side.scale
    digests = _committed_digests(revision, commit, scale)
    for exhibit in exhibits:
        text = _git("show", f"{commit}:{EVIDENCE}/{scale}/{exhibit}.csv")
        plan = _git("show", f"{commit}:params/plan/{scale}/{exhibit}.yaml")
        if text is not None:
            path = Path(f"{revision}:{EVIDENCE}/{scale}/{exhibit}.csv")
            with side.reading():
                tidy = from_commit(text, plan, exhibit, scale, path, COMMIT_AGAIN)
            side.tidy[exhibit] = _as_committed(tidy)
            if digests is not None:
                _check_whole(side.tidy[exhibit].rows, digests.get(exhibit) or {}, path)
    return side


def _with_results(side: Side, expected: str, remedy: str) -> Side:
    if not side.tidy:
        raise UserError(
            f"no results of scale {side.scale}",
            expected=expected,
            found="none",
            remedy=f"{remedy}, or name another base",
        )
    return side


def with_knobs_of(side: Side, other: Side) -> Side:
    """`side` with a column for every knob of `other`, in its order, so that one code draws both: knobs come with time.

    A column that `side` lacks is empty.
    """
    tidy = dict(side.tidy)
    for exhibit in tidy.keys() & other.tidy.keys():
        rows = tidy[exhibit].rows
        columns = list(dict.fromkeys([*_knobs(other.tidy[exhibit].rows), *rows.columns]))
        absent = [name for name in columns if name not in rows.columns]
        tidy[exhibit] = tidy[exhibit]._replace(rows=rows.assign(**dict.fromkeys(absent, ""))[columns])
    return replace(side, tidy=tidy)


def aligned(base: Side, here: Side) -> Side:
    """`base` with its cells called as those cells of `here` that have the same settings.

    A cell is called by its place in the grid. A setting that both sides have is compared with itself, wherever it
    stands. The others meet by place, so that an edited value is one number that moved; but not between scales, whose
    grids have other places.
    """
    tidy = dict(base.tidy)
    for exhibit in base.tidy.keys() & here.tidy.keys():
        rows, causes = tidy[exhibit]
        names = _names(rows, here.tidy[exhibit].rows, base.scale == here.scale)
        renamed = rows.assign(run=rows["run"].map(lambda run, names=names: _renamed(run, names)))
        runs = {_renamed(name, names): run for name, run in causes["runs"].items()}
        tidy[exhibit] = Tidy(renamed, Provenance(**{**causes, "runs": runs}))
    return replace(base, tidy=tidy)


def aligned_curves(base: Side, here: Side, exhibit: str) -> pd.DataFrame:
    """The base's learning curves of an exhibit with its cells called as those of `here`, as `aligned` does it."""
    curves = base.curves(exhibit)
    if curves.empty or exhibit not in here.tidy:
        return curves
    names = _names(base.tidy[exhibit].rows, here.tidy[exhibit].rows, base.scale == here.scale)
    return curves.assign(run=curves["run"].map(lambda run: _renamed(run, names)))


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
    knobs = _knobs(rows)
    cells_by_setting: dict[tuple[tuple[str, str], ...], set[str]] = {}
    for row in rows.to_dict(orient="records"):
        setting = tuple(sorted((knob, row[knob]) for knob in knobs if row[knob] != ""))
        cells_by_setting.setdefault(setting, set()).add(cell_name(row["run"]))
    return {setting: cells.pop() for setting, cells in cells_by_setting.items() if len(cells) == 1}


def _knobs(rows: pd.DataFrame) -> list[str]:
    return [name for name in rows.columns if name not in COLUMNS]


def _renamed(run: str, names: Mapping[str, str]) -> str:
    """A run's id, or its stage and id, with its cell called anew."""
    stage, slash, name = run.rpartition("/")
    cell = cell_name(name)
    return f"{stage}{slash}{names.get(cell, cell)}{name.removeprefix(cell)}"


def _committed_digests(revision: str, commit: str, scale: str) -> dict[str, Any] | None:
    """What the metrics file of a revision says of each exhibit; None if it has none. UserError if it is broken."""
    text, path = _git("show", f"{commit}:{METRICS}/{scale}.json"), Path(f"{revision}:{METRICS}/{scale}.json")
    try:
        digests = {} if text is None else json.loads(text)
    except ValueError as error:
        raise damaged("metrics in JSON", str(error), path, COMMIT_AGAIN) from error
    if not isinstance(digests, dict):
        raise damaged("metrics in JSON", f"a {type(digests).__name__}", path, COMMIT_AGAIN)
    return None if text is None else digests


def _check_whole(rows: pd.DataFrame, digested: Mapping[str, Any], path: Path) -> None:
    """UserError unless the rows give the means that were committed with them: a cut file has lost some."""
    means = cell_means(rows.to_dict(orient="records"))
    for cell in sorted({*means, *digested}):
        if means.get(cell) != digested.get(cell):
            expected = f"the means {digested.get(cell, 'of no cell')} of {cell}, as the metrics of its commit have them"
            raise damaged(expected, str(means.get(cell, "no rows")), path, COMMIT_AGAIN)


def _as_committed(tidy: Tidy) -> Tidy:
    """Rows to ten digits, so that a number on its way through a record is the number that it was."""
    return tidy._replace(rows=tidy.rows.assign(value=tidy.rows["value"].map(rounded)))


def _commit(revision: str) -> str:
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if commit is None:
        raise UserError(
            f"nothing to compare with{nearest(revision, names())}",
            expected=f"a git revision, a folder of results or a scale ({', '.join(names())})",
            found=f"{revision or 'nothing'}, which is none of them",
            remedy="try HEAD, a branch, or the path of another results folder",
        )
    return commit.strip()


def _git(*words: str) -> str | None:
    done = subprocess.run(["git", *words], capture_output=True, text=True, encoding="utf-8")
    return done.stdout if done.returncode == 0 else None
