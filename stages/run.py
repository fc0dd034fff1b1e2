"""Carry out all runs of a scale, or of some exhibits: every stage, by one driver.

A run starts as soon as the runs that it reads are finished, so that no core waits for a stage to end.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from common import receipts, scales
from common.errors import command
from stages.planning.declaration import exhibit_ids
from stages.planning.plans import read_plan
from stages.planning.searches import stages_with_runs
from stages.running.sweeps import Sweep, bring, ignore_evidence, parsed, runs_of


@command
def main(arguments: list[str] | None = None) -> int:
    """`python -m stages run [--exhibit figure_08 ...] [--scale S] [--jobs N]`: all exhibits without --exhibit."""
    parser = argparse.ArgumentParser(prog="python -m stages run", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--exhibit",
        action="append",
        help="only the runs of this exhibit (may be repeated; default: all)",
    )
    ignore_evidence(parser)
    options, scale = parsed(parser, arguments)
    plans = [read_plan(name, scale) for name in options.exhibit or exhibit_ids()]
    sweeps = [Sweep(plan, stage) for plan in plans for stage in plan.stages]
    reuses = scales.read(scale).reuses_evidence and not options.ignore_evidence
    evidence = runs_of(plans) if reuses else None
    status = bring(sweeps, options.results, options.jobs, f"runs of {scale}", evidence=evidence)
    if status == 0 and not options.exhibit:
        # dvc.yaml lists the folder of every stage, also of those that no exhibit uses.
        for stage in stages_with_runs():
            (options.results / scale / stage).mkdir(parents=True, exist_ok=True)
        _receipt(options.results / scale, "runs", sweeps, options.results)
    # Also after all: what an earlier call for one exhibit wrote would list indices that have changed.
    for plan in plans if status == 0 else []:
        own = [sweep for sweep in sweeps if sweep.plan.exhibit == plan.exhibit]
        _receipt(options.results / scale, f"runs/{plan.exhibit}", own, options.results)
    return status


def _receipt(folder: Path, step: str, sweeps: list[Sweep], results: Path) -> None:
    """Write the receipt that says that these sweeps are whole: it lists their indices."""
    receipts.write(folder, step, [sweep.plan.index_path(results, sweep.stage) for sweep in sweeps])
