"""What a drawing says of itself: the record beside every figure and table, for readers and for the index."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from reports.evidence import Evidence
from reports.summary import summarize, values_of
from reports.verdict import results

NAMED = 6  # missing runs that a drawing names; its record names all


def label(exhibit: str) -> str:
    """figure_08 is Figure 8 in print, table_b1 is Table B.1."""
    kind, number = exhibit.split("_", 1)
    printed = str(int(number)) if number.isdigit() else f"{number[0].upper()}.{number[1:]}"
    return f"{kind.capitalize()} {printed}"


def banner(scale: str) -> str | None:
    """The warning that every smoke result carries."""
    return "Scale smoke: these numbers prove the pipeline, not the paper." if scale == "smoke" else None


def standing(evidence: Evidence) -> list[str]:
    """What stands under a drawing: the banner if it shows numbers, thinning, and missing runs by name."""
    exhibit = evidence.exhibit
    is_picture = exhibit.kind == "figure" and not exhibit.knobs  # it compares nothing, so it prints no number
    said = [
        banner(exhibit.scale) if len(evidence.measured) and not is_picture else None,
        exhibit.thinned and f"Thinned at scale {exhibit.scale}: {exhibit.thinned.rstrip('.')}.",
    ]
    if imported := {
        run["imported"]["checkpoint"] for run in evidence.provenance["runs"].values() if run.get("imported")
    }:
        said.append(f"Published weights in the place of pretraining: {', '.join(sorted(imported))}.")
    if evidence.missing:
        rest = len(evidence.missing) - NAMED
        names = [
            *evidence.missing[:NAMED],
            *([f"and {rest} more, all named in the record"] if rest > 0 else []),
        ]
        said.append(f"PARTIAL: {len(evidence.missing)} missing: {', '.join(names)}.")
    return [line for line in said if line]


def record(evidence: Evidence, endings: Sequence[str]) -> dict[str, Any]:
    """The whole of `evidence` as plain JSON values, keys in a fixed order; `endings` name the files drawn."""
    exhibit, measured = evidence.exhibit, evidence.measured
    return {
        "exhibit": exhibit.id,
        "label": label(exhibit.id),
        "kind": exhibit.kind,
        "section": exhibit.section,
        "title": exhibit.title,
        "caption": exhibit.caption,
        "scale": exhibit.scale,
        "banner": banner(exhibit.scale),
        "thinned": exhibit.thinned,
        "partial": bool(evidence.missing),
        "missing": list(evidence.missing),
        "standing": standing(evidence),
        "files": [f"{exhibit.id}.{ending}" for ending in endings],
        "knobs": {knob: values_of(measured, knob) for knob in evidence.knobs},
        "seeds": values_of(measured, "seed"),
        "measured": _rows(summarize(measured, evidence.knobs)),
        "raw": _rows(measured),
        "paper": _rows(evidence.paper.drop(columns="number")),
        "claims": results(evidence),
        "provenance": dict(evidence.provenance),
    }


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    plain = frame.astype(object).where(frame.notna(), None)
    return plain.to_dict(orient="records")
