"""What people write under params/: exhibits (YAML), recipes (gin) and the scale. Read, checked, never guessed.

Every complaint names the file and the line, says what is allowed, and suggests the nearest name.
"""

from __future__ import annotations

import difflib
import functools
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from common.errors import UserError

PARAMS = Path("params")
SCALES = ("smoke", "reduced", "cifar10", "paper")


def nearest(name: str, known: Iterable[str]) -> str:
    """ " (did you mean `x`?)", or nothing when no known name is close."""
    names = list(known)
    padded = re.sub(
        r"_(\d)$", r"_0\1", name
    )  # table_5 is nearer to table_05 than to table_b5, whatever the letters say
    close = [padded] if padded in names else difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f" (did you mean `{close[0]}`?)" if close else ""


def check_scale(scale: str) -> str:
    """The scale, if it is one of the four."""
    if scale not in SCALES:
        raise UserError(
            f"unknown scale `{scale}`{nearest(scale, SCALES)}",
            expected=" | ".join(SCALES),
            found=scale,
            where=PARAMS / "scale.yaml",
        )
    return scale


def default_scale() -> str:
    """The scale that params/scale.yaml names."""
    path = PARAMS / "scale.yaml"
    document = read_yaml_with_lines(path)
    if not isinstance(document, dict) or list(document) != ["scale"]:
        raise UserError("not a scale", expected="one line, `scale: smoke`", found=document, where=path)
    return check_scale(str(document["scale"]))


def exhibit_ids() -> list[str]:
    """Every declared exhibit: figures then tables, body before appendix."""
    names = [path.stem for path in (PARAMS / "exhibits").glob("*.yaml")]
    return sorted(names, key=lambda name: (not name.split("_")[1].isdigit(), name))


def read_exhibit(name: str) -> dict[str, Any]:
    """The declaration params/exhibits/<name>.yaml as plain types, checked against params/schema/exhibit.json."""
    path = PARAMS / "exhibits" / f"{name}.yaml"
    if not path.is_file():
        known = exhibit_ids()
        raise UserError(
            f"unknown exhibit `{name}`{nearest(name, known)}",
            expected=", ".join(known),
            found=name,
            where=path.parent,
        )
    document = read_yaml_with_lines(path)
    _check_schema(document, path)
    exhibit = _plain(document)
    if exhibit["id"] != name:
        raise UserError(
            "an exhibit's id is its file's name",
            expected=f"id: {name}",
            found=f"id: {exhibit['id']}",
            where=path,
        )
    _check_grids(exhibit, document, path)
    return exhibit


def blocks_at(exhibit: dict[str, Any], scale: str) -> tuple[list[dict[str, Any]], list[int], dict[str, Any]]:
    """The run blocks, seeds and extra bindings of an exhibit at one scale; a scale inherits what it does not say."""
    own = exhibit["scales"][scale] or {}
    common = {**exhibit.get("set", {}), **own.get("set", {})}
    return own.get("runs", exhibit["runs"]), own.get("seeds", exhibit["seeds"]), common


def all_chains(exhibit: dict[str, Any]) -> list[list[str]]:
    """The chains of stages that an exhibit has at any scale, each once."""
    blocks = [
        *exhibit["runs"],
        *(block for own in exhibit["scales"].values() for block in own.get("runs", [])),
    ]
    return [list(chain) for chain in dict.fromkeys(tuple(block["chain"]) for block in blocks)]


