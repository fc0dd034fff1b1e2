"""What is said of a claim's numbers: effects with intervals and units, tests, and why a verdict is what it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reports.page.compared import selection
from reports.reading.notation import metric
from reports.reading.verdicts import FILE

KINDS = {
    "D": "difference",
    "R": "rank or trend",
    "E": "equivalence",
    "A": "analytic",
    "report": "number only",
}
NAMED = 6  # of what a claim misses; its file names all
MINUS = "\N{MINUS SIGN}"


def kind_of(record: Mapping[str, Any]) -> str:
    """How the claim is tested and on what: difference of top-1 accuracy."""
    labels = [metric(name).label for name in filter(None, str(record["metric"] or "").split(", "))]
    kind = KINDS.get(record["type"], record["type"] or "")
    names = [label[:1].lower() + label[1:] for label in labels]
    listed = " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
    between = ": " if record["type"] == "report" else " of "
    return f"{kind}{between}{listed}" if kind and listed else kind


def numbers_of(record: Mapping[str, Any]) -> list[str]:
    """What was measured, each fact a phrase: effect with interval, n, test, p, the paper's effect."""
    said = []
    if record["effect"] is not None:
        said.append(f"effect {effect_of(record)}{_at(record['at'])}")
    if record["comparisons"] is not None:
        said.append(_comparisons(record["comparisons"]))
    if record["n"] is not None:
        said.append(f"n = {record['n']}")
    if record["test"] and record["test"] not in (record["reason"] or ""):
        said.append(str(record["test"]))
    if record["p"] is not None and record["type"] != "A":
        corrected = [
            _p(record[name], method)
            for name, method in {"p_bh": "Benjamini-Hochberg", "p_holm": "Holm"}.items()
            if record[name] is not None
        ]
        of = "of its opposite: " if record["verdict"] == "contradicted" else ""
        said.append(_p(record["p"], "p") + (f" ({of}{', '.join(corrected)})" if corrected else ""))
    if record["paper_effect"] is not None:
        said.append(f"paper {papers_effect(record)}")
    return said


def _comparisons(count: int) -> str:
    return f"the least certain of {count} comparisons" if count > 1 else "the only comparison here"


def _at(place: Mapping[str, str] | None) -> str:
    """Which of several comparisons an effect is of: "" where nothing tells it from the others."""
    return f" at {selection(place)}" if place else ""


def notes_of(record: Mapping[str, Any]) -> list[str]:
    """Why the verdict is what it is, what would settle it, and the paper's words."""
    reason = record["reason"] or ""
    smallest = record["min_scale"] if record["verdict"] == "not run" and not reason else None
    seeds = record["seeds_needed"]
    notes = {
        "": reason,
        "Seeds that would settle it: ": None if f"{seeds} seeds" in reason else seeds,
        "Smallest scale at which it makes sense: ": smallest,
        "Missing: ": _listed(record["missing"]),
        "Left out: ": _listed(record["diverged"]),
        "The paper: ": record["paper_says"],
    }
    return [f"{before}{after}" for before, after in notes.items() if after not in (None, "")]


def _listed(missing: Any) -> str:
    """The first of what is missing by name, and how many more there are."""
    if not isinstance(missing, list):
        return str(missing or "")
    rest = len(missing) - NAMED
    more = [f"and {rest} more, all named in {FILE}"] if rest > 0 else []
    return ", ".join([*map(str, missing[:NAMED]), *more])


def signed(value: Any) -> str:
    """A number with its sign and three digits, and with a real minus; words as they are."""
    return f"{value:+.3g}".replace("-", MINUS) if is_number(value) else str(value)


def effect_of(record: Mapping[str, Any]) -> str:
    """An effect with its interval and unit ("+3.2 [+1, +5] points", "9 of 12"), or "" if there is none."""
    effect, unit = record["effect"], record["unit"] or ""
    if effect is None or not is_number(effect):
        return str(effect or "")
    if unit.startswith("of "):
        return f"{effect:g} {unit}"
    bounds = (record["low"], record["high"])
    interval = "" if None in bounds else f" [{signed(bounds[0])}, {signed(bounds[1])}]"
    return f"{signed(effect)}{interval} {unit}".rstrip()


def papers_effect(record: Mapping[str, Any]) -> str:
    """The paper's effect as ours is said, over its own denominator if it counts; "" if it has none.

    It says of which comparison it is where that is another than ours.
    """
    unit = record["unit"] if record["paper_unit"] is None else record["paper_unit"]
    said = effect_of({**record, "effect": record["paper_effect"], "unit": unit, "low": None})
    return said + _at(record["paper_at"]) if said and record["paper_at"] != record["at"] else said


def _p(value: Any, name: str) -> str:
    if not is_number(value):
        return f"{name} {value}"
    return f"{name} < 0.001" if value < 0.001 else f"{name} = {value:.2g}"


def is_number(value: Any) -> bool:
    """Whether it is a number; true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)
