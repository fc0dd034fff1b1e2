"""A cell's key: the values of its knobs, as text, and how keys are compared and named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Key = Mapping[str, str]


def without(key: Key, knobs: Iterable[str]) -> dict[str, str]:
    """The key without some knobs."""
    left_out = set(knobs)
    return {knob: value for knob, value in key.items() if knob not in left_out}


def identity(key: Key) -> tuple[tuple[str, str], ...]:
    """What two equal keys have in common, in whatever order their knobs stand."""
    return tuple(sorted(key.items()))


def named(key: Key) -> str:
    """For example: top1 of projection=linear, output_dim=32."""
    where = ", ".join(f"{knob}={value}" for knob, value in key.items() if knob != "metric" and value)
    return f"{key['metric']} of {where}" if where else key["metric"]
