"""What the plans of a scale come to: cells and distinct runs, what sharing saves."""

from __future__ import annotations

from collections.abc import Iterable

from stages.planning import cost
from stages.planning.plans import Plan, Run


def summary(scale: str, plans: list[Plan]) -> str:
    """For each stage the number of cells and of distinct runs, and what sharing saves."""
    runs = {stage: [run for plan in plans for run in plan.runs(stage)] for stage in stages_of(plans)}
    lines = [f"{scale}: {len(plans)} exhibits"]
    for stage, of_stage in runs.items():
        lines.append(f"  {stage}: {_distinct(of_stage)} runs for {len(of_stage)} cells")
    # Stages that open a chain and train; a chain may also start from weights that were never trained.
    every = [run for some in runs.values() for run in some if run.upstream is None]
    trainings = [run for run in every if cost.work_in(run).trained]
    if trainings:
        own = sum(_distinct(run for run in trainings if run.exhibit == plan.exhibit) for plan in plans)
        distinct = _distinct(trainings)
        lines.append(
            f"  sharing: {distinct} trainings; one for each cell would be {len(trainings)} "
            f"({1 - distinct / len(trainings):.0%} saved), one for each setting of each exhibit {own} "
            f"({1 - distinct / own:.0%} saved)"
        )
    return "\n".join(lines)


def distinct_runs(plans: list[Plan]) -> list[Run]:
    """The runs of these plans, each once."""
    every = [run for plan in plans for runs in plan.stages.values() for run in runs]
    return list({run.fingerprint: run for run in every}.values())


def stages_of(plans: list[Plan]) -> list[str]:
    """The stages that have runs in these plans, sorted."""
    return sorted({stage for plan in plans for stage, runs in plan.stages.items() if runs})


def _distinct(runs: Iterable[Run]) -> int:
    return len({run.fingerprint for run in runs})
