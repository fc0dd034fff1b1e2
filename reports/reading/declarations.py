"""The part of an exhibit's YAML that a reader of its report needs; the rest is for planning."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common import scales
from common.documents import read_yaml
from common.errors import UserError
from common.files import read_csv
from common.names import nearest

CHECK_OUT = "run from the repository root, with the params folder as committed"
CORRECT = "correct the file"
PART = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Declaration:
    """What params/exhibits/<id>.yaml says about an exhibit that a reader of the report needs.

    metrics: the names of what is measured. is_papers: whether the paper has this exhibit, or only we do.
    """

    id: str
    kind: str
    section: str
    title: str
    caption: str
    scale: str
    thinned: str | None
    knobs: tuple[str, ...]
    metrics: tuple[str, ...] = ()
    claims: Mapping[str, Any] = field(default_factory=dict)
    is_papers: bool = True

    @property
    def label(self) -> str:
        """Its name in print."""
        return label(self.id)


def label(exhibit: str) -> str:
    """figure_08 is Figure 8 in print, table_b1 is Table B.1, and figure_x1, of one's own, Figure X.1."""
    kind, number = exhibit.split("_", 1)
    printed = str(int(number)) if number.isdigit() else f"{number[0].upper()}.{number[1:]}"
    return f"{kind.capitalize()} {printed}"


def load_all(params: Path, scale: str) -> list[Declaration]:
    """Every declared exhibit: the paper's by section, figures before tables, and then our own in the same order."""
    declarations = [load_declaration(path, scale) for path in (params / "exhibits").glob("*.yaml")]
    return sorted(
        declarations, key=lambda one: (not one.is_papers, _parts(one.section), one.kind, _parts(one.id))
    )


def load_declaration(path: Path, scale: str) -> Declaration:
    """The part of an exhibit's YAML that reports read. UserError names the first key that is wrong."""
    scales.check_scale(scale)
    tree = _tree(path)
    words = {key: _word(tree, key, path) for key in ("id", "title", "caption", "section", "kind")}
    for key, allowed in {"id": [path.stem], "kind": ["figure", "table"]}.items():
        if words[key] not in allowed:
            raise _wrong(f"{key}: {' or '.join(allowed)}", words[key], path)
    measures = tree.get("measure") or []
    _mapping(tree, "scales", path)
    return Declaration(
        **words,
        scale=scale,
        thinned=scales.entry_of({"scales": {}, **tree}, scale).get("thinned"),
        knobs=tuple(_mapping(tree, "knobs", path)),
        metrics=tuple(name for measure in measures for name in measure.partition(".")[2].split("|")),
        claims=_mapping(tree, "claims", path),
        is_papers=path.stem in _papers(path.parents[1] / "paper" / "contents.csv"),
    )


def _papers(contents: Path) -> set[str]:
    """The exhibits that the paper has."""
    return {row[0] for row in read_csv(contents, CHECK_OUT)[1]}


def _parts(text: str) -> list[tuple[bool, int, str]]:
    """Sorts numbers within a text by size: 2 before 10, and numbers before letters."""
    return [
        (not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in PART.split(text) if part
    ]


def _tree(path: Path) -> dict:
    declared = sorted(other.stem for other in path.parent.glob("*.yaml"))
    if path.stem not in declared:
        raise UserError(
            f"unknown exhibit `{path.stem}`{nearest(path.stem, declared)}",
            expected=", ".join(declared) or "a declaration",
            found=path.stem,
            where=path.parent,
            remedy=CHECK_OUT,
        )
    tree = read_yaml(path)
    if not isinstance(tree, dict):
        raise _wrong("a YAML mapping", type(tree).__name__, path)
    return tree


def _word(tree: dict, key: str, path: Path) -> str:
    value = tree.get(key)
    if isinstance(value, str) and value.strip():
        return value.strip()
    expected = f'{key}: "{value}", in quotation marks' if value is not None else f"some text under {key}:"
    raise _wrong(expected, repr(value), path)


def _mapping(tree: dict, key: str, path: Path) -> dict:
    value = tree.get(key) or {}
    if not isinstance(value, dict):
        raise _wrong(f"a mapping under {key}:", repr(value), path)
    return value


def _wrong(expected: str, found: str, path: Path) -> UserError:
    return UserError(
        "an exhibit's declaration cannot be read", expected=expected, found=found, where=path, remedy=CORRECT
    )
