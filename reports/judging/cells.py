"""An exhibit's numbers as a table of cells by seeds, for the claims: what was measured, and what is missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports.digest import cell_name
from reports.evidence import PAPER_COLUMNS, Evidence
from reports.judging.contrast import UNKNOWN, Missing, Row


@dataclass(frozen=True)
class Cells:
    """keys: each cell's knob values and its metric. values: (cells, seeds), NaN where a seed has no result."""

    keys: Sequence[Mapping[str, str]]
    values: np.ndarray

    def of_metrics(self, names: Iterable[str]) -> Cells:
        """The cells of some metrics; Missing if there are none."""
        names = list(names)
        kept = [place for place, key in enumerate(self.keys) if key["metric"] in names]
        if not kept:
            raise Missing([f"metric {' or '.join(names)}"])
        return Cells([self.keys[place] for place in kept], self.values[kept])

    def tuned(self, knobs: Sequence[str]) -> Cells:
        """Of cells that differ in `knobs` alone, the one that is best on validation, with its values on the test split.

        Cells of an exhibit that does not tell splits apart stay as they are.
        """
        if not knobs or not any(key.get("split") for key in self.keys):
            return self
        groups: dict[tuple, list[int]] = {}
        for place, key in enumerate(self.keys):
            groups.setdefault(_identity(_without(key, [*knobs, "split"])), []).append(place)
        chosen = [self._test_of_best(places) for places in groups.values()]
        return Cells([_without(self.keys[place], [*knobs, "split"]) for place in chosen], self.values[chosen])

    def _test_of_best(self, places: Sequence[int]) -> int:
        validation = [place for place in places if self.keys[place]["split"] == "validation"]
        whole = [place for place in validation if not np.isnan(self.values[place]).any()]
        if (
            len(whole) < len(validation) or not validation
        ):  # a choice among those that finished would be another choice
            raise Missing([_named(self.keys[place]) for place in set(validation) - set(whole) or places])
        best = self.keys[max(validation, key=lambda place: self.values[place].mean())] | {"split": "test"}
        found = [place for place in places if self.keys[place] == best]
        if not found:
            raise Missing([_named(best)])
        return found[0]

    def complete(self, rows: Sequence[Row], of: str = "every") -> np.ndarray:
        """The values (cells, seeds) if they suffice for `of` the rows, else Missing, which names the cells that lack.

        They do if two seeds, or the one there is, have all the cells of a row (of all rows, for their mean).
        """
        has = ~np.isnan(self.values)
        needed = max(1, min(2, self.values.shape[1]))
        used = np.stack([row.weights != 0 for row in rows])
        for cells in used.any(axis=0, keepdims=True) if of == "mean" else used:
            if has[cells].all(axis=0).sum() < needed:
                never = [place for place in np.flatnonzero(cells) if not has[place].any()]
                lacking = never or [place for place in np.flatnonzero(cells) if not has[place].all()]
                raise Missing([self._lacking(place) for place in lacking])
        return self.values

    def _lacking(self, place: int) -> str:
        seeds, whole = int((~np.isnan(self.values[place])).sum()), self.values.shape[1]
        return _named(self.keys[place]) + (f" ({seeds} of {whole} seeds)" if seeds else "")


def of_evidence(evidence: Evidence, metrics: Sequence[str]) -> Cells:
    """What was measured, and as cells without values what the plan names and no run has left."""
    found = _table(evidence.measured, evidence.knobs, metrics)
    known = {_identity(key) for key in found.keys}
    absent = [key for key in _absent(evidence, metrics) if _identity(key) not in known]
    nothing = np.full((len(absent), found.values.shape[1]), np.nan)
    return Cells([*found.keys, *absent], np.concatenate([found.values, nothing]))


def of_paper(paper: pd.DataFrame) -> Cells:
    """The paper's numbers, as if of one seed."""
    knobs = [column for column in paper.columns if column not in (*PAPER_COLUMNS, "number")]
    numbers = paper[paper["number"].notna()].assign(seed="0", value=lambda frame: frame["number"])
    return _table(numbers, knobs, list(numbers["metric"].unique()))


def _table(frame: pd.DataFrame, knobs: Sequence[str], metrics: Sequence[str]) -> Cells:
    rows = frame[frame["metric"].isin(metrics)]
    wide = rows.pivot(index=[*knobs, "metric"], columns="seed", values="value")
    names = wide.index.to_frame(index=False).astype(str)
    return Cells(names.to_dict(orient="records"), wide.to_numpy(float))


def _absent(evidence: Evidence, metrics: Sequence[str]) -> list[dict[str, str]]:
    """Cells whose runs are all missing. An id holds positions in the grid: other runs tell which values these are."""
    known = {
        frozenset(cell_name(run).split("-")): row
        for run, row in zip(
            evidence.measured["run"], evidence.measured.to_dict(orient="records"), strict=True
        )
    }
    found = []
    for run in evidence.missing:
        tokens = cell_name(run.split("/")[-1]).split("-")
        values = {knob: _value(knob, tokens, known) for knob in evidence.knobs}
        found += [{**values, "metric": name} for name in metrics]
    return list({_identity(key): key for key in found}.values())


def _value(knob: str, tokens: Sequence[str], known: Mapping[frozenset, Mapping[str, str]]) -> str:
    telling = {token for token in tokens if re.fullmatch(rf"part\d+|{re.escape(knob)}\d+", token)}
    return next((row[knob] for other, row in known.items() if telling <= other), UNKNOWN)


def _without(key: Mapping[str, str], knobs: Sequence[str]) -> dict[str, str]:
    return {knob: value for knob, value in key.items() if knob not in knobs}


def _identity(key: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(key.items()))


def _named(key: Mapping[str, str]) -> str:
    where = ", ".join(f"{knob}={value}" for knob, value in key.items() if knob != "metric" and value)
    return f"{key['metric']} of {where}" if where else key["metric"]
