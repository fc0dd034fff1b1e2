"""The few numbers per exhibit that `dvc metrics diff` compares between commits."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from reports.files import ReportError

Tree = dict[str, dict[str, dict[str, float]]]


def digest(records: Iterable[Mapping[str, Any]]) -> Tree:
    """{exhibit: {cell: {metric: mean to 4 decimals}}} from records, for exhibits that measured something.

    ReportError if two cells of an exhibit would have one name.
    """
    return {record["exhibit"]: _cells(record) for record in records if record["measured"]}


def cell_name(cell: Mapping[str, str]) -> str:
    """A cell as "projection=linear output_dim=32", without dots and slashes, which would split a key."""
    name = " ".join(f"{knob}={value}" for knob, value in cell.items())
    return re.sub(r"[./\\]", "_", name) or "all"


def _cells(record: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    tree: dict[str, dict[str, float]] = {}
    for row in record["measured"]:
        name = cell_name({knob: row[knob] for knob in record["knobs"]})
        if row["metric"] in tree.setdefault(name, {}):
            raise ReportError(
                f"expected distinct cell names in {record['exhibit']}; found two cells named {name!r} once "
                "dots and slashes are replaced. Spell the knob's values apart in its YAML."
            )
        tree[name][row["metric"]] = round(row["mean"], 4)
    return tree
