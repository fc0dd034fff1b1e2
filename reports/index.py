"""One page that shows every exhibit of a scale: `python -m reports.index --scale smoke`.

Reads what reports.draw left in <out>/<scale>; writes index.html there, and <metrics>/<scale>.json for DVC.
Drawings are embedded by relative address; the rest is in the page, which loads nothing from a network.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from reports import verdict
from reports.declaration import check_scale
from reports.digest import digest
from reports.files import exit_code, json_text, read_csv, read_json, read_text, write_bytes
from reports.record import banner, label
from reports.tables import render

DRAW_AGAIN = "Draw it again: python -m reports.draw --scale {scale} --exhibit {exhibit}."
NOT_BUILT, NOT_DRAWN, PARTIAL, COMPLETE = "not in this release", "not drawn", "partial", "complete"
KINDS_OF_CAUSE = ("fingerprint", "code", "data")
SHORT = 12  # characters of a hash that are shown; the whole is in the JSON


class Entry(NamedTuple):
    """One line of the paper's contents, with the record of what we drew, if we did."""

    id: str
    label: str
    section: str
    title: str
    status: str
    record: Mapping[str, Any] | None


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m reports.index", description=__doc__.splitlines()[0])
    parser.add_argument("--scale", required=True, help="smoke, reduced, cifar10 or paper")
    parser.add_argument("--out", type=Path, default=Path("reports/out"), help="drawings lie in <out>/<scale>")
    parser.add_argument("--params", type=Path, default=Path("params"), help="the paper's contents")
    parser.add_argument("--metrics", type=Path, default=Path("reports/metrics"), help="one JSON per scale")
    options = parser.parse_args(arguments)
    check_scale(options.scale, options.params / "exhibits")
    folder = options.out / options.scale
    entries = contents(options.scale, folder, options.params)
    verdict.write(folder, options.scale, [entry.record for entry in entries if entry.record])
    write_bytes(folder / "index.html", page(options.scale, entries, folder).encode())
    tree = digest(entry.record for entry in entries if entry.record)
    write_bytes(options.metrics / f"{options.scale}.json", json_text(tree).encode())


def contents(scale: str, folder: Path, params: Path) -> list[Entry]:
    """All exhibits in the paper's order, with the records found in `folder`."""
    _, rows = read_csv(
        params / "paper" / "contents.csv", "the paper's contents", "Run from the repository root."
    )
    return [_entry(scale, folder, params, *row) for row in rows]


def page(scale: str, entries: Sequence[Entry], folder: Path) -> str:
    """The whole page as HTML."""
    shown = [_shown(entry, folder) for entry in entries if entry.record]
    statuses = (COMPLETE, PARTIAL, NOT_DRAWN, NOT_BUILT)
    counts = {status: sum(entry.status == status for entry in entries) for status in statuses}
    return render(
        "index.html.j2", scale=scale, banner=banner(scale), entries=entries, shown=shown, counts=counts
    )


def _entry(scale: str, folder: Path, params: Path, exhibit: str, section: str, shows: str) -> Entry:
    path = folder / f"{exhibit}.json"
    if not path.exists():
        declared = (params / "exhibits" / f"{exhibit}.yaml").exists()
        return Entry(exhibit, label(exhibit), section, shows, NOT_DRAWN if declared else NOT_BUILT, None)
    found = read_json(path, "the record of a drawing", DRAW_AGAIN.format(scale=scale, exhibit=exhibit))
    status = PARTIAL if found["partial"] else COMPLETE
    return Entry(exhibit, label(exhibit), found["section"], found["title"], status, found)


def _shown(entry: Entry, folder: Path) -> dict[str, Any]:
    """What the template needs of one drawn exhibit."""
    record = entry.record or {}
    again = DRAW_AGAIN.format(scale=record["scale"], exhibit=entry.id)
    header, rows = read_csv(folder / f"{entry.id}.csv", "ours beside the paper's", again)
    table = None
    if record["kind"] == "table":
        # Our own fragment: reports.tables escaped what it holds when it was drawn.
        table = Markup(read_text(folder / f"{entry.id}.html", "a drawn table", again))
    return {
        "entry": entry,
        "record": record,
        "table": table,
        "header": header,
        "rows": rows,
        "varies": varying(record["provenance"]["runs"]),
        "causes": _causes(record["provenance"]["runs"]),
        "data": sorted(
            {str(run.get("data")) for run in record["provenance"]["runs"].values() if run.get("data")}
        ),
    }


def varying(runs: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """The bindings that take more than one value over the runs, with these values in order of appearance."""
    values: dict[str, list[str]] = {}
    for run in runs.values():
        for name, value in (run.get("bindings") or {}).items():
            text = str(value)
            if text not in values.setdefault(name, []):
                values[name].append(text)
    return {name: found for name, found in sorted(values.items()) if len(found) > 1}


def _causes(runs: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One line per run: its id and the beginnings of the hashes that decided its numbers."""
    return [
        {
            "run": name,
            "adopted": run.get("adopted"),
            **{kind: str(run.get(kind) or "—")[:SHORT] for kind in KINDS_OF_CAUSE},
        }
        for name, run in sorted(runs.items())
    ]


if __name__ == "__main__":
    sys.exit(exit_code(main))
