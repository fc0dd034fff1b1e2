"""What a drawing says of itself: the record beside every figure and table, for readers and for the index."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from reports.evidence import LARGEST, Evidence
from reports.files import ReportError, check_types, read_json
from reports.summary import summarize, values_of
from reports.verdict import NOTHING, results

Run = Mapping[str, Any]  # what decided the numbers of one run of one stage
OF_A_RUN = ("fingerprint", "upstream", "seed")  # even where a stage has one run
KINDS = dict.fromkeys(("section", "title", "caption"), str) | {"partial": bool, "provenance": dict}
KINDS |= dict.fromkeys(("missing", "standing", "files", "seeds", "raw", "claims"), list)
OF_A_CLAIM = {"id", "type", *NOTHING}  # what a verdict needs of it
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
        "provenance": factored(evidence.provenance),
    }


def read_record(path: Path, scale: str, exhibit: str, remedy: str) -> dict[str, Any]:
    """The record that `reports.draw` left at `path`. ReportError if what a page or a verdict needs of it is damaged."""
    found = read_json(path, "the record of a drawing", remedy)
    check_types(found, KINDS, path, remedy)
    check_types(found["provenance"], {"runs": dict, "versions": dict}, path, remedy)
    for key, expected in {"scale": scale, "exhibit": exhibit}.items():
        if found.get(key) != expected:
            raise ReportError(f"expected {key} {expected!r} in {path}; found {found.get(key)!r}. {remedy}")
    for claim in found["claims"]:
        if not isinstance(claim, dict) or not claim.keys() >= OF_A_CLAIM:
            raise ReportError(
                f"expected objects under 'claims' in {path}, with {', '.join(sorted(OF_A_CLAIM))}; "
                f"found {claim!r:.120}. {remedy}"
            )
    for row in found["raw"]:
        number = row.get("value") if isinstance(row, dict) and {"metric", "run"} <= row.keys() else None
        if not isinstance(number, int | float) or not abs(number) <= LARGEST:
            raise ReportError(
                f"expected measured rows with metric, run and a finite number in {path}; found {row!r:.120}. {remedy}"
            )
    return found


def factored(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Provenance that says once, under "stages", what the runs of a stage share; `runs_of` puts it together again."""
    runs: dict[str, Run] = provenance["runs"]
    by_stage: dict[str, list[Run]] = {}
    for name, run in runs.items():
        by_stage.setdefault(name.split("/", 1)[0], []).append(run)
    stages = {stage: _common(of_stage) for stage, of_stage in sorted(by_stage.items())}
    own = {name: _own(run, stages[name.split("/", 1)[0]]) for name, run in runs.items()}
    return {**provenance, "stages": stages, "runs": own}


def runs_of(record: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What decided the numbers of each run, "<stage>/<run>", whole: of its stage and its own."""
    provenance = record["provenance"]
    found = {}
    for name, own in provenance["runs"].items():
        stage = provenance.get("stages", {}).get(name.split("/", 1)[0], {})
        found[name] = {**stage, **own}
        if "bindings" in found[name]:
            found[name]["bindings"] = {**(stage.get("bindings") or {}), **(own.get("bindings") or {})}
    return found


def _common(runs: Sequence[Run]) -> dict[str, Any]:
    """The entries that are equal in all runs, and of bindings those that are."""
    first, *rest = runs
    kept = {
        key: value
        for key, value in first.items()
        if key not in (*OF_A_RUN, "bindings") and all(key in run and run[key] == value for run in rest)
    }
    bindings = [run.get("bindings") or {} for run in runs]
    shared = {
        name: value
        for name, value in bindings[0].items()
        if all(name in each and each[name] == value for each in bindings)
    }
    return kept | ({"bindings": shared} if shared else {})


def _own(run: Run, common: Run) -> dict[str, Any]:
    own = {key: value for key, value in run.items() if key not in common}
    shared = common.get("bindings", {})
    bindings = {name: value for name, value in (run.get("bindings") or {}).items() if name not in shared}
    return own | {"bindings": bindings} if bindings else own


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    plain = frame.astype(object).where(frame.notna(), None)
    return plain.to_dict(orient="records")
