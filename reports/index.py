"""Make the page of a scale, which shows its verdicts and every exhibit: reports/out/<scale>/index.html.

The command reads what reports.draw and reports.verdict left in <out>/<scale>, and writes index.html there. It also
writes <metrics>/<scale>.json for DVC, and <evidence>/<scale>/<exhibit>/ for comparisons and for readers without runs;
both are small enough to be committed. Drawings are linked by relative address. Everything else is in the page, which
loads nothing from a network.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from common import receipts, scales
from common.errors import command
from common.files import read_bytes, read_csv, read_text, write_text
from common.run_records import RECORDS, read_records
from common.scales import check_scale, default
from reports.drawing.markup import render
from reports.drawing.standing import banner
from reports.page import board, summary
from reports.page.committed import keep
from reports.page.contents import COMPLETE, NOT_DRAWN, NOT_RUN, PARTIAL, Entry, contents
from reports.page.directions import directions
from reports.page.numbers import numbers
from reports.page.png import has_photos, size
from reports.reading import completion, lineage
from reports.reading.folders import Folders, add_folders, check_collected, folders_of
from reports.reading.frozen import read_frozen
from reports.reading.record import Record
from reports.reading.verdicts import SPOKEN, asking_for_more
from reports.reading.words import read_words

Records = Sequence[Mapping[str, str]]  # of common.run_records.read_records


@command
def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m reports.index", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--metrics",
        type=Path,
        default=Path("reports/metrics"),
        help="where <scale>.json goes, the means that DVC compares (default: reports/metrics)",
    )
    add_folders(parser)
    options = parser.parse_args(arguments)
    scale, folders = check_scale(options.scale or default()), folders_of(options)
    folder = options.out / scale
    entries = contents(scale, folder, folders)
    check_collected(scale, folders)
    records = [entry.record for entry in entries if entry.record]
    write_text(folder / "index.html", page(scale, entries, folder, folders))
    if not folders.committed:
        declared = [entry.id for entry in entries]
        keep(options.metrics / f"{scale}.json", scale, folders, records, declared)
    receipts.write(folders.results / scale, "page", [folder / "index.html"])


def page(scale: str, entries: Sequence[Entry], folder: Path, folders: Folders) -> str:
    """The whole page as HTML."""
    params = folders.params
    frozen = read_frozen(params, scale)
    said = board.Said(
        words=read_words(params),
        directions=directions((entry.declaration.claims, scale) for entry in entries),
        changed=frozenset(frozen.claims if frozen else ()),
    )
    claims = board.load(folder, scale, [entry.id for entry in entries], said, folders.source)
    papers = [claim for claim in claims or [] if claim.is_papers]
    of = {
        entry.id: [claim for claim in claims or [] if claim.record["exhibit"] == entry.id]
        for entry in entries
    }
    statuses = (COMPLETE, PARTIAL, NOT_RUN, NOT_DRAWN)
    records = read_records(folders.evidence / scale / RECORDS)
    made, left = _completion(scale, entries, folders, records)
    labels = {entry.id: entry.label for entry in entries}
    return render(
        "index.html.j2",
        scale=scale,
        banner=banner(scale),
        about=scales.read(scale).about,
        ran=summary.ran([entry.record for entry in entries if entry.record]),
        when=summary.when(made, frozen),
        left=summary.still(left, scale),
        came_out=summary.came_out(papers),
        frozen=frozen,
        listed=lambda ids: ", ".join(labels.get(name, name) for name in ids),
        is_frozen_first=bool(frozen) and (made is None or made.first >= frozen.date),
        meanings=board.MEANINGS,
        spoken=SPOKEN,
        thinned=sum(bool(entry.record and entry.record["thinned"]) for entry in entries),
        counts={status: sum(entry.status == status for entry in entries) for status in statuses},
        own=sum(not entry.is_papers for entry in entries),
        sections=list(dict.fromkeys(entry.section for entry in entries)),
        items=[_item(entry, folder, of[entry.id], records) for entry in entries],
        labels=labels,
        claims=claims,
        parts=board.parts(claims or []),
        papers=papers,
        tally=board.tally(papers),
        larger=asking_for_more([claim.record for claim in papers], scale),
        elsewhere=[claim for claim in claims or [] if claim.record["exhibit"] not in of],
        judge=board.judge(scale, folders.source),
        source=folders.source,
        records=folders.evidence / scale / RECORDS,
        width=board.WIDTH,
    )


def _completion(
    scale: str, entries: Sequence[Entry], folders: Folders, records: Records
) -> tuple[completion.Made | None, completion.Left | None]:
    """The runs that are made, as far as their records were kept, and the runs that are left."""
    drawn = {entry.id: entry.record for entry in entries if entry.record}
    runs = {key: run for record in drawn.values() for key, run in _runs_of(record).items()}
    missing = {entry.id: None for entry in entries if entry.status == NOT_RUN}
    missing |= {name: record["missing"] for name, record in drawn.items()}
    left = completion.left(folders.params, scale, missing, records, runs)
    return completion.made(records, runs), left


def _runs_of(record: Record) -> completion.Runs:
    """The runs of an exhibit and the points of its searches, by fingerprint."""
    every = [*lineage.runs_of(record).values(), *lineage.searched_of(record).values()]
    return {str(run.get("fingerprint")): run for run in every}


def _item(entry: Entry, folder: Path, claims: Sequence[board.Claim], records: Records) -> dict[str, Any]:
    """What the template needs of one exhibit: drawing, numbers and runs; only name and claims if it is not drawn."""
    item = {"entry": entry, "record": entry.record, "claims": claims, "again": entry.again}
    if entry.record is None:
        return item
    knobs, rows = numbers(entry.record, *read_csv(folder / f"{entry.id}.csv", entry.again))
    return item | {
        "curves": _curves(entry),
        "drawing": _drawing(entry, folder),
        "knobs": knobs,
        "numbers": rows,
        "cells": lineage.by_cell(lineage.trails(entry.record)),
        "absent": lineage.absent(entry.record),
        "mixed": summary.mixed(completion.made(records, _runs_of(entry.record))),
        **_causes(entry.record),
    }


def _drawing(entry: Entry, folder: Path) -> dict[str, Any]:
    """A figure's width and height, so that the page does not jump while it loads; or a table's markup."""
    if entry.kind == "table":
        # Our own fragment: reports.drawing.tables escaped what it holds when it was drawn.
        return {"table": Markup(read_text(folder / f"{entry.id}.html", entry.again))}
    png = read_bytes(folder / f"{entry.id}.png", entry.again)
    width, height = size(png)
    return {"photos": has_photos(png), "width": width, "height": height}


def _curves(entry: Entry) -> str | None:
    """The file that shows how the exhibit's trainings went."""
    return next((name for name in entry.record["files"] if name.endswith("_curves.svg")), None)


def _causes(record: Record) -> dict[str, Any]:
    """What all runs of an exhibit have in common, and what the plan says of their cost."""
    runs = lineage.runs_of(record) | lineage.searched_of(record)
    return {
        "stages": lineage.stage_causes(runs),
        "shared": lineage.shared(runs),
        "varies": lineage.varying_by_stage(runs),
        "data": sorted({str(run["data"]) for run in runs.values() if run.get("data")}),
        "cost": {name: _amount(value) for name, value in _cost(record["provenance"]).items()},
    }


def _cost(causes: Mapping[str, Any]) -> Mapping[str, Any]:
    return causes.get("cost") or {}


def _amount(value: Any) -> str:
    """A large number to three digits, a small one whole."""
    if not isinstance(value, int | float):
        return str(value)
    return f"{value:,.0f}" if abs(value) < 1e9 else f"{value:.2e}"


if __name__ == "__main__":
    sys.exit(main())
