"""Text and YAML that people write, read as plain types, within bounds of memory and time. Every error names its place.

A declaration is small, flat and UTF-8. Anything else (a bomb of aliases, three thousand brackets, another encoding) is
refused before anything is built from it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from common.errors import UserError

LARGEST = 16 << 20  # bytes; the largest plan has half a million
DEEPEST = 50  # levels; the deepest declaration has a dozen
MOST_NODES = 1_000_000  # with every alias written out


def read_text(path: str | Path, expected: str = "a text file") -> str:
    """The text of a file. UserError if it is missing, a folder, too large, not UTF-8, or has a NUL in it."""
    path = Path(path)
    try:
        size = path.stat().st_size
        text = path.read_bytes().decode("utf-8-sig") if size <= LARGEST else ""
    except UnicodeDecodeError as error:
        at = f"byte {error.start + 1} is none"
        raise UserError(
            "a file is not UTF-8", expected=f"{expected}, in UTF-8", found=at, where=path
        ) from error
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        found = "a folder" if path.is_dir() else "none"
        raise UserError("a file is missing", expected=expected, found=found, where=path) from error
    if size > LARGEST:
        raise UserError(
            "a file is too large", expected=f"at most {LARGEST:,} bytes", found=f"{size:,}", where=path
        )
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise UserError("a file is not text", expected=expected, found="a NUL", where=f"{path}, line {line}")
    return text


def read_yaml(path: str | Path) -> Any:
    """The value in a YAML file: dicts, lists, text, finite numbers, truth and nothing. UserError for anything else."""
    return plain(_loaded(path, "safe"), path)


def read_yaml_with_lines(path: str | Path) -> Any:
    """The same document with nodes that know their lines (`line_of`), for error messages; `plain` makes it plain."""
    return _loaded(path, "rt")


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


def plain(node: Any, path: str | Path, *place: str) -> Any:
    """`node` in Python's own types, keys as text. UserError for dates, sets, tags, and numbers that are not finite."""
    if isinstance(node, dict):
        return {str(key): plain(value, path, *place, str(key)) for key, value in node.items()}
    if isinstance(node, list):
        return [plain(value, path, *place, str(number)) for number, value in enumerate(node, start=1)]
    if node is None or isinstance(node, bool):
        return node
    # ruamel's subclasses of these remember how they were written; plain values do not.
    for kind in (int, float, str):
        if isinstance(node, kind) and not (kind is float and not math.isfinite(node)):
            return kind(node)
    raise UserError(
        "a value that a declaration cannot hold",
        expected="text, a finite number, yes or no, a list or a mapping",
        found=f"{str(node)[:60]} ({type(node).__name__})",
        where=f"{path} ({'.'.join(place) or 'top'})",
    )


def _loaded(path: str | Path, kind: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError

    text = read_text(path, "a YAML file")
    try:
        _bound(text, path)
        return YAML(typ=kind).load(text)
    except UserError:
        raise
    except MarkedYAMLError as error:
        at = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UserError("not YAML", expected="YAML", found=error.problem, where=f"{path}{at}") from error
    # A parser may answer bad text with any kind of exception, and each is the fault of the text.
    except Exception as error:
        raise UserError("not YAML", expected="YAML", found=str(error) or error, where=path) from error


def _bound(text: str, path: str | Path) -> None:
    """UserError for a document that nests too deeply, or that its aliases would blow up. Looks at its events alone."""
    if _is_flat(text):
        return
    sizes: dict[str, int] = {}
    # Collections that are not closed yet: their anchor, and the number of nodes before them.
    opened: list[tuple[str | None, int]] = []
    nodes = 0
    for name, anchor, line in _events(text):
        if name == "AliasEvent":
            # An alias inside its own anchor has no size yet: plain() would not end.
            nodes += sizes.get(anchor or "", 0)
            if any(anchor == outer for outer, _ in opened):
                raise _too_much("an alias of what it stands in", path, line)
        elif name.endswith("StartEvent") and name.startswith(("Sequence", "Mapping")):
            opened.append((anchor, nodes))
            nodes += 1
        elif name == "ScalarEvent":
            nodes += 1
            sizes |= {anchor: 1} if anchor else {}
        elif name in ("SequenceEndEvent", "MappingEndEvent"):
            anchor, before = opened.pop()
            sizes |= {anchor: nodes - before} if anchor else {}
        if len(opened) > DEEPEST:
            raise _too_much(f"more than {DEEPEST} levels", path, line)
        if nodes > MOST_NODES:
            raise _too_much(f"more than {MOST_NODES:,} values, with every alias written out", path, line)


def _is_flat(text: str) -> bool:
    """Whether a look at the characters is enough: no anchor, few brackets, little indentation.

    To look at events takes as long as loading does, and a plan file is flat.
    """
    steepest = max((len(line) - len(line.lstrip(" -?")) for line in text.splitlines()), default=0)
    return "&" not in text and text.count("[") + text.count("{") + steepest < DEEPEST


def _events(text: str) -> Iterator[tuple[str, str | None, int]]:
    """(kind of event, anchor, line) of every event of the document."""
    from ruamel.yaml import YAML

    for event in YAML(typ="safe").parse(text):
        yield type(event).__name__, getattr(event, "anchor", None), event.start_mark.line + 1


def _too_much(found: str, path: str | Path, line: int) -> UserError:
    return UserError(
        "a document that cannot be a declaration",
        expected=f"at most {DEEPEST} levels and {MOST_NODES:,} values",
        found=found,
        where=f"{path}, line {line}",
    )
