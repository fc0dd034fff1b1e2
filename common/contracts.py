"""Records that one side writes and the other reads: what stands in a plan file, and in the index of all plans."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

Nested = dict[str, dict[str, Any]]  # {configurable: {parameter: value}}


class StageEntry(TypedDict):
    """One stage of a plan.

    shared: what all its runs are bound to; of the settings of a loss, those that a run's own loss has count for it.
    evaluates: the stages whose runs it reads, none for one that opens a chain. runs: by run id, {"seed", "labels"} and
    what its cell binds, nested as in `shared`.

    Of the stage of a search, whose runs are bound as those of the stage that chooses among them, but for the grid:
    searches_for: that stage. grid: {binding: the list of the choosing run that has its values}; every combination is a
    run, so `shared` and `runs` are empty.
    """

    shared: Nested
    evaluates: list[str]
    runs: dict[str, dict[str, Any]]
    searches_for: NotRequired[str]
    grid: NotRequired[dict[str, str]]


class PlanDocument(TypedDict):
    """params/plan/<scale>/<exhibit>.yaml. knobs: of those that bind one parameter, which. measure: "stage.metric"."""

    scale: str
    knobs: dict[str, str]
    measure: list[str]
    stages: dict[str, StageEntry]


class Divergence(TypedDict):
    """How a run ended that is a finished result without a number."""

    stage: str
    step: int
    last_finite_loss: float | None


class Cause(TypedDict):
    """run.json of a finished run: what decided its numbers, and the SHA-256 of each of its files; sealed.

    upstream: the fingerprint of the run that it evaluates; search: of those that it chooses among. adopted: the
    declaration under which results of older code stand for it. imported: which published weights stand in the place of
    a training.
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
    diverged: NotRequired[Divergence]


class Index(TypedDict):
    """params/plan/index.yaml: the graph of both engines.

    opens: stages that open a chain. searches: of each stage that chooses, the one among whose runs it does. sweeps: the
    exhibits of each stage.
    """

    exhibits: list[str]
    opens: list[str]
    searches: dict[str, str]
    sweeps: dict[str, list[str]]
