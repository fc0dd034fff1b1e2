"""A comparison as Markdown, for a pull request: what differs and nothing else, pictures by relative path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reports.comparing.changes import Difference, Move

MOST = 40  # rows of a table: the page has all of them


def markdown(changed: Mapping[str, Any]) -> str:
    """The changes of one comparison, by the names that reports.compare gives them."""
    base, here, name = changed["base"], changed["here"], changed["label"]
    parts = [
        f"## {_cell(base.name)} ({base.scale}) → {_cell(here.name)} ({here.scale})",
        _cell(changed["counted"]) + ".",
    ]
    header = ("Exhibit", "Stage", "Parameter", "Base", "Here", "Runs")
    parts += _section(
        "Parameters that differ", header, [_difference(one, name) for one in changed["differences"]]
    )
    header = ("Exhibit", "Cell", "Metric", "Base", "Here", "Change", "95 % interval")
    parts += _section("Numbers that moved", header, [_move(one, name) for one in changed["moves"]])
    header = ("Claim", "Says", "Base", "Here")
    rows = [(one["id"], one["says"], one["base"], one["here"]) for one in changed["verdicts"]]
    parts += _section("Verdicts that changed", header, rows)
    pictures = [(name(exhibit), *map(_picture, sides)) for exhibit, sides in _figures(changed["drawings"])]
    parts += _section("Figures", ("Exhibit", "Base", "Here"), pictures, escape=False)
    return "\n\n".join(parts) + "\n"


def _section(
    title: str, header: Sequence[str], rows: Sequence[Sequence[Any]], escape: bool = True
) -> list[str]:
    if not rows:
        return []
    shown = [
        ["---"] * len(header),
        *([_cell(each) if escape else each for each in row] for row in rows[:MOST]),
    ]
    lines = [f"| {' | '.join(row)} |" for row in [list(header), *shown]]
    rest = len(rows) - MOST
    more = [f"and {rest} more, all on the page"] if rest > 0 else []
    return [f"### {title}", "\n".join(lines), *more]


def _difference(one: Difference, name: Any) -> Sequence[Any]:
    return name(one.exhibit), one.stage, one.binding, one.base, one.here, one.runs


def _move(one: Move, name: Any) -> Sequence[Any]:
    change = "" if one.change is None else f"{one.change:+.4g}"
    bounds = "" if one.low is None else f"{one.low:+.3g} to {one.high:+.3g}"
    return name(one.exhibit), one.knobs or one.cell, one.metric, one.base, one.here, change, bounds


def _figures(drawings: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterable[tuple[str, Sequence[Any]]]:
    return (
        (exhibit, sides)
        for exhibit, sides in drawings.items()
        if any(one["kind"] == "figure" for one in sides)
    )


def _picture(side: Mapping[str, Any]) -> str:
    return f"![{side['side']}]({side['content']})" if side["kind"] == "figure" else "not run"


def _cell(value: Any) -> str:
    """Text that stays in its cell and is nothing but text."""
    text = str(value).replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
    return (
        text.replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("`", "\\`")
        .replace("*", "\\*")
        .replace("[", "\\[")
    )
