"""A finished run as `collect` reads it: its cause, its numbers and its pictures, wherever they lie.

Runs lie in the store of this machine. Of runs that were made elsewhere the numbers may lie in the committed evidence,
reports/evidence/<scale>/<exhibit>/: what `collect` gathered there, without weights.
"""

from __future__ import annotations

import csv
import functools
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from common import files, scales
from common.contracts import Cause
from common.errors import UserError
from common.seals import read_sealed
from stages.planning.plans import Plan, Run
from stages.running import origins, store

EVIDENCE = Path("reports/evidence")
PROVENANCE = "provenance.json"
REMEDY = "restore it from the last commit (git checkout -- reports/evidence), or run with --ignore-evidence"
CAUSE = ("fingerprint", "stage", "seed", "bindings", "code", "data", "upstream")
# The files of a run that are read here; weights are not.
READ = ("metrics.json", "curve.csv", "arrays.npz")


@dataclass(frozen=True)
class Finished:
    """What is known of one finished run.

    account: what stands in provenance.json, its cause, metrics and machine. curve: rows of its curve.csv.
    """

    account: dict[str, Any]
    curve: list[dict[str, str]] = field(default_factory=list)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def metrics(self) -> dict[str, float]:
        """All that the run measured; nothing if it diverged."""
        return self.account["metrics"]


def finished(run: Run, results: Path) -> Finished | None:
    """The run as the store has it, verified file by file, or as the committed evidence has it; None without either.

    Evidence of an evaluation stands only for the weights that lie here, if any do. UserError for a run that is damaged
    here, but where the scale reuses evidence, and has it: there nobody would make the run again.
    """
    folder = store.find(results, run)
    if not (folder / store.RUN).is_file():
        return _known(run, results)
    try:
        cause = store.read_cause(folder)
        # Of a run that was declared otherwise before, or by older code, the sweep may still hold the result.
        if cause["fingerprint"] != run.fingerprint and (known := _known(run, results)):
            return known
        return _read(folder, cause)
    except UserError:
        if scales.read(run.scale).reuses_evidence and (known := _known(run, results)):
            return known
        raise


def _known(run: Run, results: Path) -> Finished | None:
    known = in_evidence(run)
    return known if known and origins.fits(known.account, run, results) else None


def _read(folder: Path, cause: Cause) -> Finished:
    """The finished run in a folder, whose run.json says `cause`. UserError if a file that is read is damaged."""
    listed = {name: store.read_listed(folder, cause, name) for name in cause["files"] if name in READ}
    account = {name: cause[name] for name in CAUSE} | {
        "metrics": json.loads(listed["metrics.json"]),
        "machine": _machine(folder, cause),
        **{name: cause[name] for name in ("search", "imported", origins.READ, "diverged") if name in cause},
    }
    curve = csv.DictReader(io.StringIO(listed.get("curve.csv", b"").decode()))
    arrays = files.read_npz(folder / "arrays.npz") if "arrays.npz" in listed else {}
    return Finished(account, list(curve), arrays)


def in_evidence(run: Run) -> Finished | None:
    """The run as the committed evidence of its scale has it, or that of a parent; None if none knows its fingerprint.

    What a scale does not say otherwise is its parent's, to the last bit. A parent is asked only for the exhibits that
    the scale itself declares: of a scale that asks one question the page shows what it asks, and not the parent's rest.
    """
    scale = scales.read(run.scale)
    asked = scales.lineage(run.scale) if run.exhibit in scale.exhibits else (run.scale,)
    places = [place for name in asked for place in _evidence(name).get(run.fingerprint, ())]
    if not places:
        return None
    # Its own place first: arrays are kept there of the run that the exhibit shows.
    mine = [
        place for place in places if (place.folder.name, place.name) == (run.exhibit, f"{run.stage}/{run.id}")
    ]
    folder, name, account, is_read = (mine or places)[0]
    arrays, curves = _gathered(folder)
    # Arrays are kept by cell, and are those of its last run: what it evaluates has left none.
    own = f"{name.partition('/')[2]}/"
    kept = {} if is_read else {key: array for key, array in arrays.items() if key.startswith(own)}
    return Finished(
        account,
        _by_epoch(row for row in curves if row["run"] == name),
        {key.removeprefix(own): array for key, array in kept.items()},
    )


