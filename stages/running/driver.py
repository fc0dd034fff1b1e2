"""One sweep, one process, one child per unfinished run.

The parent decides from fingerprints what there is to do (nothing to do costs no import of torch), preloads the stage
in a fork server (seconds once, not once a run), and never runs an operation or touches a GPU itself. Each child binds
gin, works in its own partial folder under a lock, and seals it. A crash fails that run only.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from common import files
from common.errors import UserError, command, explain
from stages.planning.declaration import check_scale, default_scale, nearest
from stages.planning.plans import Plan, Run, read_plan
from stages.running import store
from stages.running.progress import Progress

LOCK_SECONDS = 1.0  # between looks at a run that another sweep is training
STOP_SECONDS = 10.0


@command
def main(stage: str, arguments: list[str] | None = None) -> int:
    """The command line of every stage that trains or evaluates: `python -m stages <stage> --sweep <exhibit>`."""
    parser = argparse.ArgumentParser(
        prog=f"python -m stages {stage}", description=f"Run stage {stage} of one sweep."
    )
    parser.add_argument(
        "--sweep", required=True, help="the exhibit whose runs these are, for example figure_08"
    )
    parser.add_argument("--scale", help="smoke | reduced | cifar10 | paper (default: params/scale.yaml)")
    parser.add_argument("--run", help="only this run of the sweep")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--jobs", type=int, help="runs at a time (default: one per GPU, or per core)")
    options = parser.parse_args(arguments)
    scale = check_scale(options.scale) if options.scale else default_scale()
    plan = read_plan(options.sweep, scale)
    if stage not in plan.stages:
        raise UserError(f"{options.sweep} has no stage {stage}", expected=", ".join(plan.stages), found=stage)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    jobs = min(filter(None, (options.jobs, gpus())), default=default_jobs())
    return run_sweep(plan, stage, options.results, jobs, only=options.run)


def run_sweep(plan: Plan, stage: str, results: Path, jobs: int, only: str | None = None) -> int:
    """Bring every run of one stage of one plan to its folder; returns the exit status (1 if a run failed)."""
    runs = _select(plan.runs(stage), only)
    absent = _without_data(runs, results)
    runs = [run for run in runs if run not in absent]
    waiting = {run.fingerprint: run for run in runs if not _adopt(run, results)}
    title = f"{stage} {plan.exhibit}"
    trained, failures = _train(title, list(waiting.values()), results, jobs) if waiting else (0, {})
    for run in runs:
        if run.fingerprint not in failures and not _adopt(run, results):
            failures[run.fingerprint] = "finished, and then not found in the store"
    print(f"{title}: ran {trained} of {len(runs)} runs", flush=True)
    for run in runs:
        if run.fingerprint in failures:
            print(f"error: run {run.id} of {title} failed\n  {failures[run.fingerprint]}", file=sys.stderr)
    if failures or only:
        return 1 if failures else 0
    _discard_undeclared(plan, stage, results)
    files.write_json(plan.index_path(results, stage), _index(runs, results))
    return 0


def default_jobs() -> int:
    """One run per GPU, or per core where there is none."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return gpus() or usable or 1


