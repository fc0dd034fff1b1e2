"""The way from a number back to what made it: the runs of a cell, their parameters, folders and commands."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from common.names import cell_name
from reports.reading.knobs import sort_key
from reports.reading.tidy import COLUMNS, Provenance, Run

Runs = Mapping[str, Run]  # by "<stage>/<run>"
OF_A_RUN = ("fingerprint", "upstream", "search", "seed")  # even where a stage has one run
PARTS = ("runs", "searched")  # of what provenance names by "<stage>/<run>"
OF_A_STAGE = ("code", "data")  # hashes that its runs mostly have in common
SHORT = 12  # characters of a hash that are shown; the whole hash is in the JSON


class Tried(NamedTuple):
    """One of the runs among which another run chose: what it alone binds, and its metrics (none if it diverged)."""

    run: str
    command: str
    own: dict[str, str]
    metrics: dict[str, float]


class Step(NamedTuple):
    """One stage of one run. `own` are the bindings in which it differs from other runs of the stage.

    `causes` are the fingerprint, and the hashes that `stage_causes` and the steps above do not say already.
    `tried` is in the order of the grid; of equal ones the first was chosen.
    """

    stage: str
    folder: str
    command: str
    own: dict[str, str]
    causes: dict[str, str]
    adopted: str | None
    imported: str | None
    tried: list[Tried]


class Trail(NamedTuple):
    """The steps that lead to the numbers of one run, first to last; without steps it has no result yet."""

    run: str
    anchor: str
    cell: dict[str, str]
    seed: str
    steps: list[Step]


def command(record: Mapping[str, Any], stage: str, run: str) -> str:
    """The command that makes exactly this run of this stage, once the stages that it reads are done."""
    return f"python -m stages {stage} --scale {record['scale']} --sweep {record['exhibit']} --run {run}"


def trails(record: Mapping[str, Any]) -> list[Trail]:
    """Every run of an exhibit in the order of its cells."""
    runs: Runs = runs_of(record)
    searched = {run.get("fingerprint"): (name, run) for name, run in searched_of(record).items()}
    own, said = varying_by_stage(runs), stage_causes(runs)
    grouped: dict[str, list[Step]] = {}
    for name in sorted(runs, key=lambda name: (_depth(name, runs), name)):
        stage, run = name.split("/", 1)
        above = {step.causes.get("fingerprint") for step in grouped.setdefault(run, [])}
        step = _step(record, stage, run, runs[name], own[stage])
        told = set(said[stage]) | ({"upstream"} if step.causes.get("upstream") in above else set())
        causes = {kind: hash for kind, hash in step.causes.items() if kind not in told}
        tried = [searched[key] for key in runs[name].get("search") or () if key in searched]
        step = step._replace(causes=causes, tried=[_tried(record, runs[name], *each) for each in tried])
        grouped[run].append(step)
    rows = {row["run"]: row for row in record["raw"]}
    gathered = [_trail(record["exhibit"], run, steps, rows.get(run, {})) for run, steps in grouped.items()]
    return sorted(gathered, key=lambda trail: [sort_key(text) for text in (*trail.cell.values(), trail.seed)])


class Group(NamedTuple):
    """The runs of one cell, a seed each; per stage the bindings that all of them have and other cells have not."""

    own: dict[str, dict[str, str]]
    trails: list[Trail]


def by_cell(trails: Sequence[Trail]) -> list[Group]:
    """Trails with what the runs of a cell have in common said once; what one of them alone binds stays its own."""
    cells: dict[tuple[str, ...], list[Trail]] = {}
    for trail in trails:
        cells.setdefault((*trail.cell.items(), cell_name(trail.run)), []).append(trail)
    return [_group(of_cell) for of_cell in cells.values()]


def _group(trails: Sequence[Trail]) -> Group:
    steps = [{step.stage: step.own for step in trail.steps} for trail in trails]
    own = {
        stage: bound
        for stage, bound in steps[0].items()
        if bound and all(bound == each.get(stage) for each in steps)
    }
    return Group(own, [trail._replace(steps=[_but(step, own) for step in trail.steps]) for trail in trails])


def _but(step: Step, own: Mapping[str, Any]) -> Step:
    return step._replace(own={}) if step.stage in own else step


def absent(record: Mapping[str, Any]) -> dict[str, str]:
    """The command of each missing run, by its name."""
    return {name: command(record, *name.split("/", 1)) for name in record["missing"] if "/" in name}


def shared(runs: Runs) -> dict[str, dict[str, str]]:
    """Per stage the bindings that all its runs have in common."""
    return {
        stage: {name: values[0] for name, values in of_stage.items() if len(values) == 1}
        for stage, of_stage in _values(runs).items()
    }


def varying_by_stage(runs: Runs) -> dict[str, dict[str, list[str]]]:
    """Per stage the bindings that take more than one value, with these values in order of appearance."""
    return {
        stage: {name: values for name, values in of_stage.items() if len(values) > 1}
        for stage, of_stage in _values(runs).items()
    }


def stage_causes(runs: Runs) -> dict[str, dict[str, str]]:
    """Per stage the short hashes of code and data that all its runs have in common."""
    causes: dict[str, dict[str, set[str]]] = {}
    for name, run in sorted(runs.items()):
        of_stage = causes.setdefault(name.split("/", 1)[0], {kind: set() for kind in OF_A_STAGE})
        for kind, hashes in of_stage.items():
            hashes.add(str(run.get(kind) or "")[:SHORT])
    return {
        stage: {kind: min(hashes) for kind, hashes in of_stage.items() if len(hashes) == 1 and min(hashes)}
        for stage, of_stage in causes.items()
    }


def _values(runs: Runs) -> dict[str, dict[str, list[str]]]:
    values: dict[str, dict[str, list[str]]] = {}
    for name, run in sorted(runs.items()):
        of_stage = values.setdefault(name.split("/", 1)[0], {})
        for binding, value in sorted((run.get("bindings") or {}).items()):
            if (text := _text(value)) not in of_stage.setdefault(binding, []):
                of_stage[binding].append(text)
    return values


def _trail(exhibit: str, run: str, steps: list[Step], row: Mapping[str, Any]) -> Trail:
    cell = {name: str(value) for name, value in row.items() if name not in COLUMNS and value}
    seed = re.search(r"seed(\d+)$", run)
    return Trail(run, anchor(exhibit, run), cell, str(row.get("seed") or (seed[1] if seed else "")), steps)


def anchor(exhibit: str, run: str) -> str:
    """The id under which a page shows a run."""
    return f"{exhibit}--{re.sub(r'[^A-Za-z0-9_.-]+', '-', run)}"


def _step(
    record: Mapping[str, Any], stage: str, run: str, cause: Mapping[str, Any], own: Mapping[str, Any]
) -> Step:
    bindings = cause.get("bindings") or {}
    hashes = ("fingerprint", "code", "data", "upstream")
    return Step(
        stage=stage,
        folder=f"results/{record['scale']}/{stage}/{record['exhibit']}/{run}",
        command=command(record, stage, run),
        own={name: _text(value) for name, value in sorted(bindings.items()) if name in own},
        causes={name: str(cause[name])[:SHORT] for name in hashes if cause.get(name)},
        adopted=cause.get("adopted"),
        imported=(cause.get("imported") or {}).get("checkpoint"),
        tried=[],
    )


def _tried(record: Mapping[str, Any], chooser: Run, name: str, run: Run) -> Tried:
    stage, own = name.split("/", 1)
    bindings = sorted(run["bindings"].items())
    bound = {key: _text(value) for key, value in bindings if key not in chooser["bindings"]}
    return Tried(own, command(record, stage, own), bound, dict(run.get("metrics") or {}))


def _depth(name: str, runs: Runs) -> int:
    """How many stages a run stands on: what it reads comes before it."""
    by_fingerprint = {run.get("fingerprint"): run for run in runs.values()}
    depth, run = 0, runs[name]
    while (upstream := run.get("upstream")) is not None and depth < len(runs):
        depth, run = depth + 1, by_fingerprint.get(upstream, {})
    return depth


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def factored(provenance: Provenance) -> dict[str, Any]:
    """Provenance that says once, under "stages", what the runs of a stage share.

    `runs_of` and `searched_of` put it together again.
    """
    parts: dict[str, dict[str, Run]] = {part: provenance[part] for part in PARTS if part in provenance}
    by_stage: dict[str, list[Run]] = {}
    for name, run in (pair for runs in parts.values() for pair in runs.items()):
        by_stage.setdefault(name.split("/", 1)[0], []).append(run)
    stages = {stage: _common(of_stage) for stage, of_stage in sorted(by_stage.items())}
    own = {
        part: {name: _own(run, stages[name.split("/", 1)[0]]) for name, run in runs.items()}
        for part, runs in parts.items()
    }
    return {**provenance, "stages": stages, **own}


def runs_of(record: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What decided the numbers of each run, "<stage>/<run>": what its stage shares, and its own."""
    return _whole(record["provenance"], "runs")


