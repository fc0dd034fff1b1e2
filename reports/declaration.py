"""What an exhibit's YAML says that a reader of its report needs; the rest of it is for planning."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError

from reports.files import ReportError, nearest, read_text

CHECK_OUT = "Run from the repository root, with the params folder as committed."


@dataclass(frozen=True)
class Declaration:
    """What params/exhibits/<id>.yaml says about an exhibit that a reader of the report needs."""

    id: str
    kind: str
    section: str
    title: str
    caption: str
    scale: str
    thinned: str | None
    knobs: tuple[str, ...]
    claims: Mapping[str, Any] = field(default_factory=dict)


def load_declaration(path: Path, scale: str) -> Declaration:
    """The part of an exhibit's YAML that reports read. ReportError names the first key that is wrong."""
    tree = _tree(path)
    words = {key: _word(tree, key, path) for key in ("id", "title", "caption", "section", "kind")}
    for key, allowed in {"id": [path.stem], "kind": ["figure", "table"]}.items():
        if words[key] not in allowed:
            raise ReportError(
                f"expected {key}: {' or '.join(allowed)} in {path}; found {words[key]}. Correct the file."
            )
    return Declaration(
        **words,
        scale=scale,
        thinned=_thinned(tree, scale, path),
        knobs=tuple(_mapping(tree, "knobs", path)),
        claims=_mapping(tree, "claims", path),
    )


def check_scale(scale: str, folder: Path) -> None:
    """ReportError, with the nearest name, unless a declaration in `folder` has the scale."""
    known = {
        str(name): None
        for path in sorted(folder.glob("*.yaml"))
        for name in _mapping(_tree(path), "scales", path)
    }
    if scale not in known:
        raise ReportError(
            f"expected a scale that an exhibit in {folder} declares ({', '.join(known) or 'there is none'}); "
            f"found {scale}.{nearest(scale, known) or ' ' + CHECK_OUT}"
        )


def _tree(path: Path) -> dict:
    declared = [other.stem for other in path.parent.glob("*.yaml") if other != path]
    remedy = f"Ids look like figure_08.{nearest(path.stem, sorted(declared)) or ' ' + CHECK_OUT}"
    text = read_text(path, "the declaration of an exhibit", remedy)
    try:
        tree = YAML(typ="safe").load(text)
    except YAMLError as error:
        raise ReportError(f"expected YAML at {path}; found: {error}. Correct the file.") from error
    if not isinstance(tree, dict):
        raise ReportError(
            f"expected a YAML mapping at {path}; found {type(tree).__name__}. Correct the file."
        )
    return tree


def _word(tree: dict, key: str, path: Path) -> str:
    value = tree.get(key)
    if isinstance(value, str) and value.strip():
        return value.strip()
    if key == "section" and isinstance(value, int | float):
        raise ReportError(
            f'expected section: "{value}" in quotation marks in {path}; found a number. Quote it.'
        )
    raise ReportError(f"expected some text under {key}: in {path}; found {value!r}. Correct the file.")


def _mapping(tree: dict, key: str, path: Path) -> dict:
    value = tree.get(key) or {}
    if not isinstance(value, dict):
        raise ReportError(f"expected a mapping under {key}: in {path}; found {value!r}. Correct the file.")
    return value


def _thinned(tree: dict, scale: str, path: Path) -> str | None:
    scales = _mapping(tree, "scales", path)
    if scale not in scales:
        known = ", ".join(map(str, scales)) or "none"
        raise ReportError(
            f"expected scale {scale} under scales: in {path}; found {known}."
            f"{nearest(scale, map(str, scales)) or ' Choose one of these.'}"
        )
    return _mapping(scales, scale, path).get("thinned")