def committed(plans: Iterable[Plan]) -> Iterator[tuple[Run, dict[str, Any]]]:
    """The runs of these plans that the committed evidence has by name, of whatever code, each with its account.

    Of scales that do not reuse evidence none: their runs are made again anyway.
    """
    for plan in plans:
        folder = EVIDENCE / plan.scale / plan.exhibit
        if scales.read(plan.scale).reuses_evidence and (folder / PROVENANCE).is_file():
            accounts = _accounts(folder)
            for run in (run for runs in plan.stages.values() for run in runs):
                if account := accounts.get(f"{run.stage}/{run.id}"):
                    yield run, account


def _by_epoch(rows: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """A row per metric, as curves.csv has them, as a row per epoch, as the curve.csv of a run has them."""
    epochs: dict[str, dict[str, str]] = {}
    for row in rows:
        epochs.setdefault(row["epoch"], {"epoch": row["epoch"]})[row["metric"]] = row["value"]
    return list(epochs.values())


class Place(NamedTuple):
    """Where evidence has a run. name: "<stage>/<run>". is_read: whether another run of the exhibit evaluates it."""

    folder: Path
    name: str
    account: dict[str, Any]
    is_read: bool


@functools.cache
def _evidence(scale: str) -> dict[str, list[Place]]:
    """Everything that is committed for a scale, by fingerprint."""
    known: dict[str, list[Place]] = {}
    for path in sorted((EVIDENCE / scale).glob(f"*/{PROVENANCE}")):
        accounts = _accounts(path.parent)
        read = {account.get("upstream") for account in accounts.values()}
        for name, account in accounts.items():
            place = Place(path.parent, name, account, account["fingerprint"] in read)
            known.setdefault(account["fingerprint"], []).append(place)
    return known


def _accounts(folder: Path) -> dict[str, dict[str, Any]]:
    """The accounts of all runs of a committed exhibit, by "<stage>/<run>"."""
    record = _record(folder)
    return record["runs"] | record.get("searched", {})


@functools.cache
def _record(folder: Path) -> dict[str, Any]:
    return read_sealed(folder / PROVENANCE, REMEDY)


@functools.cache
def _gathered(folder: Path) -> tuple[dict[str, np.ndarray], list[dict[str, str]]]:
    """Arrays and curves of a committed exhibit. UserError unless they are those that its provenance lists."""
    arrays, curves = folder / "arrays.npz", folder / "curves.csv"
    listed = _record(folder)["files"]
    for path in (arrays, curves):
        digest = files.sha256_file(path) if path.is_file() else None
        if digest != listed.get(path.name):
            raise UserError(
                "committed evidence is damaged",
                expected="the file that provenance.json beside it lists",
                found="a changed file" if digest else "no file",
                where=path,
                remedy=REMEDY,
            )
    rows = csv.DictReader(io.StringIO(curves.read_text(encoding="utf-8"))) if curves.is_file() else []
    return files.read_npz(arrays) if arrays.is_file() else {}, list(rows)


def _machine(folder: Path, cause: dict[str, Any]) -> dict[str, Any]:
    """Where the run was made: what of it can decide last bits."""
    path = folder / store.RECORD
    try:
        record = json.loads(path.read_bytes())
        where = {name: record[name] for name in ("processor", "device", "processes")}
    except (OSError, ValueError, KeyError, TypeError):
        # The record is no part of what is promised to be whole.
        where = {}
    return where | {"versions": cause["versions"]}
