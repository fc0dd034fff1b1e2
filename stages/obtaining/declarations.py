"""params/datasets.yaml, read and checked: what each data set is, before anything of it is looked for.

Its form is params/schema/datasets.json. Layouts, formats and kinds of sources are those that have code; every
complaint names the file, the line and the key, and suggests the nearest name.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from common import files
from common.documents import line_of, read_yaml_with_lines
from common.errors import UserError
from common.names import nearest
from stages.data.datasets import REPOSITORY, combined_sha256
from stages.data.records import Declaration
from stages.obtaining import checksums, layouts
from stages.obtaining.formats import FORMATS
from stages.obtaining.sources import KINDS

DECLARATIONS = REPOSITORY / "params" / "datasets.yaml"
SCHEMA = REPOSITORY / "params" / "schema" / "datasets.json"
REMEDY = "mend the line; the head of params/datasets.yaml says what each key means"
Place = list[str | int]


def read_declaration(name: str, declarations: str | Path = DECLARATIONS, where: str = "") -> Declaration:
    """What params/datasets.yaml says of the data set `name`; `where` is the place at which it is called so.

    UserError if it says nothing, or nothing that can be.
    """
    declared = read_declarations(declarations)
    if name not in declared:
        shown = str(name) if str(name).isprintable() else ascii(name)
        raise UserError(
            f"no data set is called `{shown}`{nearest(str(name), declared)}",
            expected="one of " + ", ".join(sorted(declared)),
            found=shown,
            where=where or declarations,
            remedy=f"choose one, or declare it in {declarations} (docs/own_images.md)",
        )
    return {"name": name, **declared[name]}


def read_declarations(declarations: str | Path = DECLARATIONS) -> dict[str, Declaration]:
    """All of params/datasets.yaml, checked."""
    path = Path(declarations)
    try:
        document = files.read_yaml(path)
    except RecursionError as error:
        raise UserError(
            "a file cannot be read", expected="YAML", found="nested too deep", where=path
        ) from error
    if not isinstance(document, dict) or not document:
        found = "nothing" if document is None else f"{type(document).__name__} {str(document)[:60]!r}"
        raise UserError(
            "no data set is declared", expected="data sets by name", found=found, where=path, remedy=REMEDY
        )
    _check_schema(document, path)
    for name, declared in document.items():
        for place, word, allowed in _names_of_code(declared):
            if word not in allowed:
                _refuse(
                    [name, *place], f"`{word}`{nearest(word, allowed)}", "one of " + ", ".join(allowed), path
                )
        for place, check in _checksums(declared):
            if problem := checksums.wrong_form(check):
                _refuse([name, *place], problem, checksums.FORM, path)
    return document


def declared_sha256(name: str, declarations: str | Path = DECLARATIONS) -> str:
    """`combined_sha256` of what params/datasets.yaml declares; no data is read."""
    return combined_sha256(read_declaration(name, declarations))


def _names_of_code(declared: dict[str, Any]) -> Iterator[tuple[Place, str, Iterable[str]]]:
    """Each place that names a piece of code (a layout, a format): the place, its name, and the names that exist."""
    if "layout" in declared:
        yield ["layout"], declared["layout"], layouts.known()
    for number, source in enumerate(declared.get("sources", [])):
        yield ["sources", number, "kind"], source["kind"], KINDS
        yield ["sources", number, "format"], source["format"], FORMATS


def _checksums(declared: dict[str, Any]) -> Iterator[tuple[Place, str]]:
    for number, source in enumerate(declared.get("sources", [])):
        if "check" in source:
            yield ["sources", number, "check"], source["check"]
        for name, check in source.get("files", {}).items():
            if check is not None:
                yield ["sources", number, "files", name], check


@functools.cache
def _validator() -> Any:
    import jsonschema

    return jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))


def _check_schema(document: dict[str, Any], path: Path) -> None:
    from jsonschema.exceptions import best_match

    errors = list(_validator().iter_errors(document))
    if not errors:
        return
    unknown = [error for error in errors if error.validator == "additionalProperties"]
    # A misspelled key is also a missing one: the misspelling says more.
    error = unknown[0] if unknown else best_match(errors)
    place = list(error.absolute_path)
    if unknown:
        allowed = error.schema["properties"]
        key = next(key for key in error.instance if key not in allowed)
        _refuse([*place, key], f"`{key}`{nearest(str(key), allowed)}", "one of " + ", ".join(allowed), path)
    _refuse(place, _short(error), _allowed(error), path)


def _allowed(error: Any) -> str:
    title = error.schema.get("title") if error.parent is None else error.parent.schema.get("title")
    if title and error.validator not in ("required", "dependentRequired"):
        return title
    plain = {"enum": "one of ", "type": "", "pattern": "a name like ", "minimum": "at least "}
    said = error.validator_value
    said = ", ".join(map(str, said)) if isinstance(said, list) else said
    if error.validator == "required":
        return f"the keys {said}"
    if error.validator == "dependentRequired":
        return "the keys folder and layout, or neither"
    return f"{plain.get(error.validator, error.validator + ' ')}{said}"


def _short(error: Any) -> str:
    if error.validator in ("required", "dependentRequired"):
        return ", ".join(map(str, error.instance)) or "nothing"
    return f"{type(error.instance).__name__} {str(error.instance)[:80]!r}"


def _refuse(place: Place, found: str, expected: str, path: Path) -> None:
    line = line_of(read_yaml_with_lines(path), place)
    raise UserError(
        "the declaration of a data set is wrong",
        expected=expected,
        found=found,
        where=f"{path}, line {line} ({'.'.join(map(str, place)) or 'top'})",
        remedy=REMEDY,
    )
