"""Records that one side writes and another reads: plan files, the index of all plans, and run.json of a run."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

Nested = dict[str, dict[str, Any]]  # {configurable: {parameter: value}}


class StageEntry(TypedDict):
    """One stage of a plan.

    shared: what all its runs are bound to. It may hold settings of several losses; a run uses those of its own loss.
    evaluates: the stages whose runs this one reads; empty for a stage that opens a chain.
    runs: by run id, {"seed", "labels"} and what its cell binds, nested as in `shared`.

    The stage of a search has two more keys. Its runs are bound as those of the stage that chooses among them, except
    for the grid; every combination is a run, so `shared` and `runs` are empty.
    searches_for: the stage that chooses. grid: {binding: the list of the choosing run that has its values}.
    """

    shared: Nested
    evaluates: list[str]
    runs: dict[str, dict[str, Any]]
    searches_for: NotRequired[str]
    grid: NotRequired[dict[str, str]]


class PlanDocument(TypedDict):
    """params/plan/<scale>/<exhibit>.yaml.

    knobs: {knob: parameter}, for the knobs that bind a single parameter. measure: a list of "stage.metric".
    """

    scale: str
    knobs: dict[str, str]
    measure: list[str]
    stages: dict[str, StageEntry]


class Divergence(TypedDict):
    """How a run diverged: it is a finished result, without a number."""

    stage: str
    step: int
    last_finite_loss: float | None


class Cause(TypedDict):
    """run.json of a finished run: what decided its numbers, and the SHA-256 of each of its files; sealed.

    upstream: the fingerprint of the run that it evaluates. search: the fingerprints of the runs among which it chooses.
    adopted: the declaration under which results of older code stand for it.
    imported: the published weights that stand in the place of a training. upstream_imported: in what evaluates them,
    the SHA-256 of their files.
    """

    fingerprint: str
    stage: str
    seed: int
    bindings: dict[str, Any]
    code: str
    adopted: dict[str, str] | None
    data: str | None
    upstream: str | None
    versions: dict[str, str]
    cost: dict[str, float]
    layout: int
    files: dict[str, str]
    seal: str
    search: NotRequired[list[str]]
    imported: NotRequired[dict[str, Any]]
    upstream_imported: NotRequired[dict[str, str]]
    diverged: NotRequired[Divergence]


class Index(TypedDict):
    """params/plan/index.yaml: the graph of both engines.

    opens: the stages that open a chain. searches: {stage that chooses: the stage among whose runs it chooses}.
    sweeps: {stage: its exhibits}.
    """

    exhibits: list[str]
    opens: list[str]
    searches: dict[str, str]
    sweeps: dict[str, list[str]]
