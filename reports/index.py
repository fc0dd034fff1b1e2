"""One page that shows every exhibit of a scale: `python -m reports.index --scale smoke`.

Reads what reports.draw left in <out>/<scale>; writes verdicts.json and index.html there, <metrics>/<scale>.json for
DVC and <evidence>/<scale>/<exhibit>.csv for comparisons, both small enough to be committed. Drawings are embedded by
relative address; the rest is in the page, which loads nothing from a network.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from reports import board, trails, verdict
from reports.declaration import check_scale
from reports.digest import digest, tidy_rows
from reports.drawing.tables import render
from reports.files import exit_code, json_text, read_csv, read_text, write_bytes
from reports.record import banner, label, read_record, runs_of

DRAW_AGAIN = "Draw it again: python -m reports.draw --scale {scale} --exhibit {exhibit}."
NOT_BUILT, NOT_DRAWN, PARTIAL, COMPLETE = "not in this release", "not drawn", "partial", "complete"


class Entry(NamedTuple):
    """One line of the paper's contents, with the record of what we drew, if we did."""

    id: str
    label: str
    section: str
    title: str
    status: str
    record: Mapping[str, Any] | None

    @property
    def kind(self) -> str:
        """figure or table."""
        return self.id.split("_", 1)[0]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m reports.index", description=__doc__.splitlines()[0])
    parser.add_argument("--scale", required=True, help="smoke, reduced, cifar10 or paper")
    parser.add_argument("--out", type=Path, default=Path("reports/out"), help="drawings lie in <out>/<scale>")
    parser.add_argument("--params", type=Path, default=Path("params"), help="the paper's contents")
    parser.add_argument("--metrics", type=Path, default=Path("reports/metrics"), help="one JSON per scale")
    parser.add_argument("--evidence", type=Path, default=Path("reports/evidence"), help="tidy rows, by scale")
    options = parser.parse_args(arguments)
    check_scale(options.scale, options.params / "exhibits")
    folder = options.out / options.scale
    entries = contents(options.scale, folder, options.params)
    records = [entry.record for entry in entries if entry.record]
    verdict.write(folder, options.scale, options.params, records)
    write_bytes(folder / "index.html", page(options.scale, entries, folder).encode())
    write_bytes(options.metrics / f"{options.scale}.json", json_text(digest(records)).encode())
    keep_rows(options.evidence / options.scale, records)


def keep_rows(folder: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Write <exhibit>.csv, the measured rows, for `make compare` to read at a later commit; the rest goes."""
    kept = {f"{record['exhibit']}.csv": tidy_rows(record) for record in records if record["raw"]}
    for path in folder.glob("*.csv"):
        if path.name not in kept:
            path.unlink()
    for name, text in kept.items():
        write_bytes(folder / name, text.encode())


def contents(scale: str, folder: Path, params: Path) -> list[Entry]:
    """All exhibits in the paper's order, with the records found in `folder`."""
    _, rows = read_csv(
        params / "paper" / "contents.csv", "the paper's contents", "Run from the repository root."
    )
    return [_entry(scale, folder, params, *row) for row in rows]


def page(scale: str, entries: Sequence[Entry], folder: Path) -> str:
    """The whole page as HTML."""
    exhibits = [entry.id for entry in entries]
    claims = board.load(folder, scale, exhibits)
    of = {
        exhibit: [claim for claim in claims or [] if claim.found["exhibit"] == exhibit]
        for exhibit in exhibits
    }
    statuses = (COMPLETE, PARTIAL, NOT_DRAWN, NOT_BUILT)
    return render(
        "index.html.j2",
        scale=scale,
        banner=banner(scale),
        counts={status: sum(entry.status == status for entry in entries) for status in statuses},
        sections=list(dict.fromkeys(entry.section for entry in entries)),
        items=[_item(scale, entry, folder, of[entry.id]) for entry in entries],
        labels={entry.id: entry.label for entry in entries},
        claims=claims,
        parts=board.parts(claims or []),
        tally=board.tally(claims or []),
        elsewhere=[claim for claim in claims or [] if claim.found["exhibit"] not in of],
        judge=board.judge(scale),
        width=board.WIDTH,
    )


def _entry(scale: str, folder: Path, params: Path, exhibit: str, section: str, shows: str) -> Entry:
    path = folder / f"{exhibit}.json"
    if not path.exists():
        declared = (params / "exhibits" / f"{exhibit}.yaml").exists()
        return Entry(exhibit, label(exhibit), section, shows, NOT_DRAWN if declared else NOT_BUILT, None)
    found = read_record(path, scale, exhibit, DRAW_AGAIN.format(scale=scale, exhibit=exhibit))
    status = PARTIAL if found["partial"] else COMPLETE
    return Entry(exhibit, label(exhibit), found["section"], found["title"], status, found)


def _item(scale: str, entry: Entry, folder: Path, claims: Sequence[board.Claim]) -> dict[str, Any]:
    """What the template needs of one exhibit: drawn, with numbers and their runs; or only its name and claims."""
    again = DRAW_AGAIN.format(scale=scale, exhibit=entry.id)
    item = {"entry": entry, "record": entry.record, "claims": claims, "again": again}
    if entry.record is None:
        return item
    knobs, numbers = trails.numbers(
        entry.record, *read_csv(folder / f"{entry.id}.csv", "ours beside the paper's", again)
    )
    return item | {
        "drawing": _drawing(entry, folder, again),
        "knobs": knobs,
        "numbers": numbers,
        "trails": trails.trails(entry.record),
        "absent": trails.absent(entry.record),
        **_causes(entry.record),
    }


def _drawing(entry: Entry, folder: Path, again: str) -> dict[str, Any]:
    """A figure's width and height, so that a page keeps its place while it loads; or a table's markup."""
    if entry.kind == "table":
        # Our own fragment: reports.drawing.tables escaped what it holds when it was drawn.
        return {"table": Markup(read_text(folder / f"{entry.id}.html", "a drawn table", again))}
    head = (folder / f"{entry.id}.png").read_bytes()[:24]
    return {"width": int.from_bytes(head[16:20]), "height": int.from_bytes(head[20:24])}


def _causes(record: Mapping[str, Any]) -> dict[str, Any]:
    """What all runs of an exhibit have in common, and what the plan says of their cost."""
    provenance, runs = record["provenance"], runs_of(record)
    return {
        "stages": trails.stage_causes(runs),
        "shared": trails.shared(runs),
        "varies": trails.varying_by_stage(runs),
        "data": sorted({str(run["data"]) for run in runs.values() if run.get("data")}),
        "cost": {name: _amount(value) for name, value in (provenance.get("cost") or {}).items()},
    }


def _amount(value: Any) -> str:
    """A large number to three digits, a small one whole."""
    if not isinstance(value, int | float):
        return str(value)
    return f"{value:,.0f}" if abs(value) < 1e9 else f"{value:.2e}"


if __name__ == "__main__":
    sys.exit(exit_code(main))
