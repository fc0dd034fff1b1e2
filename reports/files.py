"""Files that are either whole or absent, and errors that a person can act on."""

import csv
import difflib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any


class ReportError(Exception):
    """Something the user can put right: it says what was expected, what was found, where, what to do."""


def exit_code(command: Callable[[], None]) -> int:
    """Run `command`: 0 when it returns, 2 with one message on stderr and no traceback on a ReportError."""
    try:
        command()
    except ReportError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def nearest(name: str, known: Iterable[str]) -> str:
    """A question for the end of a message: the known name that `name` looks like; "" if none does."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean {close[0]}?" if close else ""


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` by way of a temporary file beside it: a kill leaves all of it or none."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(
            temporary, 0o644
        )  # mkstemp makes it private; engines that share a cache must be able to read it
        os.replace(temporary, path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _unwritable(path, error) from error
        raise


def json_text(value: Any) -> str:
    """`value` as JSON: keys in the order given, floats to 10 significant digits; ValueError for NaN."""
    return json.dumps(rounded(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def record_text(value: Mapping[str, Any]) -> str:
    """`value` as JSON in few bytes that people still read: each key on a line, and each item of a list or object below
    it. Numbers and errors as in `json_text`.
    """
    lines = [f"{_compact(key)}: {_itemized(item)}" for key, item in rounded(dict(value)).items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def read_text(path: Path, what: str, remedy: str) -> str:
    """The text of `path`. ReportError, naming `what` was expected and the `remedy`, if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ReportError(f"expected {what} at {path}; there is no such file. {remedy}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ReportError(f"expected {what} at {path}; it cannot be read ({error}). {remedy}") from error


def read_json(path: Path, what: str, remedy: str) -> dict[str, Any]:
    """The JSON object in `path`; ReportError if it is absent, broken, or not an object."""
    return parse_json(read_text(path, what, remedy), what, path, remedy)


def parse_json(text: str, what: str, path: Path, remedy: str) -> dict[str, Any]:
    """The JSON object that `text` is; errors name `path` and `what` was expected there."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ReportError(f"expected {what} at {path}; found broken JSON ({error}). {remedy}") from error
    if not isinstance(value, dict):
        raise ReportError(f"expected {what} at {path}; found a JSON {type(value).__name__}. {remedy}")
    return value


def check_types(
    found: Mapping[str, Any], kinds: Mapping[str, type | tuple[type, ...]], path: Path, remedy: str
) -> None:
    """ReportError unless `found`, the object in `path`, has every key of `kinds` with a value of that type."""
    for key, kind in kinds.items():
        if not isinstance(found.get(key), kind):
            name = " or ".join(each.__name__ for each in (kind if isinstance(kind, tuple) else (kind,)))
            raise ReportError(
                f"expected a {name} under {key!r} in {path}; found {found.get(key)!r:.80}. {remedy}"
            )


def read_csv(path: Path, what: str, remedy: str) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of `path` as text; ReportError unless every row is as wide as the header."""
    return parse_csv(read_text(path, what, remedy), what, path, remedy)


def parse_csv(text: str, what: str, path: Path, remedy: str) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of a CSV file's text; errors name `path` and `what` was expected there."""
    lines = [line for line in csv.reader(text.splitlines()) if line]
    if not lines:
        raise ReportError(f"expected {what} at {path}; found an empty file without a header. {remedy}")
    header, *rows = lines
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise ReportError(
                f"expected {len(header)} fields ({', '.join(header)}) in row {number} of {path}; "
                f"found {len(row)}. {remedy}"
            )
    return header, rows


def _itemized(value: Any) -> str:
    """One level of `value` on lines of their own, if any of it is more than a word."""
    if not isinstance(value, dict | list) or not any(isinstance(item, dict | list) for item in _items(value)):
        return _compact(value)
    if isinstance(value, list):
        return "[\n" + ",\n".join(map(_compact, value)) + "\n]"
    return "{\n" + ",\n".join(f"{_compact(key)}: {_compact(item)}" for key, item in value.items()) + "\n}"


def _items(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def rounded(value: Any) -> Any:
    """Floats to the 10 significant digits that JSON files hold, in whatever they stand."""
    if isinstance(value, float):
        return float(f"{value:.10g}")
    if isinstance(value, dict):
        return {str(key): rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    return value


def _unwritable(path: Path, error: OSError) -> ReportError:
    reason = error.strerror or str(error)
    return ReportError(
        f"expected to write {path}; found: {reason}. Free the disk or check the folder's permissions."
    )
