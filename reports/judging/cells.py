"""An exhibit's numbers as a table of cells by seeds, for the claims: what was measured, and what is missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from common.names import cell_name, seed_of
from reports.judging.choice import SPLIT, choose
from reports.judging.keys import Key, identity, named, without
from reports.judging.selection import UNKNOWN, Missing, Row
from reports.reading.exhibit import Evidence
from reports.reading.knobs import canonical
from reports.reading.paper import knobs_of
from reports.reading.tidy import DIVERGED

OWN = "own"  # the label of blocks that are ours and not the paper's


@dataclass(frozen=True)
class Cells:
    """keys: each cell's knob values and its metric. values: (cells, seeds), NaN where a seed has no result.

    diverged: bool of the same shape, where it has none because its training diverged.
    """

    keys: Sequence[Key]
    values: np.ndarray
    diverged: np.ndarray = field(default=None)

    def __post_init__(self) -> None:
        if self.diverged is None:
            object.__setattr__(self, "diverged", np.zeros(self.values.shape, bool))

    def at(self, places: Sequence[int], keys: Sequence[Key] | None = None) -> Cells:
        """Some of the cells, with other keys if any are given."""
        kept = [self.keys[place] for place in places] if keys is None else keys
        return Cells(kept, self.values[list(places)], self.diverged[list(places)])

    def of_metrics(self, names: Iterable[str]) -> Cells:
        """The cells of some metrics; Missing if there are none."""
        names = list(names)
        kept = [place for place, key in enumerate(self.keys) if key["metric"] in names]
        if not kept:
            raise Missing([f"metric {' or '.join(names)}"])
        return self.at(kept)

    def tuned(self, knobs: Sequence[str]) -> Cells:
        """Of the cells that differ in `knobs` alone, the one that validation chooses, with its values on the test set.

        In an exhibit without splits all cells stay as they are.
        """
        if not self.has_splits(knobs):
            return self
        chosen = choose(self.keys, self.values, self.diverged, knobs)
        for choice in chosen:
            if choice.missing:
                raise Missing(choice.missing)
        return self.at([choice.place for choice in chosen], [choice.cell for choice in chosen])

    def has_splits(self, knobs: Sequence[str]) -> bool:
        """Whether there is anything to choose."""
        return bool(knobs) and any(key.get(SPLIT) for key in self.keys)

    def complete(self, rows: Sequence[Row], of: str = "every") -> np.ndarray:
        """The values (cells, seeds) if they suffice for `of` the rows; else Missing, which names the incomplete cells.

        They suffice if two seeds (or the only seed) have all the cells of a row; for a mean, the cells of all rows.
        """
        has = ~np.isnan(self.values)
        needed = max(1, min(2, self.values.shape[1]))
        used = np.stack([row.needs for row in rows])
        for cells in used.any(axis=0, keepdims=True) if of == "mean" else used:
            if has[cells].all(axis=0).sum() < needed:
                never = [place for place in np.flatnonzero(cells) if not has[place].any()]
                lacking = never or [place for place in np.flatnonzero(cells) if not has[place].all()]
                raise Missing([self._lacking(place) for place in lacking])
        return self.values

    def left_out(self, rows: Sequence[Row]) -> list[str]:
        """The cells of these rows in which a seed diverged, and how many seeds did."""
        used = np.stack([row.needs for row in rows]).any(axis=0)
        return [self._lacking(place) for place in np.flatnonzero(used & self.diverged.any(axis=1))]

    def _lacking(self, place: int) -> str:
        has, lost = int((~np.isnan(self.values[place])).sum()), int(self.diverged[place].sum())
        whole = self.values.shape[1]
        said = [f"{has} of {whole} seeds"] if has and has + lost < whole else []
        said += [f"diverged in {lost} of {whole} seeds"] if lost else []
        return named(self.keys[place]) + (f" ({', '.join(said)})" if said else "")


def of_evidence(evidence: Evidence, metrics: Sequence[str]) -> Cells:
    """The measured cells, and without values the planned cells that no run has filled; not the cells that we added."""
    measured, knobs = evidence.measured, evidence.knobs
    absent = _absent(evidence, knobs, metrics)
    if OWN in knobs:
        measured, knobs = measured[measured[OWN] == ""], [knob for knob in knobs if knob != OWN]
        absent = [without(key, [OWN]) for key in absent if key[OWN] in ("", UNKNOWN)]
    present = _table(measured, knobs, metrics, set(_runs_that_diverged(evidence)))
    known = {identity(key) for key in present.keys}
    absent = [key for key in absent if identity(key) not in known]
    # A seed of which no run is made yet has no column either.
    own = {cell for cell, said in evidence.provenance.get("missing_cells", {}).items() if said.get(OWN)}
    seeds = {seed_of(run) for run in evidence.missing if _cell_of(run) not in own} - {"", *measured["seed"]}
    wider = ((0, len(absent)), (0, len(seeds)))
    return Cells(
        [*present.keys, *absent],
        np.pad(present.values, wider, constant_values=np.nan),
        np.pad(present.diverged, wider),
    )


def of_paper(paper: pd.DataFrame) -> Cells:
    """The paper's numbers, as if of one seed."""
    numbers = paper[paper["number"].notna()].assign(seed="0", run="", value=lambda frame: frame["number"])
    return _table(numbers, knobs_of(paper), list(numbers["metric"].unique()), set())


def _runs_that_diverged(evidence: Evidence) -> Iterable[str]:
    return evidence.rows.loc[evidence.rows["metric"] == DIVERGED, "run"]


def _table(frame: pd.DataFrame, knobs: Sequence[str], metrics: Sequence[str], lost: set[str]) -> Cells:
    rows = frame[frame["metric"].isin(metrics)]
    shape = {"index": [*knobs, "metric"], "columns": "seed"}
    values = rows.pivot(**shape, values="value")
    diverged = rows.assign(diverged=rows["run"].isin(lost).astype(float)).pivot(**shape, values="diverged")
    names = values.index.to_frame(index=False).astype(str)
    return Cells(names.to_dict(orient="records"), values.to_numpy(float), diverged.to_numpy(float) == 1)


def _absent(evidence: Evidence, knobs: Sequence[str], metrics: Sequence[str]) -> list[dict[str, str]]:
    """Cells of missing runs. Where nothing says their knobs, in older evidence, other runs tell: ids are places."""
    planned = evidence.provenance.get("missing_cells", {})
    measured = evidence.measured
    known = {
        frozenset(cell_name(run).split("-")): row
        for run, row in zip(measured["run"], measured.to_dict(orient="records"), strict=True)
    }
    keys = []
    for run in evidence.missing:
        cell = _cell_of(run)
        said, tokens = planned.get(cell), cell.split("-")
        values = {
            knob: _value(knob, tokens, known) if said is None else canonical(said.get(knob, ""))
            for knob in knobs
        }
        keys += [{**values, "metric": name} for name in metrics]
    return list({identity(key): key for key in keys}.values())


def _cell_of(run: str) -> str:
    """The cell of "<stage>/<run>"."""
    return cell_name(run.rpartition("/")[2])


def _value(knob: str, tokens: Sequence[str], known: Mapping[frozenset, Mapping[str, str]]) -> str:
    telling = {token for token in tokens if re.fullmatch(rf"part\d+|{re.escape(knob)}\d+", token)}
    return next((row[knob] for other, row in known.items() if telling <= other), UNKNOWN)
