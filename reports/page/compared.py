"""What a condition of a claim compares, in words: "temperature 0.1 minus the others, where l2_norm yes"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from common.scales import names, value_at
from reports.reading.notation import metric

OTHERS = "others"


def compared(condition: Mapping[str, Any], scale: str, names_metric: bool = False) -> str:
    """The comparison of one condition as declared, at a scale; "" if it compares nothing."""
    steps = "; then ".join(_step(step, scale) for step in condition.get("contrast") or [])
    for method, (one, other) in (condition.get("correlate") or {}).items():
        steps = f"{method.title()} correlation of {_side(one, scale)} with {_side(other, scale)}"
    where = selection(condition.get("where") or {})
    label = _label(condition.get("metric")) if names_metric else ""
    said = " of ".join(filter(None, (label, steps)))
    return f"{said}, where {where}" if said and where else said


def _label(name: Any) -> str:
    words = metric(name).label if isinstance(name, str) else ""
    return words[:1].lower() + words[1:]


def _step(step: Mapping[str, Any], scale: str) -> str:
    ((name, body),) = step.items()
    if name == "minus":
        return " minus ".join(_side(side, scale) for side in body)
    said = {
        "swap": "{0} and {1} exchanged",
        "pairs": "any two values of {0}",
        "mean": "the mean over {0}",
        "trend": "the trend over {0}",
    }
    knobs = [body] if isinstance(body, str) else body
    return said[name].format(*(knob.replace("_", " ") for knob in knobs))


def _side(side: Any, scale: str) -> str:
    """One side of a difference: a selection, a list of them, the word others, or a number."""
    if side == OTHERS:
        return "the others"
    if isinstance(side, list):
        return " or ".join(_side(each, scale) for each in side)
    if isinstance(side, Mapping) and side and set(side) <= set(names()):
        side = value_at(scale, side)
    return selection(side) if isinstance(side, Mapping) else f"{side:g}"


def selection(chosen: Mapping[str, Any]) -> str:
    """Knobs with their values, in words: "projection linear, output dim 32"."""
    return ", ".join(_knob(knob, wanted) for knob, wanted in chosen.items())


def _knob(knob: str, wanted: Any) -> str:
    """A knob with what is asked of it: a value, some, a place (first, last), any, or a relation to another knob."""
    if knob == "metric":
        return _label(wanted)
    knob = knob.replace("_", " ")
    if isinstance(wanted, Mapping):
        ((relation, body),) = wanted.items()
        relations = {"same": "the same as {}", "differs": "other than {}", "not": "not {}"}
        return f"{knob} {relations[relation].format(_value(body).replace('_', ' '))}"
    return f"{knob} {_value(wanted)}"


def _value(value: Any) -> str:
    if isinstance(value, list):
        return " or ".join(map(_value, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "empty" if value == "" else str(value)
