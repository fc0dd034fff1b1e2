"""What the effect of a claim compares and which effect confirms it, in words, as its declaration has it at a scale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from common.scales import value_at
from reports.page.compared import compared
from reports.page.phrases import signed


class Direction(NamedTuple):
    """Which effect confirms a condition, in words, and the bounds other than zero that it has to pass.

    side: of a single bound, where the effect has to lie: "above" or "below".
    """

    words: str = ""
    bounds: tuple[float, ...] = ()
    side: str = ""


def directions(declared: Iterable[tuple[Mapping[str, Any], str]]) -> dict[str, list[Direction]]:
    """Which effect confirms each condition of each claim, of the claims that exhibits declare, each with the scale."""
    return {name: _directions(body, scale) for claims, scale in declared for name, body in claims.items()}


def direction_of(conditions: Sequence[Direction], part: int | None) -> Direction:
    """The direction of the condition that an effect is of, from 1; of one condition without a number, that."""
    if part is None and len(conditions) == 1:
        part = 1
    return conditions[part - 1] if part and part <= len(conditions) else Direction()


def _directions(body: Mapping[str, Any], scale: str) -> list[Direction]:
    if body.get("type") == "A":
        return [Direction("exact agreement confirms") for _ in body.get("all") or [{}]]
    conditions = [{**body, **own} for own in body.get("all") or [{}]]
    several = len({str(condition.get("metric")) for condition in conditions}) > 1
    found = []
    for place, condition in enumerate(conditions, 1):
        side = Direction() if body.get("type") == "report" else _side(condition, scale)
        said = ": ".join(filter(None, (compared(condition, scale, names_metric=several), side.words)))
        of = f"part {place} of {len(conditions)}, " if len(conditions) > 1 else ""
        whole = ", as all its parts have to" if of and side.words else ""
        found.append(side._replace(words=f"{of}{said}{whole}"))
    return found


def _side(body: Mapping[str, Any], scale: str) -> Direction:
    """On which side of which bound the effect of one condition has to lie."""
    kind = next((name for name in ("above", "below", "within") if name in body), "above")
    value = body.get(kind, 0)
    if isinstance(value, Mapping):
        value = value_at(scale, value)
    if kind == "within":
        words, bounds = f"between {signed(-value)} and {signed(value)}", (-value, value)
    else:
        words, bounds = f"{kind} {signed(value) if value else 'zero'}", (value,) if value else ()
    of = str(body.get("of", "mean"))
    whole = {"mean": "", "every": ", in every comparison"}.get(of, f", in {of} of the comparisons or more")
    return Direction(f"an effect {words} confirms{whole}", bounds, "" if kind == "within" else kind)
