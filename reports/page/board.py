"""The verdicts on the paper's claims as a page shows them: in the paper's order, with marks, words and intervals.

Reads <out>/<scale>/verdicts.json. It judges nothing: every number and every verdict is the file's own.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from common.files import read_json
from common.scales import value_at
from reports.reading.notation import metric
from reports.reading.tidy import damaged
from reports.reading.verdicts import FIELDS, FILE, PARTS, VERDICTS, Verdict, part_of
from reports.reading.words import Words

KINDS = {
    "D": "difference",
    "R": "rank or trend",
    "E": "equivalence",
    "A": "analytic",
    "report": "number without a verdict",
}
MEANINGS = {
    "confirmed": "our data show it",
    "contradicted": "our data show the opposite",
    "inconclusive": "too little data to tell",
    "not run": "nothing to judge it by here",
    "report": "as measured, without a test",
}
NAMED = 6  # of what a claim misses; its file names all
MINUS = "\N{MINUS SIGN}"
WIDTH, MARGIN = 136, 8  # of an interval, in pixels


class Interval(NamedTuple):
    """Where an effect, its 95 % interval, zero and the paper's effect stand on a line of WIDTH pixels.

    bounds: from where on an effect confirms, where that is not zero.
    """

    low: float
    high: float
    effect: float
    zero: float
    paper: float | None
    bounds: tuple[float, ...] = ()


class Direction(NamedTuple):
    """Which effect confirms a claim, in words, and the bounds other than zero that it has to pass."""

    words: str = ""
    bounds: tuple[float, ...] = ()


class Claim(NamedTuple):
    """One claim with its verdict and the words around it.

    direction: which effect confirms it. has_changed: since the scale was frozen.
    """

    record: Verdict
    id: str
    anchor: str
    verdict: str
    slug: str
    kind: str
    effect: str
    paper: str
    numbers: list[str]
    notes: list[str]
    words: Words
    direction: str
    has_changed: bool
    interval: Interval | None


class Said(NamedTuple):
    """What is said of claims elsewhere: the paper's words, which effect confirms, and what changed since the freeze."""

    words: Mapping[str, Words] = {}
    directions: Mapping[str, Direction] = {}
    changed: frozenset[str] = frozenset()


class Part(NamedTuple):
    """The claims of one part of the paper."""

    section: str
    title: str
    claims: list[Claim]


def load(folder: Path, scale: str, exhibits: Sequence[str], said: Said | None = None) -> list[Claim] | None:
    """The claims in the order of `exhibits`, or None if nothing has judged yet. UserError for a broken file."""
    path = folder / FILE
    if not path.exists():
        return None
    again = f"judge again: {judge(scale)}"
    document = read_json(path, again)
    records = document.get("claims") if isinstance(document, dict) else None
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise damaged("a list of objects under 'claims'", f"{records!r:.60}", path, again)
    known = {exhibit: place for place, exhibit in enumerate(exhibits)}
    claims = [_claim(dict.fromkeys(FIELDS) | record, said or Said(), path, again) for record in records]
    repeated = [name for name, times in Counter(claim.id for claim in claims).items() if times > 1]
    if repeated:
        raise damaged("each claim once", f"{repeated[0]} twice", path, again)
    return sorted(claims, key=lambda claim: known.get(claim.record["exhibit"], len(known)))


def judge(scale: str) -> str:
    """The command that writes the verdicts of a scale."""
    return f"python -m reports.verdict --scale {scale}"


def tally(claims: Iterable[Claim]) -> dict[str, int]:
    """How many claims have each verdict, in a fixed order, zeros too."""
    counted = Counter(claim.verdict for claim in claims)
    return {verdict: counted[verdict] for verdict in VERDICTS}


def parts(claims: Iterable[Claim]) -> list[Part]:
    """The claims by the part of the paper that their section belongs to."""
    groups: dict[str, list[Claim]] = {}
    for claim in claims:
        groups.setdefault(part_of(claim.record["section"]), []).append(claim)
    order = [*PARTS, *sorted(set(groups) - set(PARTS))]
    return [Part(name, PARTS.get(name, "Elsewhere"), groups[name]) for name in order if name in groups]


def directions(declared: Iterable[tuple[Mapping[str, Any], str]]) -> dict[str, Direction]:
    """Which effect confirms each claim, of the claims that exhibits declare, each with the scale."""
    return {name: _direction(body, scale) for claims, scale in declared for name, body in claims.items()}