def searched_of(record: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The same for the runs among which those runs chose."""
    return _whole(record["provenance"], "searched")


def _whole(provenance: Mapping[str, Any], part: str) -> dict[str, dict[str, Any]]:
    runs = {}
    for name, own in provenance.get(part, {}).items():
        stage = provenance.get("stages", {}).get(name.split("/", 1)[0], {})
        runs[name] = {**stage, **own}
        if "bindings" in runs[name]:
            runs[name]["bindings"] = {**(stage.get("bindings") or {}), **(own.get("bindings") or {})}
    return runs


def _common(runs: Sequence[Run]) -> dict[str, Any]:
    """The entries, and among the bindings those, that are equal in all runs."""
    first, *rest = runs
    kept = {
        key: value
        for key, value in first.items()
        if key not in (*OF_A_RUN, "bindings") and all(key in run and run[key] == value for run in rest)
    }
    bindings = [run.get("bindings") or {} for run in runs]
    shared = {
        name: value
        for name, value in bindings[0].items()
        if all(name in each and each[name] == value for each in bindings)
    }
    return kept | ({"bindings": shared} if shared else {})


def _own(run: Run, common: Run) -> dict[str, Any]:
    own = {key: value for key, value in run.items() if key not in common}
    shared = common.get("bindings", {})
    bindings = {name: value for name, value in (run.get("bindings") or {}).items() if name not in shared}
    return own | {"bindings": bindings} if bindings else own