def read_yaml_with_lines(path: Path) -> Any:
    """A YAML document whose nodes know their lines (ruamel round trip). UserError for a broken or missing one."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError

    try:
        return YAML(typ="rt").load(path.read_text())
    except FileNotFoundError as error:
        raise UserError(
            "a declaration is missing", expected="a YAML file", found="none", where=path
        ) from error
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise UserError(
            "not YAML", expected="YAML", found=error.problem, where=f"{path}, line {line}"
        ) from error


def line_of(document: Any, path: Sequence[str | int]) -> int:
    """The line (from 1) of the node at `path`, or of the nearest ancestor that has one."""
    line, node = 1, document
    for key in path:
        try:
            position = node.lc.data[key]
            line, node = position[0] + 1, node[key]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
    return line


def read_recipe(path: Path) -> dict[str, tuple[Any, int]]:
    """A gin recipe as {"configurable.parameter": (value, line)}; literal values only, no macros or references.

    Parsed by gin's own parser without importing what the names refer to: planning must not cost an import of torch.
    """
    from gin import config_parser

    if not path.is_file():
        known = [other.name for other in path.parent.glob("*.gin")]
        raise UserError(
            "a recipe is missing", expected=", ".join(sorted(known)), found=path.name, where=path.parent
        )
    bindings: dict[str, tuple[Any, int]] = {}
    try:
        for statement in config_parser.ConfigParser(path.read_text(), _LiteralsOnly()):
            if not isinstance(statement, config_parser.BindingStatement) or statement.scope:
                raise SyntaxError(
                    f"line {statement.location.line_num}: only `name.parameter = value` stands in a recipe"
                )
            key = f"{statement.selector}.{statement.arg_name}"
            if key in bindings:
                raise SyntaxError(f"line {statement.location.line_num}: {key} is bound twice")
            bindings[key] = (statement.value, statement.location.line_num)
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        raise UserError(
            "not a recipe",
            expected="lines `configurable.parameter = literal`",
            found=error.msg,
            where=f"{path}{line}",
        ) from error
    return bindings


def stages_with_recipes() -> list[str]:
    """The stages that run sweeps: those with a recipe at every scale."""
    return sorted(path.stem.removesuffix("_smoke") for path in (PARAMS / "recipes").glob("*_smoke.gin"))


def recipe_path(stage: str, scale: str) -> Path:
    """params/recipes/<stage>_<scale>.gin."""
    return PARAMS / "recipes" / f"{stage}_{scale}.gin"


class _LiteralsOnly:
    """What gin's parser calls for references and macros: we allow neither, so that YAML and gin map one to one."""

    def configurable_reference(self, scoped_name: str, evaluate: bool) -> Any:
        raise SyntaxError(f"@{scoped_name}: write the value itself")

    def macro(self, macro_name: str) -> Any:
        raise SyntaxError(f"%{macro_name}: write the value itself")


@functools.cache
def _validator() -> Any:
    import jsonschema

    return jsonschema.Draft202012Validator(json.loads((PARAMS / "schema" / "exhibit.json").read_text()))


def _check_schema(document: Any, path: Path) -> None:
    plain = _plain(document)
    errors = list(_validator().iter_errors(plain))
    if not errors:
        return
    # A misspelled key is also a missing one: the misspelling says more.
    error = min(errors, key=lambda error: error.validator != "additionalProperties")
    place, found = list(error.absolute_path), error.message
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        allowed = error.schema.get("properties", {})
        unknown = next((key for key in error.instance if key not in allowed), None)
        if allowed and unknown is not None:
            place, found = [*place, unknown], f"`{unknown}`{nearest(unknown, allowed)}"
    raise UserError(
        "the declaration violates its schema",
        expected=_allowed(error),
        found=found,
        where=f"{path}, line {line_of(document, place)} ({'.'.join(map(str, place)) or 'top'})",
        remedy="mend the line; params/schema/exhibit.json says what may stand there",
    )


def _allowed(error: Any) -> str:
    schema = error.schema if isinstance(error.schema, dict) else {}
    if error.validator == "additionalProperties" and "properties" in schema:
        return "one of " + ", ".join(sorted(schema["properties"]))
    if error.validator == "required":
        return "the keys " + ", ".join(error.validator_value)
    if error.validator in ("enum", "type", "pattern", "minimum", "minItems"):
        return f"{error.validator} {error.validator_value}"
    return str(schema.get("title", error.validator))


def _check_grids(exhibit: dict[str, Any], document: Any, path: Path) -> None:
    """Every grid value belongs to a declared knob, and to one of its labels where it has labels."""
    places: list[tuple[list[str | int], list[dict[str, Any]]]] = [(["runs"], exhibit["runs"])]
    places += [(["scales", s, "runs"], (body or {}).get("runs", [])) for s, body in exhibit["scales"].items()]
    for place, blocks in places:
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
        for value in values:
            if value not in knobs[knob]:
                labels = [str(label) for label in knobs[knob]]
                raise UserError(
                    f"knob `{knob}` has no value `{value}`{nearest(str(value), labels)}",
                    expected=", ".join(labels),
                    found=value,
                    where=where,
                )


def _plain(node: Any) -> Any:
    if isinstance(node, dict):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    if isinstance(node, bool) or node is None:
        return node
    for kind in (int, float, str):  # ruamel's subclasses of these remember their spelling; we do not
        if isinstance(node, kind):
            return kind(node)
    return node