def _direction(body: Mapping[str, Any], scale: str) -> Direction:
    if body.get("type") == "report":
        return Direction()
    if body.get("type") == "A":
        return Direction("exact agreement confirms")
    sides = list(dict.fromkeys(_side({**body, **own}, scale) for own in body.get("all") or [{}]))
    if len(sides) > 1:
        return Direction("confirmed where all its parts hold")
    of = str(body.get("of", "mean"))
    whole = {"mean": "", "every": ", in every comparison"}.get(of, f", in {of} of the comparisons or more")
    return Direction(f"an effect {sides[0].words} confirms{whole}", sides[0].bounds)


def _side(body: Mapping[str, Any], scale: str) -> Direction:
    """On which side of which bound the effect of one condition has to lie."""
    kind = next((name for name in ("above", "below", "within") if name in body), "above")
    value = body.get(kind, 0)
    if isinstance(value, Mapping):
        value = value_at(scale, value)
    if kind == "within":
        return Direction(f"between {signed(-value)} and {signed(value)}", (-value, value))
    return Direction(f"{kind} {signed(value) if value else 'zero'}", (value,) if value else ())


def _claim(record: Mapping[str, Any], said: Said, path: Path, again: str) -> Claim:
    name, verdict = str(record["id"]), record["verdict"] or "not run"
    direction = said.directions.get(name, Direction())
    if record["id"] is None or verdict not in VERDICTS:
        expected = f"an id and a verdict ({', '.join(VERDICTS)}) of each claim"
        raise damaged(expected, f"{verdict!r} of {record['id']!r}", path, again)
    return Claim(
        record=record,
        id=name,
        anchor=f"claim-{name}",
        verdict=verdict,
        slug=verdict.replace(" ", "-"),
        kind=_kind(record),
        effect=effect_of(record),
        paper=effect_of(_of_paper(record)),
        numbers=_numbers(record),
        notes=_notes(record),
        words=said.words.get(name, Words()),
        direction=direction.words,
        has_changed=name in said.changed,
        interval=_interval(record, direction.bounds),
    )


def _kind(record: Mapping[str, Any]) -> str:
    """How the claim is tested and on what: difference of top-1 accuracy."""
    labels = [metric(name).label for name in filter(None, str(record["metric"] or "").split(", "))]
    kind = KINDS.get(record["type"], record["type"] or "")
    names = [label[:1].lower() + label[1:] for label in labels]
    listed = " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
    return f"{kind} of {listed}" if kind and listed else kind


def _numbers(record: Mapping[str, Any]) -> list[str]:
    """What was measured, each fact a phrase: effect with interval, n, test, p, the paper's effect."""
    said = []
    if record["effect"] is not None:
        said.append(f"effect {effect_of(record)}")
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
        said.append(f"paper {effect_of(_of_paper(record))}")
    return said


def _notes(record: Mapping[str, Any]) -> list[str]:
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


def _interval(record: Mapping[str, Any], bounds: Sequence[float]) -> Interval | None:
    """The places in pixels; None unless effect and both its limits are numbers."""
    ours = [record[name] for name in ("low", "high", "effect")]
    if not all(_is_number(value) for value in ours):
        return None
    paper = record["paper_effect"] if _is_number(record["paper_effect"]) else None
    values = [*ours, 0.0, *bounds, *([] if paper is None else [paper])]
    start, span = min(values), (max(values) - min(values)) or 1.0
    low, high, effect, zero, *others = [
        round(MARGIN + (WIDTH - 2 * MARGIN) * (value - start) / span, 1) for value in values
    ]
    printed = None if paper is None else others[-1]
    return Interval(low, high, effect, zero, printed, tuple(others[: len(bounds)]))


def signed(value: Any) -> str:
    """A number with its sign and three digits, and with a real minus; words as they are."""
    return f"{value:+.3g}".replace("-", MINUS) if _is_number(value) else str(value)


def effect_of(record: Mapping[str, Any]) -> str:
    """An effect with its interval and unit ("+3.2 [+1, +5] points", "9 of 12"), or "" if there is none."""
    effect, unit = record["effect"], record["unit"] or ""
    if effect is None or not _is_number(effect):
        return str(effect or "")
    if unit.startswith("of "):
        return f"{effect:g} {unit}"
    bounds = (record["low"], record["high"])
    interval = "" if None in bounds else f" [{signed(bounds[0])}, {signed(bounds[1])}]"
    return f"{signed(effect)}{interval} {unit}".rstrip()


def _of_paper(record: Mapping[str, Any]) -> dict[str, Any]:
    """The paper's effect in the place of ours, over its own denominator if it counts."""
    unit = record["unit"] if record["paper_unit"] is None else record["paper_unit"]
    return {**record, "effect": record["paper_effect"], "unit": unit, "low": None}


def _p(value: Any, name: str) -> str:
    if not _is_number(value):
        return f"{name} {value}"
    return f"{name} < 0.001" if value < 0.001 else f"{name} = {value:.2g}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
