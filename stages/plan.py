"""Resolve every declared exhibit into runs: params/plan/<scale>/<exhibit>.yaml, and params/plan/index.yaml.

A file is written only when its content changes, so that an engine reruns what an edit touches and nothing else. The
index lists the sweeps of all scales (a scale changes numbers, not which sweeps there are). Both engines read their
graph from it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from common import files, scales
from common.errors import command
from common.machine import HARDWARE
from common.options import add_results
from stages.planning.bill import bill
from stages.planning.code_changes import changed_runs, notice
from stages.planning.code_hashes import drawing_hash, judging_hash, page_hash, tool_hash
from stages.planning.declaration import PARAMS, exhibit_ids
from stages.planning.fingerprint import LAYOUTS, accepted_code, data_hash, declaration_of, files_named
from stages.planning.pipelines import index_of, single_exhibits
from stages.planning.plans import Plan, all_plans, datasets_of, plan_path, resolve, write_plan
from stages.planning.price import hardware_named, price_of
from stages.planning.runs import Run
from stages.planning.searches import stages_with_runs
from stages.planning.stamp import is_current, look, remember
from stages.planning.totals import distinct_runs, summary
from stages.running.pace import cost_lines

SMALL = "RTX-4090-24GB"  # what many have at hand
INDEX = PARAMS / "plan" / "index.yaml"
SINGLE = Path("workflows") / "dvc.yaml"
SINGLE_HEADER = """\
# Made by `make plan`. One exhibit alone, for DVC: `dvc repro workflows/dvc.yaml:figure_08` does its runs and draws it.
# `dvc plots diff` shows the pictures of two revisions side by side.
"""


@command
def main(arguments: list[str] | None = None) -> int:
    """`python -m stages plan [--scale S ... | --current] [--cost [--exhibit E ...]] [--quiet]`; default: all scales."""
    options = _parser().parse_args(arguments)
    if options.exhibit:
        return _price_alone(options)
    asked = [scales.default()] if options.current else options.scale or scales.names()
    names = [scales.check_scale(name) for name in asked]
    # Before anything is read. What work.json says is for one hardware.
    looked = " ".join(filter(None, [look(), options.hardware]))
    # Engines run this before each call; a look at the times of its files shows that a plan is unchanged.
    if (
        options.quiet
        and not options.cost
        and all(is_current(options.results, name, looked) for name in names)
    ):
        return 0
    hardware_named(options.hardware)  # an unknown one is told before anything is written
    lists = {}
    for scale in names:
        plans = _plan(scale, options)
        lists[scale] = _files_named(run for plan in plans for runs in plan.stages.values() for run in runs)
    _discard_scales()
    header = "# Made by `make plan`: which sweeps there are.\n"
    files.write_yaml(INDEX, index_of(plans), header=header, only_if_changed=True)
    files.write_yaml(SINGLE, single_exhibits(), header=SINGLE_HEADER, only_if_changed=True)
    for scale in names:
        remember(options.results, scale, looked, lists[scale])
    return 0


def _plan(scale: str, options: argparse.Namespace) -> list[Plan]:
    """Write the plans of one scale, print a summary, and return the plans."""
    plans = all_plans(scale)
    if retrained := changed_runs(plans, options.results):
        print(notice(scale, retrained), file=sys.stderr, flush=True)
    changed = [plan.exhibit for plan in plans if write_plan(plan)]
    write_code(scale, plans, options.results)
    files.write_json(
        options.results / scale / "work.json", work_list(plans, options.hardware), only_if_changed=True
    )
    _discard_undeclared(scale)
    if not options.quiet:
        print(summary(scale, plans))
        if options.cost:
            print(cost_lines(scale, plans, options.results))
            print(bill(scale, distinct_runs(plans), hardware_named(options.hardware), hardware_named(SMALL)))
        if changed:
            print(f"  changed: {', '.join(changed)}")
    return plans


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m stages plan", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--scale", action="append", help="only this scale (may be repeated; default: all scales)"
    )
    parser.add_argument("--current", action="store_true", help="only the scale that params/scale.yaml names")
    add_results(parser)
    parser.add_argument("--quiet", action="store_true", help="print nothing unless something is wrong")
    parser.add_argument(
        "--cost", action="store_true", help="print the price too: GPUs, memory, hours and storage"
    )
    parser.add_argument(
        "--exhibit",
        action="append",
        help="print the price of this exhibit alone, and write nothing (may be repeated)",
    )
    parser.add_argument(
        "--hardware",
        default=os.environ.get(HARDWARE),
        help=f"price it, and size jobs, for this entry of params/hardware.yaml (default: ${HARDWARE}, or the first)",
    )
    return parser


def _price_alone(options: argparse.Namespace) -> int:
    """Print what some exhibits cost, upstream runs included. Nothing is written."""
    for scale in map(scales.check_scale, options.scale or [scales.default()]):
        plans = [resolve(name, scale) for name in options.exhibit]
        title = f"{', '.join(options.exhibit)} at {scale}"
        print(cost_lines(scale, plans, options.results))
        print(bill(title, distinct_runs(plans), hardware_named(options.hardware), hardware_named(SMALL)))
    return 0


def write_code(scale: str, plans: list[Plan], results: Path) -> None:
    """results/<scale>/code/: small files that change when code changes, so that both engines see it.

    stages/<stage>: what decides numbers and stands in no plan, a line for each: hashes of the code (runs that name
    another loss have another hash), of the declared data, and of the lists that bindings name. datasets: what this
    scale's runs read. prepare, collect, judging, drawing/<exhibit>, page: hashes of the code that does this.
    """
    written = {f"stages/{stage}": _causes(stage, plans) for stage in stages_with_runs()}
    read = datasets_of(plans)
    layouts = {declared["layout"] for declared in map(declaration_of, read) if "layout" in declared}
    written |= {"datasets": "\n".join(read), "collect": tool_hash("collect")}
    written |= {"prepare": tool_hash("prepare", *(f"{LAYOUTS}.{layout}" for layout in sorted(layouts)))}
    written |= {f"drawing/{plan.exhibit}": drawing_hash(plan.exhibit) for plan in plans}
    written |= {"judging": judging_hash(), "page": page_hash()}
    folder = results / scale / "code"
    for name, text in written.items():
        files.write_text(folder / name, f"{text}\n", only_if_changed=True)
    for path in folder.rglob("*"):
        if path.is_file() and path.relative_to(folder).as_posix() not in written:
            path.unlink()


def work_list(plans: list[Plan], name: str | None = None) -> dict[str, dict[str, Any]]:
    """{"<stage>/<fingerprint>": exhibit, run, shown_by, reads, processes, nodes, minutes, fits}, for schedulers.

    Priced on an entry of params/hardware.yaml, the first without a name, without reserve.
    """
    hardware, work, shown_by = hardware_named(name), {}, {}
    for run in (run for plan in plans for runs in plan.stages.values() for run in runs):
        shown_by.setdefault(run.fingerprint, []).append(run.exhibit)
    for run in distinct_runs(plans):
        price = price_of(run, hardware)
        work[f"{run.stage}/{run.fingerprint}"] = {
            "exhibit": run.exhibit,
            "run": run.id,
            "shown_by": sorted(set(shown_by[run.fingerprint])),
            "reads": [f"{read.stage}/{read.fingerprint}" for read in run.reads],
            "processes": price.gpus,
            "nodes": price.nodes,
            "minutes": round(60 * price.hours, 1),
            "fits": price.fits,
        }
    return dict(sorted(work.items()))


def _causes(stage: str, plans: list[Plan]) -> str:
    """The lines of code/stages/<stage>: one hash of code alone, the others with what they are of."""
    runs = [run for plan in plans for run in plan.runs(stage)]
    codes = {accepted_code(stage, run.code) for run in runs}
    data = {f"{name} {data_hash(name)}" for name in {run.dataset for run in runs if run.dataset}}
    lists = {f"{path} {digest}" for path, digest in _files_named(runs).items()}
    return "\n".join([*sorted(codes), *sorted(data), *sorted(lists)])


def _files_named(runs: Iterable[Run]) -> dict[str, str]:
    return {path: digest for run in runs for path, digest in files_named(run.bindings).items()}


def _discard_scales() -> None:
    """Remove the plans of scales that are no longer declared."""
    for folder in (PARAMS / "plan").iterdir():
        if folder.is_dir() and folder.name not in scales.names():
            shutil.rmtree(folder)


def _discard_undeclared(scale: str) -> None:
    declared = {plan_path(name, scale) for name in exhibit_ids()}
    for path in (PARAMS / "plan" / scale).glob("*.yaml"):
        if path not in declared:
            path.unlink()
