"""A verdict's history: the committed revisions of a scale's evidence in which it changed, and what moved it.

Every revision is judged anew by the code of this checkout: only the evidence differs from one to the next. An exhibit
whose evidence is the same in two revisions is tested once.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from common.errors import UserError
from common.names import nearest
from reports.comparing.changes import Move, moves
from reports.comparing.sides import EVIDENCE, Side, read_revision
from reports.comparing.verdicts import by_claim, tested_of, word
from reports.judging.claim import in_order
from reports.page.phrases import effect_of
from reports.reading.declarations import load_all
from reports.reading.judged import Tested
from reports.reading.verdicts import Verdict

SHOWN = 12  # moved numbers of a revision that are named


class State(NamedTuple):
    """A claim at a revision, and the numbers of its exhibit that moved since the one before that can be read.

    damage: why this revision's evidence cannot be read, "" if it can.
    """

    commit: str
    date: str
    subject: str
    verdict: Verdict | None = None
    moved: Sequence[Move] = ()
    damage: str = ""


def told(claim: str, scale: str, params: Path) -> Iterator[str]:
    """The history on the command line, the oldest first. UserError for an unknown claim, or without any evidence."""
    exhibit, said = _declared(claim, scale, params)
    states = list(_states(claim, exhibit, scale, params))
    if not states:
        raise UserError(
            f"no committed evidence of scale {scale}",
            expected=f"revisions of {EVIDENCE}/{scale}/ in git",
            found="none",
            remedy=f"commit what `make reports SCALE={scale}` writes there",
        )
    yield f"{claim}, {exhibit}, scale {scale}: {said}"
    yield f"{len(states)} revisions of {EVIDENCE}/{scale}, each judged by the code of this checkout"
    before = None
    for state in states:
        if state.damage:
            yield f"{state.commit[:9]} {state.date}  cannot be read: {state.damage}  ({state.subject})"
            continue
        if before is None or word(state.verdict) != word(before.verdict):
            yield from _lines(state, before)
        before = state
    yield _last(states[-1], before)


def _last(state: State, readable: State | None) -> str:
    """The verdict of the last revision; of one that is damaged nobody knows it."""
    if not state.damage:
        return f"now: {word(state.verdict)}"
    until = (
        f"; {word(readable.verdict)} in {readable.commit[:9]}, the last that can be read" if readable else ""
    )
    return f"now: not known, the last revision cannot be read{until}"


def _lines(state: State, before: State | None) -> Iterator[str]:
    change = f"{word(before.verdict)} -> {word(state.verdict)}" if before else word(state.verdict)
    yield f"{state.commit[:9]} {state.date}  {change}  ({state.subject})"
    if state.verdict:
        effect = effect_of(state.verdict)
        yield f"  {f'effect {effect}, ' if effect else ''}{state.verdict['reason']}"
    for move in state.moved[:SHOWN]:
        bounds = "" if move.low is None else f" [{move.low:+.3g}, {move.high:+.3g}]"
        by = "" if move.change is None else f", {move.change:+.4g}{bounds}"
        yield f"  {move.metric} of {move.knobs or move.cell}: {move.base} -> {move.here}{by}"
    if len(state.moved) > SHOWN:
        yield f"  and {len(state.moved) - SHOWN} more numbers"


def _states(claim: str, exhibit: str, scale: str, params: Path) -> Iterator[State]:
    exhibits = [one.id for one in load_all(params, scale)]
    known: dict[tuple[str, str], list[Tested]] = {}
    before: Side | None = None
    for commit, date, subject in _revisions(scale):
        try:
            side = read_revision(commit, scale, exhibits)
        except UserError as error:
            where = error.where.removeprefix(f"{commit}:")
            yield State(commit, date, subject, damage=": ".join(filter(None, (error.problem, where))))
            continue
        verdicts = by_claim(_tested(side, commit, known, params))
        moved = [] if before is None else _moved(before, side, exhibit)
        yield State(commit, date, subject, verdicts.get(claim), moved)
        before = side


def _moved(before: Side, side: Side, exhibit: str) -> list[Move]:
    """The numbers of one exhibit that moved, the largest change first, new ones last."""
    sides = [
        Side(one.name, one.scale, {exhibit: one.tidy[exhibit]} if exhibit in one.tidy else {})
        for one in (before, side)
    ]
    moved = [move for move in moves(*sides) if move.has_moved]
    return sorted(moved, key=lambda move: (move.change is None, -abs(move.change or 0)))


def _tested(
    side: Side, commit: str, known: dict[tuple[str, str], list[Tested]], params: Path
) -> Iterator[Tested]:
    for exhibit in side.tidy:
        key = (exhibit, _content(commit, side.scale, exhibit))
        if key not in known:
            known[key] = tested_of(side, exhibit, params)
        yield from known[key]


def _content(commit: str, scale: str, exhibit: str) -> str:
    """What git calls the evidence of an exhibit at a commit: equal evidence has an equal name."""
    place = f"{commit}:{EVIDENCE}/{scale}/{exhibit}"
    return _git("rev-parse", "--verify", "--quiet", place) or _git(
        "rev-parse", "--verify", "--quiet", f"{place}.csv"
    )


def _revisions(scale: str) -> list[Sequence[str]]:
    """(commit, date, subject) of every commit that touched the evidence of a scale, the oldest first."""
    log = _git("log", "--reverse", "--date=short", "--format=%H%x09%ad%x09%s", "--", f"{EVIDENCE}/{scale}")
    return [line.split("\t", 2) for line in log.splitlines()]


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], capture_output=True, text=True, encoding="utf-8")
    return done.stdout.strip() if done.returncode == 0 else ""


def _declared(claim: str, scale: str, params: Path) -> tuple[str, str]:
    """The exhibit that declares a claim, and what it says."""
    declared = {
        name: (one.id, str(body["says"]).strip())
        for one in load_all(params, scale)
        for name, body in one.claims.items()
    }
    if claim not in declared:
        raise UserError(
            f"unknown claim `{claim}`{nearest(claim, declared)}",
            expected=", ".join(in_order(list(declared))),
            found=claim,
        )
    return declared[claim]
