"""The scales at which the exhibits run, from the smallest to the paper's own. Each is one file in params/scales/.

A scale with a parent says only what differs from its parent: bindings of recipes, seeds, exhibits.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common import schemas
from common.documents import line_of, read_yaml
from common.errors import UserError
from common.names import nearest

FOLDER = Path("params") / "scales"


@dataclass(frozen=True)
class Scale:
    """One file of params/scales/. recipes: bindings by stage. exhibits: entries as under an exhibit's `scales:`.

    reuses_evidence: runs whose numbers are committed under reports/evidence/ are not done again.
    """

    name: str
    path: Path
    about: str
    order: float = 0
    parent: str | None = None
    reuses_evidence: bool = False
    seeds: tuple[int, ...] = ()
    recipes: dict[str, dict[str, Any]] = field(default_factory=dict)
    exhibits: dict[str, dict[str, Any]] = field(default_factory=dict)
    document: Any = None

    def where(self, *place: str) -> str:
        """The file and the line where something stands in it."""
        return f"{self.path}, line {line_of(self.document, place)}"


def names() -> tuple[str, ...]:
    """Every scale, the smallest first; one with a parent comes after it."""
    return tuple(_declared())


def default() -> str:
    """The scale that params/scale.yaml names. UserError if it names none."""
    path = FOLDER.parent / "scale.yaml"
    document = read_yaml(path)
    if not isinstance(document, dict) or list(document) != ["scale"]:
        found = str(document)[:60]
        raise UserError("not a scale", expected="one line, `scale: smoke`", found=found, where=path)
    return check_scale(str(document["scale"]))


def roots() -> tuple[str, ...]:
    """The scales without a parent: they have recipes of their own, and every exhibit has an entry for each of them."""
    return tuple(name for name, scale in _declared().items() if scale.parent is None)


def read(name: str) -> Scale:
    """What the file of a scale says. UserError for an unknown one."""
    return _declared()[check_scale(name)]


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


def lineage(scale: str) -> tuple[str, ...]:
    """The scale, its parent, and so on."""
    parent = read(scale).parent
    return (scale, *(lineage(parent) if parent else ()))


def value_at(scale: str, by_scale: Mapping[str, Any]) -> Any:
    """What a mapping from scales has for this one, or else for its parent. UserError if it has neither."""
    for name in lineage(scale):
        if name in by_scale:
            return by_scale[name]
    raise UserError(
        f"a number that depends on the scale has no value for `{scale}`",
        expected=" or ".join(lineage(scale)),
        found=", ".join(map(str, by_scale)),
        where="a claim under params/exhibits/",
        remedy=f"add {scale}: <number> there, or name a parent in {FOLDER / scale}.yaml",
    )


def entry_of(exhibit: Mapping[str, Any], scale: str) -> dict[str, Any]:
    """How an exhibit differs at a scale: `thinned`, `set`, `runs` and `seeds`, each from the nearest place that has it.

    The places are the scale's own file, then `scales:` of the exhibit, and then the same two for the parent. `set` is
    merged over all of them.
    """
    merged: dict[str, Any] = {}
    for name in reversed(lineage(scale)):
        whole = read(name)
        spoken = [{"seeds": list(whole.seeds)} if whole.seeds else {}, exhibit["scales"].get(name) or {}]
        for own in [*spoken, whole.exhibits.get(exhibit["id"]) or {}]:
            merged |= own | {"set": {**merged.get("set", {}), **own.get("set", {})}}
    return merged


def _declared() -> dict[str, Scale]:
    paths = sorted(path for path in FOLDER.glob("*.yaml") if not path.name.startswith("."))
    # A plan calls this a thousand times. It looks at the files' times each time, because tests and editors change them.
    return _read_all(tuple((path.absolute(), path, path.stat().st_mtime_ns) for path in paths))


@functools.lru_cache(maxsize=8)
def _read_all(paths: tuple[tuple[Path, Path, int], ...]) -> dict[str, Scale]:
    scales = {path.stem: _scale(path) for _, path, _ in paths}
    if not scales:
        raise UserError("no scale is declared", expected="smoke.yaml and others", found="none", where=FOLDER)
    for scale in scales.values():
        _check_parent(scale, scales)
    return {scale.name: scale for scale in sorted(scales.values(), key=lambda each: _place(each, scales))}


def _scale(path: Path) -> Scale:
    content, document = schemas.read_checked(path, "scale")
    content["seeds"] = tuple(content.get("seeds", ()))
    return Scale(path.stem, path, **content, document=document)


def _check_parent(scale: Scale, scales: Mapping[str, Scale]) -> None:
    above, seen = scale, {scale.name}
    while above.parent is not None:
        if above.parent not in scales or above.parent in seen:
            raise UserError(
                f"scale {above.name} has no parent `{above.parent}`{nearest(above.parent, scales)}",
                expected=" | ".join(name for name, other in scales.items() if other.parent is None),
                found=above.parent,
                where=above.where("parent"),
            )
        seen.add(above.parent)
        above = scales[above.parent]


def _place(scale: Scale, scales: Mapping[str, Scale]) -> tuple[tuple[float, str], ...]:
    above = _place(scales[scale.parent], scales) if scale.parent else ()
    return (*above, (scale.order, scale.name))
