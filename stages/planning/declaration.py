"""What people write under params/: exhibits (YAML) and the scale. It is read and checked, and nothing is guessed.

Every error names the file and the line, says what is allowed, and suggests the nearest name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import scales, schemas
from common.documents import line_of
from common.errors import UserError
from common.names import nearest

PARAMS = Path("params")


def exhibit_ids() -> list[str]:
    """Every declared exhibit: figures and then tables, body before appendix. Ids of another form come last."""
    paths = (PARAMS / "exhibits").glob("*.yaml")
    return sorted((path.stem for path in paths if not path.name.startswith(".")), key=_place)


def _place(name: str) -> tuple[Any, ...]:
    kind, _, rest = name.partition("_")
    parts = re.fullmatch(r"([a-z]?)(\d+)", rest)
    return (0, parts[1] != "", kind, parts[1], int(parts[2])) if parts else (1, name)


@dataclass(frozen=True)
class Exhibit:
    """A declaration as plain types, with the document that knows its lines."""

    content: dict[str, Any]
    document: Any
    path: Path

    def where(self, *place: str | int) -> str:
        """The file and the line where something stands in it."""
        return f"{self.path}, line {line_of(self.document, place)}"


def read_exhibit(name: str) -> dict[str, Any]:
    """The declaration params/exhibits/<name>.yaml as plain types, checked against params/schema/exhibit.json."""
    return open_exhibit(name).content


def open_exhibit(name: str) -> Exhibit:
    """The same, able to say where each of its parts stands."""
    path = PARAMS / "exhibits" / f"{name}.yaml"
    known = exhibit_ids()
    if name not in known:
        raise UserError(
            f"unknown exhibit `{name}`{nearest(name, known)}",
            expected=", ".join(known),
            found=name,
            where=path.parent,
        )
    exhibit, document = schemas.read_checked(path, "exhibit")
    for key, expected in (("id", name), ("kind", name.split("_")[0])):
        if exhibit[key] != expected:
            raise UserError(
                "an exhibit's id and kind must be those of its file's name",
                expected=f"{key}: {expected}",
                found=f"{key}: {exhibit[key]}",
                where=f"{path}, line {line_of(document, [key])}",
            )
    _check_scales(exhibit, document, path)
    _check_grids(exhibit, document, path)
    return Exhibit(exhibit, document, path)


def check_exhibits(scale: str) -> None:
    """UserError if the file of a scale mentions an exhibit that does not exist."""
    own, known = scales.read(scale), exhibit_ids()
    for name in own.exhibits:
        if name not in known:
            raise UserError(
                f"scale {scale} mentions an unknown exhibit, `{name}`{nearest(name, known)}",
                expected=", ".join(known),
                found=name,
                where=own.where("exhibits", name),
            )


def by_claims(names: Iterable[str], scale: str) -> list[str]:
    """These exhibits, those with the most claims that can be tested at the scale first; equal ones as they stand."""
    return sorted(names, key=lambda name: -testable(name, scale))


def testable(name: str, scale: str) -> int:
    """How many claims of an exhibit can be tested at the scale."""
    claims = read_exhibit(name).get("claims", {}).values()
    return sum(scales.reaches(scale, claim.get("min_scale", scale)) for claim in claims)


def blocks_at(exhibit: dict[str, Any], scale: str) -> tuple[list[dict[str, Any]], list[int], dict[str, Any]]:
    """The run blocks, seeds and extra bindings of an exhibit at one scale; a scale inherits what it does not say."""
    # `runs` and `seeds` replace what is declared above, but `set` adds to it: bindings can be merged, grids cannot.
    own = scales.entry_of(exhibit, scale)
    common = {**exhibit.get("set", {}), **own.get("set", {})}
    return own.get("runs", exhibit["runs"]), own.get("seeds", exhibit["seeds"]), common


def all_chains(exhibit: dict[str, Any]) -> list[list[str]]:
    """The chains of stages that an exhibit has at any scale, each once."""
    # The chains of all scales and not of one: both engines read the same graph, whatever the scale.
    blocks = [
        *exhibit["runs"],
        *(block for scale in scales.names() for block in blocks_at(exhibit, scale)[0]),
    ]
    return [list(chain) for chain in dict.fromkeys(tuple(block["chain"]) for block in blocks)]


def _check_scales(exhibit: dict[str, Any], document: Any, path: Path) -> None:
    """UserError unless an exhibit mentions every scale without a parent, and only scales that exist."""
    if missing := [name for name in scales.roots() if name not in exhibit["scales"]]:
        raise UserError(
            "an exhibit does not mention every scale",
            expected=f"the keys {', '.join(scales.roots())}; {{}} means: as above",
            found="none for " + ", ".join(missing),
            where=f"{path}, line {line_of(document, ['scales'])} (scales)",
        )
    named = [(["scales", name], name) for name in exhibit["scales"]]
    claims = exhibit.get("claims", {}).items()
    named += [
        (["claims", key, "min_scale"], claim["min_scale"]) for key, claim in claims if "min_scale" in claim
    ]
    for place, name in named:
        if name not in scales.names():
            raise UserError(
                f"unknown scale `{name}`{nearest(name, scales.names())}",
                expected=" | ".join(scales.names()),
                found=name,
                where=f"{path}, line {line_of(document, place)}",
                remedy="a scale is a file of params/scales/",
            )


def _check_grids(exhibit: dict[str, Any], document: Any, path: Path) -> None:
    """Every grid value belongs to a declared knob, and to one of its labels where it has labels."""
    places: list[tuple[list[str | int], list[dict[str, Any]]]] = [(["runs"], exhibit["runs"])]
    places += [(["scales", s, "runs"], (body or {}).get("runs", [])) for s, body in exhibit["scales"].items()]
    for place, blocks in places:
        _check_blocks(exhibit, blocks, document, place, path)
    for own in map(scales.read, scales.names()):
        blocks = (own.exhibits.get(exhibit["id"]) or {}).get("runs", [])
        _check_blocks(exhibit, blocks, own.document, ["exhibits", exhibit["id"], "runs"], own.path)


def _check_blocks(
    exhibit: dict[str, Any], blocks: list[dict[str, Any]], document: Any, place: list[str | int], path: Path
) -> None:
    for number, block in enumerate(blocks):
        for knob, values in block["grid"].items():
            _check_knob(exhibit["knobs"], knob, values, document, [*place, number, "grid", knob], path)


def _check_knob(
    knobs: dict[str, Any], knob: str, values: list[Any], document: Any, place: list[str | int], path: Path
) -> None:
    where = f"{path}, line {line_of(document, place)}"
    if knob not in knobs:
        raise UserError(
            f"unknown knob `{knob}`{nearest(knob, knobs)}", expected=", ".join(knobs), found=knob, where=where
        )
    if isinstance(knobs[knob], dict):
        labels = list(knobs[knob])
        for value in values:
            if not isinstance(value, str) or value not in labels:
                raise UserError(
                    f"knob `{knob}` has no value `{value}`{nearest(str(value), labels)}",
                    expected=", ".join(labels),
                    found=value,
                    where=where,
                )
