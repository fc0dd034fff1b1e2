"""JSON records that carry a hash of their own content, so that their next reader notices a changed digit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common import files
from common.errors import UserError

SEAL = "seal"


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record with its seal, SHA-256 over its canonical JSON (sorted keys, no blanks) without the seal."""
    return {**record, SEAL: _digest(record)}


def is_whole(record: Any) -> bool:
    """Whether the record is an object that holds the seal of its content."""
    try:
        return isinstance(record, dict) and record.get(SEAL) == _digest(record)
    except ValueError:  # 1e999 is a number in JSON, but no number that we write.
        return False


def read_sealed(path: str | Path, remedy: str) -> dict[str, Any]:
    """The record in a JSON file, with its seal. UserError, with the remedy, if it is missing or its content changed."""
    record = files.read_json(path, remedy)
    if is_whole(record):
        return record
    raise UserError(
        "a record was changed after it was written",
        expected="the content from which its seal was made",
        found="another content" if isinstance(record, dict) else f"a JSON {type(record).__name__}",
        where=path,
        remedy=remedy,
    )


def _digest(record: Mapping[str, Any]) -> str:
    content = {name: value for name, value in record.items() if name != SEAL}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
