"""docs/performance.md and its plot from reports/bench.json: `python -m tests.bench.page` (`make bench` ends with it).

What stands between the marks <!-- name --> and <!-- end --> is made here; the words around are written by hand.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from common.files import write_bytes, write_text
from tests.bench.findings import PLACE, bound, number, standing
from tests.bench.machine import worded

PAGE = Path("docs/performance.md")
PLOT = Path("docs/performance.svg")
TITLES = {"bench": "`make bench`", "suite": "`make bench-suite`"}
AXES = {"images": "images", "batch": "batch size", "width": "channels of the first group", "cells": "cells"}
BUSY = 1.0  # load average of the minute before, from which on a row says it
Document = dict[str, Any]


def main() -> int:
    """Write both."""
    found = json.loads(PLACE.read_text(encoding="utf-8"))
    write_text(PAGE, filled(PAGE.read_text(encoding="utf-8"), found), only_if_changed=True)
    if growth := growth_of(found):
        write_bytes(PLOT, plot(growth), only_if_changed=True)
    return 0


def filled(page: str, found: Document) -> str:
    """The page with its made parts made anew."""
    made: dict[str, Callable[[Document], str]] = {"table": table, "parts": parts}
    for name, make in made.items():
        between = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.S)
        page = between.sub(lambda match, make=make: f"{match[1]}{make(found)}\n{match[2]}", page)
    return page


def table(found: Document) -> str:
    """What is measured beside what it is to be, a table for each command."""
    return "\n\n".join(_section(TITLES[name], found[name]) for name in TITLES if name in found)


def _section(title: str, section: Document) -> str:
    rows = [(name, section["rows"][name]) for name in sorted(section["rows"])]
    lines = [
        f"{title}, on {worded(section['machine'])}:",
        "",
        "| what | measured | to be | |",
        "|---|---|---|---|",
    ]
    for name, row in rows:
        if failed := row.get("failed"):
            lines.append(f"| {name} | could not be measured: {failed.splitlines()[0]} | | |")
        for each in row["findings"]:
            said = " ".join(filter(None, [standing(each), _because(each), _load(row)]))
            lines.append(
                f"| {each['what']} | {number(each['value'])} {each['unit']} | {bound(each)} | {said} |"
            )
    return "\n".join(lines)


def _because(each: Document) -> str:
    return f"({each['because']})" if each["met"] is False and each["because"] else ""


def _load(row: Document) -> str:
    return f"*load {row['load_before']}*" if row["load_before"] > BUSY else ""


def parts(found: Document) -> str:
    """What each value was made from."""
    lines = ["| what | made from |", "|---|---|"]
    for _, row in _rows(found):
        for each in row["findings"]:
            made = {name: value for name, value in each["measured"].items() if not isinstance(value, dict)}
            if made:
                said = "; ".join(f"{name}: {_value(value)}" for name, value in made.items())
                lines.append(f"| {each['what']} | {said} |")
    return "\n".join(lines)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    return number(value) if isinstance(value, int | float) else str(value)


def _rows(found: Document) -> Iterator[tuple[str, Document]]:
    for section in TITLES:
        yield from sorted(found.get(section, {}).get("rows", {}).items())


def growth_of(found: Document) -> Document:
    """The points of the plot, by what grows; empty if they were not measured."""
    row = found.get("bench", {}).get("rows", {}).get("growth", {"findings": []})
    return row["findings"][0]["measured"] if row["findings"] else {}


def plot(growth: Document) -> bytes:
    """Cost against images, batch, width and cells, as SVG."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import pandas as pd
    import seaborn as sns

    from reports.drawing.style import style, svg_bytes, words_as_text

    with style("performance"), words_as_text():
        figure, panels = plt.subplots(1, len(AXES), figsize=(11, 2.6), layout="constrained")
        for axes, (name, label) in zip(panels, AXES.items(), strict=True):
            points = pd.DataFrame({"x": [float(x) for x in growth[name]], "y": list(growth[name].values())})
            sns.lineplot(points.sort_values("x"), x="x", y="y", marker="o", ax=axes)
            axes.set(xscale="log", ylim=(0, None), xlabel=label, ylabel="")
            axes.set_title("plan, seconds" if name == "cells" else "pairs/s, one core")
        return svg_bytes(figure)


if __name__ == "__main__":
    sys.exit(main())
