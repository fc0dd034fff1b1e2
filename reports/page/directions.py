"""Which effect confirms a claim, in words, as its declaration has it at a scale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from common.scales import value_at
from reports.page.phrases import signed


class Direction(NamedTuple):
    """Which effect confirms a claim, in words, and the bounds other than zero that it has to pass."""

    words: str = ""
    bounds: tuple[float, ...] = ()


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
