"""The frozen state of a scale: hashes of its claims and its resolved runs, and the day they were frozen.

`python -m reports.freeze` makes params/frozen/<scale>.yaml, which is committed before the first run. The page names
what changed after that, so a reader would see a recipe that was tuned until a claim came out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from common.documents import read_yaml
from common.errors import UserError
from common.files import sha256_bytes, sha256_file
from reports.reading.declarations import load_all

PARTS = ("claims", "plans")
REMEDY = "restore it from the commit that froze the scale"


class Again(NamedTuple):
    """A later freeze of some claims or exhibits: when (ISO 8601), of which, and why."""

    date: str
    what: list[str]
    why: str


class Frozen(NamedTuple):
    """date: of the first freeze, ISO 8601. claims, plans: the ids of claims and exhibits that have changed since.

    again: the later freezes of parts.
    """

    date: str
    claims: list[str]
    plans: list[str]
    again: Sequence[Again] = ()


def frozen_path(params: Path, scale: str) -> Path:
    """params/frozen/<scale>.yaml."""
    return params / "frozen" / f"{scale}.yaml"


def content(params: Path, scale: str, date: str) -> dict[str, Any]:
    """What the file says of a scale as it is declared and planned now."""
    return {"date": date, "claims": dict(_claims(params, scale)), "plans": dict(_plans(params, scale))}


def check_planned(params: Path, scale: str) -> None:
    """UserError unless every exhibit has its plan: a freeze of none would hold for any."""
    planned = {name for name, _ in _plans(params, scale)}
    if absent := [exhibit.id for exhibit in load_all(params, scale) if exhibit.id not in planned]:
        raise UserError(
            f"scale {scale} is not planned",
            expected=f"a plan of every exhibit in {params / 'plan' / scale}",
            found=f"none of {', '.join(absent[:5])}{' and others' * (len(absent) > 5)}",
            remedy=f"python -m stages plan --scale {scale}",
        )


def content_again(params: Path, scale: str, frozen: Frozen, date: str, why: str) -> dict[str, Any]:
    """The same of a scale that is frozen already: the first date stays; what differs is named with the later one."""
    later = Again(date, [*frozen.claims, *frozen.plans], why)
    again = [each._asdict() for each in (*frozen.again, later)]
    return content(params, scale, frozen.date) | {"again": again}


def read_frozen(params: Path, scale: str) -> Frozen | None:
    """When the scale was frozen and what changed since; None if it never was. UserError for an odd file."""
    path = frozen_path(params, scale)
    if not path.is_file():
        return None
    then, now = _read(path), content(params, scale, "")
    changed = {part: _unequal(then[part], now[part]) for part in PARTS}
    return Frozen(str(then.get("date")), **changed, again=[Again(**each) for each in then.get("again", [])])


def _read(path: Path) -> dict[str, Any]:
    then = read_yaml(path)
    if not isinstance(then, dict) or not all(isinstance(then.get(part), dict) for part in PARTS):
        raise _not_a_freeze(path, str(then)[:60])
    again = then.get("again", [])
    if not isinstance(again, list) or not all(map(_is_again, again)):
        raise _not_a_freeze(path, f"again: {again!s:.60}")
    return then


def _is_again(each: Any) -> bool:
    return isinstance(each, dict) and set(each) == set(Again._fields) and isinstance(each["what"], list)


def _not_a_freeze(path: Path, found: str) -> UserError:
    return UserError(
        "not a freeze",
        expected="date, claims and plans, and of what was frozen again date, what and why",
        found=found,
        where=path,
        remedy=REMEDY,
    )


def _unequal(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))


def _claims(params: Path, scale: str) -> Iterator[tuple[str, str]]:
    for exhibit in load_all(params, scale):
        for name, body in exhibit.claims.items():
            yield name, sha256_bytes(json.dumps(body, sort_keys=True).encode())


def _plans(params: Path, scale: str) -> Iterator[tuple[str, str]]:
    for path in sorted((params / "plan" / scale).glob("*.yaml")):
        yield path.stem, sha256_file(path)
