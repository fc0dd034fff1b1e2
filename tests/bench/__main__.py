"""Measure how fast the suite is: `make bench`, and `make bench-suite` for what takes whole runs in fresh clones.

Prints a row at a time beside what it is to be, and writes each to reports/bench.json at once, so that a call that is
cut short leaves what it has. Figures mean something on a machine that does nothing else; each row keeps the load that
it met.

    python -m tests.bench                                   # about seven minutes
    python -m tests.bench --row nt_xent --rounds 1          # one row, quickly
    python -m tests.bench --suite                           # about twenty minutes
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

from tests.bench import (
    drawing,
    growth,
    libraries,
    linear_evaluation,
    logistic,
    nt_xent,
    photographs,
    pretraining,
    suite,
)
from tests.bench.contenders import PEER
from tests.bench.findings import PLACE, Finding, Report, line
from tests.bench.machine import facts, load, worded

Row = Callable[[int, float], list[Finding]]
ROWS: dict[str, Row] = {
    "pretraining_reduced": pretraining.reduced,
    "pretraining_resnet_18": pretraining.resnet_18,
    "linear_evaluation": linear_evaluation.row,
    "nt_xent": nt_xent.row,
    "logistic": logistic.row,
    "neighbours": libraries.neighbours,
    "picture": libraries.picture,
    "permutations": libraries.permutations,
    "verdicts": libraries.verdicts,
    "photographs": photographs.loading,
    "photographs_training": photographs.overlapping,
    "drawing": drawing.row,
    "growth": growth.row,
}
SUITE: dict[str, Row] = {"suite": suite.row, "paper_plan": suite.paper, "nt_xent_large": nt_xent.large}
NEED_PEER = ("pretraining_reduced", "pretraining_resnet_18")


def main() -> int:
    """Measure, print, write; 1 if a row failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.splitlines()[0])
    parser.add_argument("--suite", action="store_true", help="whole runs in fresh clones")
    parser.add_argument(
        "--row", action="append", choices=[*ROWS, *SUITE], help="only this one (may be repeated)"
    )
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds of each row")
    parser.add_argument("--seconds", type=float, default=3.0, help="of one contender in one round")
    parser.add_argument("--out", type=Path, default=PLACE)
    options = parser.parse_args()
    rows = {
        name: row
        for name, row in (SUITE if options.suite else ROWS).items()
        if not options.row or name in options.row
    }
    if not PEER.is_file() and set(NEED_PEER) & set(rows):
        print(f"error: no {PEER}: `make bench` makes it, from requirements/bench.txt", file=sys.stderr)
        return 2
    machine = facts()
    print(worded(machine), flush=True)
    report = Report("suite" if options.suite else "bench", machine, options.out)
    return 1 if [name for name, row in rows.items() if not _measured(name, row, report, options)] else 0


def _measured(name: str, row: Row, report: Report, options: argparse.Namespace) -> bool:
    """Measure one row; whether it could be."""
    before, start = load(), time.perf_counter()
    try:
        found = row(options.rounds, options.seconds)
    except Exception as error:
        traceback.print_exc()
        report.fail(name, f"{type(error).__name__}: {error}", before)
        return False
    report.add(name, found, before)
    for each in report.content["rows"][name]["findings"]:
        print(line(each), flush=True)
    print(f"  [{name}: {time.perf_counter() - start:.0f} s, load before {before}]", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
