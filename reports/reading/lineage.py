"""The way from a number back to what made it: the runs of a cell, their parameters, folders and commands."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from common.names import cell_name
from reports.reading.knobs import sort_key
from reports.reading.tidy import COLUMNS, Provenance, Run

Runs = Mapping[str, Run]  # by "<stage>/<run>"
OF_A_RUN = ("fingerprint", "upstream", "search", "seed")  # even where a stage has one run
PARTS = ("runs", "searched")  # of what provenance names by "<stage>/<run>"
OF_A_STAGE = ("code", "adopted", "data")  # causes that its runs mostly have in common
OF_A_STEP = ("fingerprint", *OF_A_STAGE, "upstream")
SHORT = 12  # characters of a hash that are shown; the whole hash is in the JSON
NOT_BOUND = "not bound"  # in the place of a value, where a run does not have the binding


class Tried(NamedTuple):
    """One of the runs among which another run chose: what it alone binds, and its metrics (none if it diverged)."""

    run: str
    command: str
    own: dict[str, str]
    metrics: dict[str, float]


class Step(NamedTuple):
    """One stage of one run. `own` are the bindings in which it differs from other runs of the stage.

    `causes` are the fingerprint, and what `stage_causes` and the steps above do not say already: hashes, and the
    words of an adoption.
    `tried` is in the order of the grid; of equal ones the first was chosen.
    """

    stage: str
    folder: str
    command: str
    own: dict[str, str]
    causes: dict[str, str]
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
        causes = {kind: text for kind, text in step.causes.items() if kind not in told}
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
    """Per stage the bindings that all its runs have, with one value."""
    return {
        stage: {name: values[0] for name, values in of_stage.items() if len(values) == 1}
        for stage, of_stage in _values(runs).items()
    }


def varying_by_stage(runs: Runs) -> dict[str, dict[str, list[str]]]:
    """Per stage the bindings that take more than one value, with these values in order of appearance.

    That a run does not have a binding counts as a value, NOT_BOUND, which comes last.
    """
    return {
        stage: {name: values for name, values in of_stage.items() if len(values) > 1}
        for stage, of_stage in _values(runs).items()
    }


def stage_causes(runs: Runs) -> dict[str, dict[str, str]]:
    """Per stage the short hashes of code and data that all its runs have in common, and the adoption of that code."""
    of_stage: dict[str, list[dict[str, str]]] = {}
    for name, run in sorted(runs.items()):
        of_stage.setdefault(name.split("/", 1)[0], []).append(_causes(run, OF_A_STAGE))
    return {
        stage: {
            kind: text for kind, text in causes[0].items() if all(text == each.get(kind) for each in causes)
        }
        for stage, causes in of_stage.items()
    }


def _causes(run: Mapping[str, Any], kinds: Iterable[str]) -> dict[str, str]:
    """Of these kinds those that a run has: hashes cut short, an adoption of older code in words."""
    said = {kind: str(run[kind])[:SHORT] for kind in kinds if run.get(kind)}
    if "adopted" in said:
        reason, code, older = (run["adopted"][name] for name in ("reason", "code", "same_as"))
        said["adopted"] = f"{reason} (code {code[:SHORT]} same as {older[:SHORT]})"
    return said


def value_text(bindings: Mapping[str, Any], binding: str) -> str:
    """The value of a binding for readers, a list without brackets; NOT_BOUND where it has none."""
    value = bindings.get(binding, NOT_BOUND)
    return ", ".join(map(str, value)) or "empty" if isinstance(value, list) else str(value)


def _values(runs: Runs) -> dict[str, dict[str, list[str]]]:
    of_stage: dict[str, list[Mapping[str, Any]]] = {}
    for name, run in sorted(runs.items()):
        of_stage.setdefault(name.split("/", 1)[0], []).append(run.get("bindings") or {})
    return {
        stage: {binding: _over(binding, bound) for binding in sorted({*chain.from_iterable(bound)})}
        for stage, bound in of_stage.items()
    }


def _over(binding: str, bound: Sequence[Mapping[str, Any]]) -> list[str]:
    """The values of a binding over runs, in order of appearance, NOT_BOUND last."""
    values = dict.fromkeys(value_text(each, binding) for each in bound)
    return sorted(values, key=lambda text: text == NOT_BOUND)


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
    return Step(
        stage=stage,
        folder=f"results/{record['scale']}/{stage}/{record['exhibit']}/{run}",
        command=command(record, stage, run),
        own={name: value_text(bindings, name) for name in sorted(bindings) if name in own},
        causes=_causes(cause, OF_A_STEP),
        imported=(cause.get("imported") or {}).get("checkpoint"),
        tried=[],
    )


def _tried(record: Mapping[str, Any], chooser: Run, name: str, run: Run) -> Tried:
    stage, own = name.split("/", 1)
    bindings = run["bindings"]
    bound = {key: value_text(bindings, key) for key in sorted(bindings) if key not in chooser["bindings"]}
    return Tried(own, command(record, stage, own), bound, dict(run.get("metrics") or {}))


def _depth(name: str, runs: Runs) -> int:
    """How many stages a run stands on: what it reads comes before it."""
    by_fingerprint = {run.get("fingerprint"): run for run in runs.values()}
    depth, run = 0, runs[name]
    while (upstream := run.get("upstream")) is not None and depth < len(runs):
        depth, run = depth + 1, by_fingerprint.get(upstream, {})
    return depth


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