def gpus() -> int:
    """How many NVIDIA devices there are, without importing torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([name for name in visible.split(",") if name.strip()])
    return len([path for path in Path("/dev").glob("nvidia[0-9]*")])


def _select(runs: list[Run], only: str | None) -> list[Run]:
    if only is None:
        return runs
    chosen = [run for run in runs if run.id == only]
    if not chosen:
        known = [run.id for run in runs]
        raise UserError(
            f"no run `{only}` in this sweep{nearest(only, known)}", expected=", ".join(known), found=only
        )
    return chosen


def _without_data(runs: list[Run], results: Path) -> list[Run]:
    """The runs whose data set `prepare` could not have: their exhibit is drawn as partial, naming them."""
    path = results / runs[0].scale / "data" / "manifest.json" if runs else results
    missing = files.read_json(path)["missing"] if path.is_file() else []
    absent = [run for run in runs if run.dataset in missing]
    for run in absent:
        print(
            f"not run: {run.id} of {run.stage} {run.exhibit}, data set {run.dataset} is missing", flush=True
        )
    return absent


def _adopt(run: Run, results: Path) -> bool:
    """Whether the run stands finished in its sweep, linked from the store if need be."""
    folder, stored = run.folder(results), store.store_folder(results, run)
    if store.is_finished(folder, run):
        if (
            not stored.exists()
        ):  # results that came by `dvc pull` or `dvc checkout`: let other sweeps find them
            files.link_tree(folder, stored)
        return True
    if store.is_finished(stored, run):
        files.link_tree(stored, folder)
        return True
    return False


def _index(runs: list[Run], results: Path) -> dict[str, Any]:
    index = {}
    for run in runs:
        folder = run.folder(results)
        listed = files.read_json(folder / "run.json")["files"]
        index[run.id] = {
            "fingerprint": run.fingerprint,
            "metrics": files.read_json(folder / "metrics.json"),
            "files": {
                name: digest
                for name, digest in listed.items()
                if name in ("arrays.npz", "weights.safetensors")
            },
        }
    return index


def _discard_undeclared(plan: Plan, stage: str, results: Path) -> None:
    """Remove links to runs that the sweep no longer declares; the store keeps the runs themselves."""
    folder = results / plan.scale / stage / plan.exhibit
    folder.mkdir(parents=True, exist_ok=True)
    declared = {run.id for run in plan.runs(stage)}
    for child in folder.iterdir():
        if child.name not in declared:
            shutil.rmtree(child) if child.is_dir() else child.unlink()


@dataclass
class _Child:
    run: Run
    process: Any
    messages: Connection
    slot: int


def _train(title: str, runs: list[Run], results: Path, jobs: int) -> tuple[int, dict[str, str]]:
    """Run each in a child of its own, `jobs` at a time; returns how many ran, and what went wrong by fingerprint."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([f"stages.{runs[0].stage}"])
    progress, trained, failures = Progress(title, len(runs)), 0, {}
    queue, children, slots = list(runs), [], list(range(jobs))
    try:
        while queue or children:
            while queue and slots:
                children.append(_start(context, queue.pop(0), results, slots.pop(0)))
            for child in _ready(children):
                outcome = _hear(child, progress)
                if outcome is None:
                    continue
                children.remove(child)
                slots.append(child.slot)
                child.process.join()
                if outcome == "busy":  # another sweep trains this very run: come back to it
                    queue.append(child.run)
                    time.sleep(0 if len(queue) > 1 else LOCK_SECONDS)
                elif outcome in ("finished", "found"):
                    trained += outcome == "finished"
                    progress.finish(child.run.id)
                else:
                    failures[child.run.fingerprint] = outcome
    finally:
        progress.close()
        _stop(children)
    return trained, failures


def _start(context: Any, run: Run, results: Path, slot: int) -> _Child:
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(run, results, theirs, slot), daemon=True)
    process.start()
    theirs.close()
    return _Child(run, process, ours, slot)


def _ready(children: list[_Child]) -> list[_Child]:
    ready = wait([child.messages for child in children], timeout=1.0)
    return [child for child in children if child.messages in ready]


def _hear(child: _Child, progress: Progress) -> str | None:
    """Take one message: None for progress, else how the run ended."""
    try:
        kind, content = child.messages.recv()
    except EOFError:
        child.process.join()
        return f"the process ended without a word (exit status {child.process.exitcode}); out of memory?"
    if kind == "progress":
        progress.update(child.run.id, *content)
        return None
    return content


def _stop(children: list[_Child]) -> None:
    for child in children:
        child.process.terminate()
    for child in children:
        child.process.join(STOP_SECONDS)


def _child(run: Run, results: Path, messages: Connection, slot: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it and stops us
    if count := gpus():
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", str(slot % count))
    messages.send(
        ("end", _attempt(run, results, lambda done, total: messages.send(("progress", (done, total)))))
    )


def _attempt(run: Run, results: Path, report: Callable[[int, int], None]) -> str:
    """Do the run; returns "finished", "found" (another sweep did it), "busy", or what went wrong."""
    from stages.running.job import Job

    with store.locked(store.store_folder(results, run)) as mine:
        if not mine:
            return "busy"
        if store.is_finished(store.store_folder(results, run), run):
            return "found"
        try:
            job = Job(run, results, report)
            importlib.import_module(f"stages.{run.stage}").work(job)
        except UserError as error:
            return str(error).replace("\n", "\n  ")
        except BrokenPipeError:
            return "nobody listens"  # the driver is gone; the checkpoint stays
        except OSError as error:
            return str(explain(error)).replace("\n", "\n  ")
        except Exception as error:
            path = store.partial_folder(results, run) / "error.txt"
            files.write_text(path, traceback.format_exc())
            return f"{type(error).__name__}: {error}\n  where: {path} has the traceback"
    return "finished"
