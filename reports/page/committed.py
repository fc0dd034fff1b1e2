"""What of a scale is small enough to be committed: the numbers that DVC compares, and the tidy results."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from common.documents import read_yaml
from common.errors import UserError
from common.files import write_bytes, write_text
from common.run_records import RECORDS, RERUNS
from common.seals import read_sealed
from reports.reading.folders import Folders
from reports.reading.plain import json_text
from reports.reading.planned import planned_bindings
from reports.reading.record import Record
from reports.reading.summary import cell_means

Tree = dict[str, dict[str, dict[str, float]]]
Runs = Mapping[str, Mapping[str, Any]]  # by "<stage>/<run>", as in provenance.json
PROVENANCE = "provenance.json"


def keep(
    metrics: Path, scale: str, folders: Folders, records: Sequence[Record], declared: Iterable[str]
) -> None:
    """Write the file `metrics`, and the tidy folder of each exhibit that has results into the evidence of the scale.

    Of the other exhibits that are `declared`, what others committed stays; what is not declared goes. What has runs
    that the tidy folder lacks stays too, and is named with the command that gathers both.
    """
    write_text(metrics, json_text(digest(records)), only_if_changed=True)
    committed = folders._replace(committed=True)
    for exhibit in sorted(record["exhibit"] for record in records if record["raw"]):
        source, target = folders.tidy(exhibit, scale), committed.tidy(exhibit, scale)
        plan = folders.params / "plan" / scale / f"{exhibit}.yaml"
        if lacks := lacking(source, target, plan):
            more = f" and {len(lacks) - 1} more" if len(lacks) > 1 else ""
            again = f"python -m stages collect --scale {scale} --exhibit {exhibit}"
            print(f"kept {target}: it has {lacks[0]}{more}, which {source} lacks; gather both: {again}")
        else:
            _copy(source, target)
    place, known = folders.evidence / scale, {*declared, RECORDS, RERUNS}
    for path in place.iterdir() if place.is_dir() else ():
        if path.name not in known:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def lacking(tidy: Path, committed: Path, plan: Path) -> list[str]:
    """The names of the committed runs, as the plan has them, that a tidy folder lacks: it is older than the commit.

    A committed run that is not planned any more is not among them, nor one of a stage whose every run has another
    fingerprint now: such numbers are of older declarations or older code.
    """
    ours, there = _provenance(tidy), _provenance(committed).get("runs", {})
    here = ours.get("runs", {})
    known = {run.get("fingerprint") for run in here.values()}
    others = [name for name, run in there.items() if run.get("fingerprint") not in known]
    if not others:
        return []
    unbound = dict.fromkeys([*here, *ours.get("missing", [])])
    bindings = planned_bindings(read_yaml(plan)) if plan.is_file() else unbound
    both = {_stage(name): set() for name in here if name in there}
    for name in there.keys() & here.keys():
        both[_stage(name)].add(name in others)
    renewed = {stage for stage, differ in both.items() if differ == {True}}
    return [
        name
        for name in others
        if _is_planned(name, there, bindings)
        and (not _is_planned(name, here, bindings) if name in here else _stage(name) not in renewed)
    ]


def _is_planned(name: str, runs: Runs, bindings: Mapping[str, Mapping[str, Any] | None]) -> bool:
    """Whether a run, and what it reads of its cell, is bound as planned; None stands for bindings that nobody knows."""
    cell = name.partition("/")[2]
    chain = [(each, run) for each, run in runs.items() if each.partition("/")[2] == cell]
    return name in bindings and all(
        bindings.get(each) is None or run["bindings"].items() <= bindings[each].items() for each, run in chain
    )


def _stage(name: str) -> str:
    return name.partition("/")[0]


def _provenance(folder: Path) -> dict[str, Any]:
    """What decided the numbers in a folder; nothing where that is not there, or damaged: it protects nothing then."""
    try:
        return read_sealed(folder / PROVENANCE, "")
    except UserError:
        return {}


def _copy(source: Path, target: Path) -> None:
    """Make a folder hold what another holds, file by file; provenance.json, which seals the others, last."""
    paths = sorted(source.iterdir(), key=lambda path: path.name == PROVENANCE)
    for path in paths:
        write_bytes(target / path.name, path.read_bytes(), only_if_changed=True)
    for path in target.iterdir():
        if not (source / path.name).exists():
            path.unlink()


def digest(records: Iterable[Record]) -> Tree:
    """{exhibit: {cell: {metric: mean over seeds to 4 decimals}}} of the records that measured something.

    A cell is called by its place in the grid, as in the plan, and not by its values: an edited value then
    shows as a metric that moved and not as a cell that vanished and one that appeared.
    """
    return {record["exhibit"]: cell_means(record["raw"]) for record in records if record["raw"]}
