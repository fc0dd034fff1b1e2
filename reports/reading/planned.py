"""What the runs of a plan file are bound to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from common.names import dotted


def bindings_of(entry: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """{configurable.parameter: value} of one run of a stage's entry, with settings of losses that it does not use."""
    bound = {name: value for name, value in own.items() if name not in ("seed", "labels")}
    return dotted(entry["shared"]) | dotted(bound)


def planned_bindings(plan: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The bindings of each run of a plan file's content, by "<stage>/<run>"."""
    return {
        f"{stage}/{run}": bindings_of(entry, own)
        for stage, entry in plan["stages"].items()
        for run, own in entry["runs"].items()
    }
