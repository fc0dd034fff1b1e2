"""What stands under a drawing: that it proves nothing at a small scale, how it is thinned, what is missing."""

from __future__ import annotations

from reports.reading.exhibit import Evidence
from reports.reading.tidy import DIVERGED

NAMED = 2  # missing runs that a drawing names; its record names all


def banner(scale: str) -> str | None:
    """The warning that every smoke result carries."""
    return "Scale smoke: these numbers prove the pipeline, not the paper." if scale == "smoke" else None


def standing(evidence: Evidence) -> list[str]:
    """The banner if it shows numbers, whose exhibit it is, thinning, and missing and diverged runs by name."""
    exhibit = evidence.exhibit
    is_picture = exhibit.kind == "figure" and not exhibit.knobs  # it compares nothing, so it prints no number
    runs = evidence.provenance["runs"].values()
    imported = sorted({run["imported"]["checkpoint"] for run in runs if run.get("imported")})
    diverged = list(evidence.rows.loc[evidence.rows["metric"] == DIVERGED, "run"])
    said = {
        banner(exhibit.scale) or "": len(evidence.measured) and not is_picture,
        "Not an exhibit of the paper: our own.": not exhibit.is_papers,
        f"Thinned at scale {exhibit.scale}: {(exhibit.thinned or '').rstrip('.')}.": exhibit.thinned,
        f"Published weights in the place of pretraining: {', '.join(imported)}.": imported,
        f"PARTIAL: {len(evidence.missing)} missing: {_named(evidence.missing)}.": evidence.missing,
        f"{len(diverged)} diverged: {_named(diverged)}.": diverged,
    }
    return [line for line, applies in said.items() if line and applies]


def _named(runs: list[str] | tuple[str, ...]) -> str:
    rest = len(runs) - NAMED
    return ", ".join([*runs[:NAMED], *([f"and {rest} more, all named in the record"] if rest > 0 else [])])
