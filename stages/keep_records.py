"""Record when, where and how fast runs were made, beside the committed evidence: reports/evidence/<scale>/records.csv.

The rest of the evidence is the same from every machine. This file is not, so no step of the graph writes it. Runs that
another machine or an earlier working copy made, and that are not here, keep their lines.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

from common import files, scales
from common.errors import command
from common.options import add_results, add_scale
from common.run_records import COLUMNS, RECORDS, read_records
from stages.planning.plans import all_plans
from stages.running import store
from stages.running.finished import EVIDENCE

RECORDED = ("finished", "seconds", "images_per_second", "processes", "device", "processor")


@command
def main(arguments: list[str] | None = None) -> int:
    """`python -m stages keep_records [--scale S]`."""
    parser = argparse.ArgumentParser(
        prog="python -m stages keep_records", description=__doc__.splitlines()[0]
    )
    add_scale(parser)
    add_results(parser)
    options = parser.parse_args(arguments)
    scale = scales.check_scale(options.scale or scales.default())
    path = EVIDENCE / scale / RECORDS
    rows = {row["fingerprint"]: row for row in [*read_records(path), *_here(scale, options.results)]}
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row for _, row in sorted(rows.items()))
    files.write_text(path, stream.getvalue(), only_if_changed=True)
    seconds = sum(float(row["seconds"]) for row in rows.values())
    print(f"{path}: {len(rows)} runs, {seconds / 3600:.2f} hours of one process each at a time")
    return 0


def _here(scale: str, results: Path) -> Iterator[dict[str, str]]:
    """The records of the scale's finished runs on this machine; a run without a whole record is left out."""
    runs = {
        run.fingerprint: run for plan in all_plans(scale) for some in plan.stages.values() for run in some
    }
    for key, run in runs.items():
        try:
            folder = store.find(results, run)
            record = json.loads((folder / store.RECORD).read_bytes())
            told = {name: str(record[name]) for name in RECORDED}
            float(told["seconds"])
            if store.is_of(folder, run):
                yield {"fingerprint": key, "stage": run.stage, **told, "commit": str(record["git"]["commit"])}
        except (OSError, ValueError, KeyError, TypeError):
            continue
