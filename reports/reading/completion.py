"""How far a scale is: which of its distinct runs are made, when and where, and how long the others will take.

The file <evidence>/<scale>/records.csv, which `python -m stages keep_records` writes, says when a run was made and how
long it took; the plans say what is left. A training that several exhibits share counts once.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from common.documents import read_yaml
from reports.reading.planned import bindings_of

Runs = Mapping[str, Mapping[str, Any]]  # by fingerprint


class Made(NamedTuple):
    """The runs that have a record. first, last: days in ISO 8601. seconds: as if one process had made all of them.

    machines: how many of them each kind of processor made, the most first.
    """

    runs: int
    first: str
    last: str
    seconds: float
    machines: dict[str, int]


class Planned(NamedTuple):
    """A run as a plan names it. key: equal for the same run in several exhibits.

    chooser: of a point of a search, the run that chooses among the points. While that is missing, so are they.
    """

    key: str
    stage: str
    epochs: float
    chooser: str = ""


class Left(NamedTuple):
    """runs: the distinct runs that are not made, of how many (`of`). seconds: how long they will take, about.

    unpaced: the stages without any finished run, so that nothing says how long one takes; `seconds` leaves them out.
    """

    runs: int
    of: int
    seconds: float
    unpaced: list[str]


def made(records: Sequence[Mapping[str, str]], runs: Runs) -> Made | None:
    """When, for how long and on which machines `runs` were made, as far as they have a record; None if none has."""
    own = [row for row in records if row["fingerprint"] in runs]
    days = sorted(row["finished"][:10] for row in own if row["finished"])
    if not days:
        return None
    counted = Counter(row["processor"] for row in own if row["processor"])
    machines = dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))
    return Made(len(own), days[0], days[-1], sum(float(row["seconds"]) for row in own), machines)


def left(params: Path, scale: str, missing: Mapping[str, Sequence[str] | None], records: Sequence[Mapping[str, str]],
         runs: Runs) -> Left | None:  # fmt: skip
    """What is left of a scale; None if nothing is. missing: the names of the missing runs by exhibit, None for all.

    A run is expected to take its number of epochs times the mean duration of an epoch of its stage.
    """
    if not any(names is None or names for names in missing.values()):
        return None
    every, here = set[str](), set[str]()
    lacking: dict[str, tuple[str, float]] = {}
    not_begun: dict[str, tuple[str, float]] = {}
    for exhibit, runs_of_it in planned(params, scale).items():
        names = missing.get(exhibit, ())
        for name, run in runs_of_it.items():
            every.add(run.key)
            if names is None:
                not_begun[run.key] = (run.stage, run.epochs)
            elif (run.chooser or name) in names:
                lacking[run.key] = (run.stage, run.epochs)
            else:
                here.add(run.key)
    # An exhibit of which nothing was collected may share runs with one that has them.
    lacking |= {key: run for key, run in not_begun.items() if key not in here}
    paces = _paces(records, runs)
    seconds = sum(paces.get(stage, 0.0) * epochs for stage, epochs in lacking.values())
    return Left(
        len(lacking), len(every), seconds, sorted({stage for stage, _ in lacking.values()} - paces.keys())
    )


def planned(params: Path, scale: str) -> dict[str, dict[str, Planned]]:
    """The runs that a scale's plans name, "<stage>/<run>", by exhibit."""
    paths = sorted((params / "plan" / scale).glob("*.yaml"))
    plans = {path.stem: read_yaml(path) for path in paths}
    losses = set(re.findall(r"'loss': '(\w+)'", str(plans)))
    return {exhibit: dict(_planned(plan, losses)) for exhibit, plan in plans.items()}


def _planned(plan: Mapping[str, Any], losses: set[str]) -> Iterator[tuple[str, Planned]]:
    """Stage by stage, each after the stages that it reads. Settings of a loss that a run does not use are left out."""
    keys: dict[str, str] = {}
    searches = {
        entry["searches_for"]: (stage, entry["grid"])
        for stage, entry in plan["stages"].items()
        if "searches_for" in entry
    }
    for stage, entry in plan["stages"].items():
        for run, own in entry["runs"].items():
            bindings = bindings_of(entry, own)
            idle = losses - {value for name, value in bindings.items() if name.endswith(".loss")}
            bindings = {name: value for name, value in bindings.items() if name.split(".")[0] not in idle}
            above = next(
                (keys[f"{each}/{run}"] for each in entry["evaluates"] if f"{each}/{run}" in keys), None
            )
            name = f"{stage}/{run}"
            keys[name] = _key(stage, bindings, own["seed"], above)
            yield name, Planned(keys[name], stage, epochs_of(bindings))
            if stage in searches:
                search, grid = searches[stage]
                for place, point in enumerate(_points(bindings, grid), start=1):
                    key = _key(search, point, own["seed"], above)
                    yield f"{search}/{run}-{place}", Planned(key, search, epochs_of(point), chooser=name)


def _key(stage: str, bindings: Mapping[str, Any], seed: int, above: str | None) -> str:
    return json.dumps([stage, bindings, seed, above], sort_keys=True)


def _points(bindings: Mapping[str, Any], grid: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """The bindings of every point of a search: those of the run that chooses, with one value of each list."""
    rest = {name: value for name, value in bindings.items() if name not in grid.values()}
    for values in itertools.product(*(bindings[listed] for listed in grid.values())):
        yield rest | dict(zip(grid, values, strict=True))


def epochs_of(bindings: Mapping[str, Any]) -> float:
    """How many epochs a run has; 1 for one that has none."""
    return next((float(value) for name, value in bindings.items() if name.endswith(".epochs")), 1.0)


def _paces(records: Iterable[Mapping[str, str]], runs: Runs) -> dict[str, float]:
    """Seconds per epoch by stage, over the runs that have a record."""
    seconds, epochs = defaultdict(float), defaultdict(float)
    for row in records:
        if run := runs.get(row["fingerprint"]):
            seconds[row["stage"]] += float(row["seconds"])
            epochs[row["stage"]] += epochs_of(run.get("bindings") or {})
    return {stage: seconds[stage] / epochs[stage] for stage in seconds if seconds[stage]}
