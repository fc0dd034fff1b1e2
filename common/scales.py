"""The scales at which the exhibits run, from the smallest to the paper's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from common.errors import UserError
from common.names import nearest


def names() -> tuple[str, ...]:
    """Every scale, the smallest first."""
    return ("smoke", "reduced", "cifar10", "paper")


def check_scale(scale: str) -> str:
    """The scale, if there is one of that name; else UserError with the nearest."""
    if scale not in names():
        raise UserError(
            f"unknown scale `{scale}`{nearest(scale, names())}",
            expected=" | ".join(names()),
            found=scale,
            where="params/scale.yaml",
        )
    return scale


def reaches(scale: str, smallest: str) -> bool:
    """Whether `scale` is `smallest` or a larger one."""
    return names().index(scale) >= names().index(smallest)


def value_at(scale: str, by_scale: Mapping[str, Any]) -> Any:
    """What a mapping from scales has for this one."""
    return by_scale[scale]


def entry_of(exhibit: Mapping[str, Any], scale: str) -> dict[str, Any]:
    """What an exhibit differs by at a scale: `thinned`, `set`, `runs`, `seeds`."""
    return exhibit["scales"].get(scale) or {}
