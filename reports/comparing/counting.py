"""What of a comparison is left out, and how many of everything there are, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any


def parted(
    found: Iterable[Any], ignore: Sequence[str], names_of: Callable[[Any], Sequence[str]]
) -> tuple[list[Any], list[Any]]:
    """What is shown, and what is left out, because a pattern of `ignore` fits one of its names."""
    parts: tuple[list[Any], list[Any]] = [], []
    for one in found:
        parts[any(fnmatchcase(name, pattern) for pattern in ignore for name in names_of(one))].append(one)
    return parts


def counted(changed: Mapping[str, Any], still: int, ignore: Sequence[str]) -> str:
    """For example: 1 parameter difference, 3 numbers moved, 15 stayed, 2 verdicts changed.

    Where a side lacks cells of the other: 3 numbers moved, 15 stayed, 120 on one side alone. Where something is
    ignored: left out: Lars.*, top5 (3 parameter differences, 12 numbers that moved).
    """
    alone = sum(move.change is None for move in changed["moves"])
    said = [
        _count(len(changed["differences"]), "parameter difference"),
        f"{_count(len(changed['moves']) - alone, 'number')} moved",
        f"{still} stayed",
        *([f"{alone} on one side alone"] if alone else []),
        f"{_count(len(changed['verdicts']), 'verdict')} changed",
    ]
    return ", ".join(said) + (f"; {_left_out(ignore, **changed['left_out'])}" if ignore else "")


def _left_out(ignore: Sequence[str], differences: int, moves: int) -> str:
    counts = f"{_count(differences, 'parameter difference')}, {_count(moves, 'number')} that moved"
    return f"left out: {', '.join(ignore)} ({counts})"


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"
