"""Plain values as JSON that people still read: keys in the order given, floats to ten significant digits."""

import json
from collections.abc import Iterable, Mapping
from typing import Any


def json_text(value: Any) -> str:
    """`value` with every item on a line of its own. ValueError for NaN and infinities."""
    return json.dumps(rounded(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def record_text(value: Mapping[str, Any]) -> str:
    """`value` in few bytes: each key on a line, and each item of a list or object on a line below. Errors as above."""
    lines = [f"{_compact(key)}: {_itemized(item)}" for key, item in rounded(dict(value)).items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def rounded(value: Any) -> Any:
    """`value` with all floats in it rounded to the ten significant digits that JSON files hold."""
    if isinstance(value, float):
        return float(f"{value:.10g}")
    if isinstance(value, Mapping):
        return {str(key): rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    return value


def _itemized(value: Any) -> str:
    """The items of `value` on a line each, if any of them is a list or an object."""
    if not isinstance(value, dict | list) or not any(isinstance(item, dict | list) for item in _items(value)):
        return _compact(value)
    if isinstance(value, list):
        return "[\n" + ",\n".join(map(_compact, value)) + "\n]"
    return "{\n" + ",\n".join(f"{_compact(key)}: {_compact(item)}" for key, item in value.items()) + "\n}"


def _items(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
