"""Resolve every declared exhibit into runs: params/plan/<scale>/<exhibit>.yaml, and params/plan/index.yaml.

Files are written only when their content changes, so that an engine reruns what an edit touches. The index lists the
sweeps of all scales (a scale changes numbers, not which sweeps there are); both engines read their graph from it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from stages.harness import files
from stages.harness.declaration import PARAMS, SCALES, check_scale, exhibit_ids, stages_with_recipes
from stages.harness.errors import UserError, command
from stages.harness.fingerprint import accepted_code
from stages.harness.planning import Plan, all_plans, datasets_of, plan_path, write_plan

INDEX = PARAMS / "plan" / "index.yaml"


@command
def main(arguments: list[str] | None = None) -> int:
    """`python -m stages plan [--scale S ...] [--quiet]`: all scales without --scale."""
    parser = argparse.ArgumentParser(prog="python -m stages plan", description=__doc__.splitlines()[0])
    parser.add_argument("--scale", action="append", help="only this scale (may be repeated)")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--quiet", action="store_true")
    options = parser.parse_args(arguments)
    for scale in [check_scale(name) for name in options.scale or SCALES]:
        plans = all_plans(scale)
        write_needs(scale, plans, options.results)
        changed = [plan.exhibit for plan in plans if write_plan(plan)]
        _discard_undeclared(scale)
        if not options.quiet:
            print(summary(scale, plans) + (f"; changed: {', '.join(changed)}" if changed else ""))
    index = index_of(plans)
    files.write_yaml(
        INDEX, index, header="# Made by `make plan`: which sweeps there are.\n", only_if_changed=True
    )
    write_code_hashes(index, options.results)
    return 0


def summary(scale: str, plans: list[Plan]) -> str:
    """One line: cells shown against distinct runs, by stage."""
    parts = []
    for stage in sorted({stage for plan in plans for stage in plan.stages}):
        runs = [run for plan in plans for run in plan.runs(stage)]
        parts.append(f"{stage} {len(runs)} cells, {len({run.fingerprint for run in runs})} runs")
    return f"{scale}: {len(plans)} exhibits; " + "; ".join(parts)


def index_of(plans: list[Plan]) -> dict[str, Any]:
    """The exhibits, the sweeps of every stage that has recipes, and which stages open a chain."""
    names, sweeps = exhibit_ids(), {stage: [] for stage in stages_with_recipes()}
    opens, evaluates = set(), set()
    for plan in plans:
        for stage, entry in plan.document["stages"].items():
            sweeps[stage].append(plan.exhibit)
            (evaluates if entry["evaluates"] else opens).add(stage)
    for stage in opens & evaluates:
        raise UserError(f"stage {stage} both opens a chain and evaluates one", where=PARAMS / "exhibits")
    return {
        "exhibits": names,
        "figures": [name for name in names if name.startswith("figure")],
        "tables": [name for name in names if name.startswith("table")],
        "opens": sorted(opens),
        "sweeps": sweeps,
    }


def write_code_hashes(index: dict[str, Any], results: Path) -> None:
    """results/code/<stage>: a file whose change tells Snakemake that a stage's numbers may have changed."""
    for stage in ["prepare", *index["sweeps"]]:
        files.write_text(results / "code" / stage, accepted_code(stage) + "\n", only_if_changed=True)


def write_needs(scale: str, plans: list[Plan], results: Path) -> None:
    """results/code/datasets-<scale>: the data sets that this scale's runs read, one a line."""
    files.write_text(
        results / "code" / f"datasets-{scale}",
        "".join(f"{name}\n" for name in datasets_of(plans)),
        only_if_changed=True,
    )


def _discard_undeclared(scale: str) -> None:
    declared = {plan_path(name, scale) for name in exhibit_ids()}
    for path in (PARAMS / "plan" / scale).glob("*.yaml"):
        if path not in declared:
            path.unlink()
