"""The frozen state of a scale: hashes of its claims and its resolved runs, and the day they were frozen.

`python -m reports.freeze` makes params/frozen/<scale>.yaml, which is committed before the first run. The page names
what changed after that, so a reader would see a recipe that was tuned until a claim came out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from common.documents import read_yaml
from common.errors import UserError
from common.files import sha256_bytes, sha256_file
from reports.reading.declarations import load_all

REMEDY = "restore it from the commit that froze the scale"


class Frozen(NamedTuple):
    """date: of the freeze, ISO 8601. claims, plans: the ids of claims and exhibits that have changed since."""

    date: str
    claims: list[str]
    plans: list[str]


def frozen_path(params: Path, scale: str) -> Path:
    """params/frozen/<scale>.yaml."""
    return params / "frozen" / f"{scale}.yaml"


def content(params: Path, scale: str, date: str) -> dict[str, Any]:
    """What the file says of a scale as it is declared now."""
    return {"date": date, "claims": dict(_claims(params, scale)), "plans": dict(_plans(params, scale))}


def read_frozen(params: Path, scale: str) -> Frozen | None:
    """When the scale was frozen and what changed since; None if it never was. UserError for an odd file."""
    path = frozen_path(params, scale)
    if not path.is_file():
        return None
    then = read_yaml(path)
    parts = ("claims", "plans")
    if not isinstance(then, dict) or not all(isinstance(then.get(part), dict) for part in parts):
        raise UserError(
            "not a freeze", expected="date, claims and plans", found=str(then)[:60], where=path, remedy=REMEDY
        )
    now = content(params, scale, "")
    changed = {part: _unequal(then[part], now[part]) for part in parts}
    return Frozen(str(then.get("date")), **changed)


def _unequal(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))


def _claims(params: Path, scale: str) -> Iterator[tuple[str, str]]:
    for exhibit in load_all(params, scale):
        for name, body in exhibit.claims.items():
            yield name, sha256_bytes(json.dumps(body, sort_keys=True).encode())


def _plans(params: Path, scale: str) -> Iterator[tuple[str, str]]:
    for path in sorted((params / "plan" / scale).glob("*.yaml")):
        yield path.stem, sha256_file(path)
