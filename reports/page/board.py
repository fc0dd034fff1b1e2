"""The verdicts on the paper's claims as a page shows them: in the paper's order, with marks, words and intervals.

Reads <out>/<scale>/verdicts.json. It judges nothing: every number and every verdict is the file's own.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from common.files import read_json
from reports.page.directions import Direction, direction_of
from reports.page.phrases import effect_of, is_number, kind_of, notes_of, numbers_of, papers_effect
from reports.reading.tidy import damaged
from reports.reading.verdicts import FIELDS, FILE, PARTS, VERDICTS, Verdict, counted, part_of
from reports.reading.words import Words

MEANINGS = {
    "confirmed": "our data show it",
    "contradicted": "our data show that it does not hold",
    "inconclusive": "too little data to tell",
    "not run": "nothing to judge it by here",
    "report": "as measured, without a test",
}
OWN = "Your own exhibits"
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

    @property
    def is_papers(self) -> bool:
        """Whether it is a claim of the paper, or one of an exhibit of one's own."""
        return self.record["is_papers"] is not False


class Said(NamedTuple):
    """What is said of claims elsewhere: the paper's words, which effect confirms, and what changed since the freeze."""

    words: Mapping[str, Words] = {}
    directions: Mapping[str, Sequence[Direction]] = {}
    changed: frozenset[str] = frozenset()


class Part(NamedTuple):
    """The claims of one part of the paper."""

    section: str
    title: str
    claims: list[Claim]


def load(
    folder: Path, scale: str, exhibits: Sequence[str], said: Said | None = None, source: str = ""
) -> list[Claim] | None:
    """The claims in the order of `exhibits`, or None if nothing has judged yet. UserError for a broken file.

    source: as Folders.source, for the command that judges again.
    """
    path = folder / FILE
    if not path.exists():
        return None
    again = f"judge again: {judge(scale, source)}"
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


def judge(scale: str, source: str = "") -> str:
    """The command that writes the verdicts of a scale."""
    return f"python -m reports.verdict --scale {scale}{source}"


def tally(claims: Iterable[Claim]) -> dict[str, int]:
    """How many claims have each verdict, in a fixed order, zeros too."""
    return counted(claim.verdict for claim in claims)


def parts(claims: Iterable[Claim]) -> list[Part]:
    """The claims by the part of the paper that their section belongs to, and last those of one's own exhibits."""
    groups: dict[str, list[Claim]] = {}
    own: list[Claim] = []
    for claim in claims:
        group = groups.setdefault(part_of(claim.record["section"]), []) if claim.is_papers else own
        group.append(claim)
    order = [*PARTS, *sorted(set(groups) - set(PARTS))]
    papers = [Part(name, PARTS.get(name, "Elsewhere"), groups[name]) for name in order if name in groups]
    return [*papers, *([Part("", OWN, own)] if own else [])]


def _claim(record: Mapping[str, Any], said: Said, path: Path, again: str) -> Claim:
    name, verdict = str(record["id"]), record["verdict"] or "not run"
    direction = direction_of(said.directions.get(name, ()), record["part"])
    if record["id"] is None or verdict not in VERDICTS:
        expected = f"an id and a verdict ({', '.join(VERDICTS)}) of each claim"
        raise damaged(expected, f"{verdict!r} of {record['id']!r}", path, again)
    return Claim(
        record=record,
        id=name,
        anchor=f"claim-{name}",
        verdict=verdict,
        slug=verdict.replace(" ", "-"),
        kind=kind_of(record),
        effect=effect_of(record),
        paper=papers_effect(record),
        numbers=numbers_of(record),
        notes=[*_smaller(record, direction), *notes_of(record)],
        words=said.words.get(name, Words()),
        direction=direction.words,
        has_changed=name in said.changed,
        interval=_interval(record, direction.bounds),
    )


def _smaller(record: Mapping[str, Any], direction: Direction) -> list[str]:
    """That an effect has the direction of the claim and not its size, where that is what contradicts it.

    Only an effect above a positive bound, or below a negative one, has a size to reach.
    """
    low, high = record["low"], record["high"]
    is_bounded = len(direction.bounds) == 1 and is_number(low) and is_number(high)
    if record["verdict"] != "contradicted" or not is_bounded:
        return []
    (bound,) = direction.bounds
    is_smaller = {"above": bound > 0 and low > 0, "below": bound < 0 and high < 0}
    return ["It has the direction of the claim, and not its size."] if is_smaller.get(direction.side) else []


def _interval(record: Mapping[str, Any], bounds: Sequence[float]) -> Interval | None:
    """The places in pixels; None unless effect and both its limits are numbers."""
    ours = [record[name] for name in ("low", "high", "effect")]
    if not all(is_number(value) for value in ours):
        return None
    paper = record["paper_effect"] if is_number(record["paper_effect"]) else None
    values = [*ours, 0.0, *bounds, *([] if paper is None else [paper])]
    start, span = min(values), (max(values) - min(values)) or 1.0
    low, high, effect, zero, *others = [
        round(MARGIN + (WIDTH - 2 * MARGIN) * (value - start) / span, 1) for value in values
    ]
    printed = None if paper is None else others[-1]
    return Interval(low, high, effect, zero, printed, tuple(others[: len(bounds)]))
