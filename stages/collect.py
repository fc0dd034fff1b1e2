"""Gather what an exhibit's runs measured into one tidy folder; judging and drawing read nothing else.

results/<scale>/tidy/<exhibit>/ holds
    rows.csv         a row per run and metric: knobs, seed, metric, value, run; for a run that diverged, the step
    curves.csv       the learning curves: run, epoch, metric, value
    arrays.npz       the pictures and outcomes that runs leave, if any
    provenance.json  what decided each number, and the checksums of the other files; sealed, written last
A file whose content has not changed keeps its modification time.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from common import files, receipts, scales, seals
from common.errors import UserError, command
from common.names import cell_name
from common.options import add_results, add_scale
from stages.collecting.accounts import provenance
from stages.collecting.rows import Known, check_measures, curves, table
from stages.planning.declaration import exhibit_ids
from stages.planning.plans import Plan, read_plan
from stages.running.finished import Finished, finished

PROVENANCE = "provenance.json"


@command
def main(arguments: list[str] | None = None) -> int:
    """`python -m stages collect [--exhibit figure_08] [--scale S]`: every exhibit without --exhibit."""
    parser = argparse.ArgumentParser(prog="python -m stages collect", description=__doc__.splitlines()[0])
    parser.add_argument("--exhibit", help="only this exhibit, for example figure_08 (default: all)")
    add_scale(parser)
    add_results(parser)
    options = parser.parse_args(arguments)
    scale = scales.check_scale(options.scale or scales.default())
    for name in [options.exhibit] if options.exhibit else exhibit_ids():
        collect(read_plan(name, scale), options.results)
    if not options.exhibit:
        folder = options.results / scale / "tidy"
        receipts.write(
            options.results / scale, "tidy", [path for path in folder.glob("*/*") if path.is_file()]
        )
    return 0


def collect(plan: Plan, results: Path) -> None:
    """Write the tidy folder of one exhibit. Runs without a result are listed as missing, not left out silently."""
    known = {stage: dict(_known(plan, stage, results)) for stage in plan.stages}
    check_measures(plan, known)
    folder = results / plan.scale / "tidy" / plan.exhibit
    written = {"rows.csv": table(plan, known).encode(), "curves.csv": curves(known).encode()}
    arrays = dict(_arrays(known))
    written |= {"arrays.npz": files.npz_bytes(arrays)} if arrays else {}
    for name, data in written.items():
        files.write_bytes(folder / name, data, only_if_changed=True)
    for path in folder.iterdir():
        if path.name not in (*written, PROVENANCE):
            path.unlink()
    listed = {name: files.sha256_bytes(data) for name, data in written.items()}
    record = seals.sealed(provenance(plan, known) | {"files": listed})
    files.write_json(folder / PROVENANCE, record, only_if_changed=True)


def _known(plan: Plan, stage: str, results: Path) -> Iterator[tuple[str, Finished]]:
    """The finished runs of one stage. UserError if one of them is not what the plan describes now."""
    for run in plan.runs(stage):
        run_there = finished(run, results)
        if run_there and run_there.account["fingerprint"] != run.fingerprint:
            raise UserError(
                "a result belongs to another plan or to other code",
                expected=f"fingerprint {run.fingerprint} for run {run.id}",
                found=run_there.account["fingerprint"],
                where=run.folder(results),
                remedy=f"run `python -m stages {stage} --scale {plan.scale} --sweep {plan.exhibit}` again. If only the "
                "code changed, and the numbers cannot have, declare that: `python -m stages adopt --reason ...`",
            )
        if run_there:
            yield run.id, run_there


def _arrays(known: Known) -> Iterator[tuple[str, Any]]:
    """The pictures and outcomes of each cell's first run: exhibits show those of one seed."""
    for runs in known.values():
        shown: set[str] = set()
        for run, one in runs.items():
            if one.arrays and cell_name(run) not in shown:
                shown.add(cell_name(run))
                yield from ((f"{run}/{name}", _compact(array)) for name, array in one.arrays.items())


def _compact(array: np.ndarray) -> np.ndarray:
    """Whole numbers in the smallest type that holds them: labels of ten classes need a byte, not eight."""
    if array.dtype.kind not in "iu" or not array.size:
        return array
    return array.astype(np.promote_types(np.min_scalar_type(array.min()), np.min_scalar_type(array.max())))
