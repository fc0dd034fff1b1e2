"""What a drawing says of itself: the record beside every figure and table, for readers and for the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

import pandas as pd

from common.files import read_json
from reports.reading.exhibit import Evidence
from reports.reading.judged import Tested
from reports.reading.lineage import factored
from reports.reading.summary import summarize, values_of
from reports.reading.tidy import LARGEST, check_of, check_types, damaged

KINDS = dict.fromkeys(("section", "title", "caption"), str) | {"partial": bool, "provenance": dict}
KINDS |= dict.fromkeys(("missing", "standing", "notes", "files", "seeds", "raw", "claims"), list)


class Record(TypedDict):
    """An exhibit as it was drawn, in plain values, with its keys in this order.

    standing: the words under the drawing. notes: everything else that a reader may want to know. raw: the rows as
    collected. measured: mean and spread by cell. provenance: as in reports.reading.tidy, factored by stage.
    """

    exhibit: str
    label: str
    kind: str
    section: str
    title: str
    caption: str
    is_papers: bool
    scale: str
    banner: str | None
    thinned: str | None
    partial: bool
    missing: list[str]
    standing: list[str]
    notes: list[str]
    files: list[str]
    knobs: dict[str, list[str]]
    seeds: list[str]
    measured: list[dict[str, Any]]
    raw: list[dict[str, Any]]
    paper: list[dict[str, Any]]
    claims: list[Tested]
    provenance: dict[str, Any]


def record(
    evidence: Evidence,
    files: Sequence[str],
    *,
    banner: str | None,
    standing: Sequence[str],
    notes: Sequence[str],
) -> Record:
    """The whole of `evidence`, which was judged; `files` are the names of what is drawn."""
    exhibit, measured = evidence.exhibit, evidence.measured
    return Record(
        exhibit=exhibit.id,
        label=exhibit.label,
        kind=exhibit.kind,
        section=exhibit.section,
        title=exhibit.title,
        caption=exhibit.caption,
        is_papers=exhibit.is_papers,
        scale=exhibit.scale,
        banner=banner,
        thinned=exhibit.thinned,
        partial=bool(evidence.missing),
        missing=list(evidence.missing),
        standing=list(standing),
        notes=list(notes),
        files=list(files),
        knobs={knob: values_of(measured, knob) for knob in evidence.knobs},
        seeds=values_of(measured, "seed"),
        measured=_rows(summarize(measured, evidence.knobs)),
        raw=_rows(evidence.rows),
        paper=_rows(evidence.paper.drop(columns="number")),
        claims=evidence.judged["claims"],
        provenance=factored(evidence.provenance),
    )


def read_record(path: Path, scale: str, exhibit: str, remedy: str) -> Record:
    """The record that `reports.draw` left at `path`. UserError if what a page needs of it is damaged."""
    record = read_json(path, remedy)
    check_types(record, KINDS, path, remedy)
    check_types(record["provenance"], {"runs": dict, "versions": dict}, path, remedy)
    check_of(record, exhibit, scale, path, remedy)
    for row in record["raw"]:
        number = row.get("value") if isinstance(row, dict) and {"metric", "run"} <= row.keys() else None
        if not isinstance(number, int | float) or not abs(number) <= LARGEST:
            raise damaged("measured rows with metric, run and a finite number", f"{row!r:.120}", path, remedy)
    return record


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    plain = frame.astype(object).where(frame.notna(), None)
    return plain.to_dict(orient="records")
