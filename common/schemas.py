"""Declarations checked by the JSON schemas under params/schema/. An error says the line, what may stand there, and the
nearest name that exists.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from common.documents import line_of, plain, read_text, read_yaml_with_lines
from common.errors import UserError
from common.names import nearest

FOLDER = Path("params") / "schema"


def read_checked(path: Path, schema: str) -> tuple[Any, Any]:
    """A YAML document as plain types, and as nodes that know their lines. UserError where params/schema/<schema>.json
    does not allow it.
    """
    document = read_yaml_with_lines(path)
    content = plain(document, path)
    errors = list(_validator(schema).iter_errors(content))
    if errors:
        # A misspelled key is also a missing key; the misspelling says more.
        error = min(errors, key=lambda error: error.validator != "additionalProperties")
        raise _complaint(error, document, path, schema)
    return content, document


@functools.cache
def _validator(name: str) -> Any:
    import jsonschema
    from referencing import Registry, Resource

    schemas = {path.name: json.loads(read_text(path)) for path in sorted(FOLDER.glob("*.json"))}
    known = Registry().with_resources([(key, Resource.from_contents(body)) for key, body in schemas.items()])
    return jsonschema.Draft202012Validator(schemas[f"{name}.json"], registry=known)


def _complaint(error: Any, document: Any, path: Path, schema: str) -> UserError:
    place, found = list(error.absolute_path), _short(error.message)
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        allowed = error.schema.get("properties", {})
        unknown = next((key for key in error.instance if key not in allowed), None)
        if allowed and unknown is not None:
            place, found = [*place, unknown], f"`{unknown}`{nearest(unknown, allowed)}"
    return UserError(
        "the declaration violates its schema",
        expected=_allowed(error),
        found=found,
        where=f"{path}, line {line_of(document, place)} ({'.'.join(map(str, place)) or 'top'})",
        remedy=f"mend the line; params/schema/{schema}.json says what may stand there",
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


def _short(message: str) -> str:
    return message if len(message) <= 300 else f"{message[:200]} ... {message[-80:]}"
