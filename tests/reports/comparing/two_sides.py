"""Small sides of a comparison: Table 5 measured in a laboratory, and the page that compares it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reports import compare
from reports.comparing.sides import Side, from_results
from tests.reports.conftest import SCALE, Lab, call

KNOBS = ("l2_norm", "temperature")
HEADS = ("projection", "output_dim", "representation")
CLAIM = """
claims:
  D6:
    says: A temperature of 0.1 is the better <one>.
    type: D
    metric: top1
    contrast:
    - minus:
      - {temperature: 0.1}
      - {temperature: 0.5}
"""


def cells(temperatures: Sequence[float], values: Sequence[Sequence[float]]) -> list[list[Any]]:
    """A row per temperature (its place is the cell's name) and seed."""
    return [
        ["yes", tau, seed, "top1", value, f"temperature{place}-seed{seed}"]
        for place, (tau, of_seeds) in enumerate(zip(temperatures, values, strict=True), start=1)
        for seed, value in enumerate(of_seeds)
    ]


def measure(lab: Lab, rows: Sequence[Sequence[Any]], claims: str = "", **extra: Any) -> None:
    """Table 5 as measured, each run with its temperature among its bindings."""
    lab.put("table_05", KNOBS, rows, **extra)
    path = lab.params / "exhibits" / "table_05.yaml"
    path.write_text(path.read_text() + claims)
    path = lab.tidy("table_05") / "provenance.json"
    found = json.loads(path.read_text())
    for row in rows:
        bound = {"nt_xent.temperature": row[1], "Lars.momentum": 0.9}
        found["runs"][f"pretrain/{row[-1]}"]["bindings"] = bound
    lab.seal("table_05", found)


def sides(base: Lab, here: Lab) -> tuple[Side, Side]:
    for lab in (base, here):
        lab.settle()
    return tuple(from_results(lab.results, SCALE, ["table_05"]) for lab in (base, here))


def page(base: str | Path, here: Lab, *options: str) -> str:
    """Run the command; the page it wrote."""
    here.settle()
    folders = {"--results": here.results, "--params": here.params, "--out": here.out}
    words = [text for name, path in folders.items() for text in (name, str(path))]
    call(compare.main, f"--base={base}", "--scale", SCALE, *words, *options)
    return (here.out / SCALE / "compare" / "index.html").read_text()
