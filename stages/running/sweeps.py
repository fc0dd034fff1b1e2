"""Sweeps: the runs of one stage for one exhibit. Which of them a command means, and what says that they are there.

A finished sweep has an index, results/<scale>/index/<exhibit>/{trained,evaluated}/<stage>.json: what each run is (its
fingerprint) and the SHA-256 of its run.json, which lists everything else in the run's folder. Later stages and both
engines look at the index alone.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from common import atomic, files, machine, scales
from common.errors import UserError, command
from common.names import nearest
from common.options import add_results, add_scale
from stages.planning.declaration import by_claims, exhibit_ids
from stages.planning.plans import Plan, Run, read_plan
from stages.running import origins, store
from stages.running.driver import Outcome, adopt, carry_out
from stages.running.finished import in_evidence

PARENT = os.getppid()  # as early as can be: one that is gone already is not seen
LOOK_SECONDS = 0.5  # between looks whether it is there


@dataclass(frozen=True, eq=False)
class Sweep:
    """All runs of one stage for one exhibit."""

    plan: Plan
    stage: str

    @property
    def name(self) -> str:
        """For example "pretrain figure_08"."""
        return f"{self.stage} {self.plan.exhibit}"

    @property
    def runs(self) -> list[Run]:
        """The runs of the sweep, in the order of the plan."""
        return self.plan.runs(self.stage)


@command
def main(stage: str, arguments: list[str] | None = None, said: str = "") -> int:
    """The command line of every stage that trains or evaluates: `python -m stages <stage> --sweep <exhibit>`.

    said: what the stage says of itself, for --help.
    """
    parser = argparse.ArgumentParser(prog=f"python -m stages {stage}", description=said)
    parser.add_argument(
        "--sweep", required=True, help="the exhibit whose runs are carried out, for example figure_08"
    )
    parser.add_argument("--run", action="append", help="only this run of the sweep (may be repeated)")
    ignore_evidence(parser)
    options, scale = parsed(parser, arguments)
    plan = read_plan(options.sweep, scale)
    if stage not in plan.stages:
        raise UserError(f"{options.sweep} has no stage {stage}", expected=", ".join(plan.stages), found=stage)
    sweep = Sweep(plan, stage)
    chosen = sweep.runs if options.run is None else [_chosen(sweep, name) for name in options.run]
    names = {run.id for run in chosen}
    # A run alone is done once for all exhibits that show it; a sweep leaves to other exhibits what only they need.
    needing = [plan] if options.run is None else [read_plan(name, scale) for name in exhibit_ids()]
    reuses = scales.read(scale).reuses_evidence and not options.ignore_evidence
    evidence = runs_of(needing) if reuses else None
    return bring([sweep], options.results, options.jobs, sweep.name, lambda run: run.id in names, evidence)


def runs_of(plans: Iterable[Plan]) -> list[Run]:
    """The runs of all stages of these plans."""
    return [run for plan in plans for stage in plan.stages for run in plan.runs(stage)]


def ignore_evidence(parser: argparse.ArgumentParser) -> None:
    """The option of commands that leave out what is known by evidence."""
    parser.add_argument(
        "--ignore-evidence",
        action="store_true",
        help="carry out every run, also those whose numbers are committed",
    )


def parsed(parser: argparse.ArgumentParser, arguments: list[str] | None) -> tuple[argparse.Namespace, str]:
    """Parse the options that every command with runs shares, and make SIGTERM end it: (options, scale)."""
    add_scale(parser)
    add_results(parser)
    parser.add_argument(
        "--jobs",
        type=int,
        default=0,
        help="runs at a time (default: one per GPU, or one per core; never more than one per GPU)",
    )
    parser.add_argument(
        "--end-with-parent",
        action="store_true",
        help="stop, and leave checkpoints, when the calling process ends; for workflow engines, not for nohup",
    )
    options = parser.parse_args(arguments)
    if options.jobs < 0:
        raise UserError("not a number of jobs", expected="--jobs of 1 or more", found=options.jobs)
    # Two runs on one GPU would share its memory, and the larger of them would fail.
    options.jobs = min(options.jobs or machine.slots(), len(machine.devices()) or sys.maxsize)
    signal.signal(signal.SIGTERM, _end_once)
    if options.end_with_parent:
        threading.Thread(target=_watch_parent, daemon=True).start()
    return options, scales.check_scale(options.scale or scales.default())


def bring(
    sweeps: list[Sweep],
    results: Path,
    jobs: int,
    title: str,
    wanted: Callable[[Run], bool] = lambda run: True,
    evidence: Iterable[Run] | None = None,
) -> int:
    """Bring every wanted run to its sweep's folder and write the index of whole sweeps; 1 if a run failed, else 0.

    evidence: all runs that may need the weights of these. Given them, runs whose numbers are committed are left out,
    and a damaged copy of them is removed. Exhibits with the most claims come first then, each seed after seed (see
    `turns`), because such a scale takes several sittings. Elsewhere the longest runs come first, so that all ends
    soonest.
    """
    runs = {sweep: [run for run in sweep.runs if wanted(run)] for sweep in sweeps}
    known = known_elsewhere(evidence, results) if evidence is not None else set()
    every = [run for some in runs.values() for run in some]
    absent = without_data([run for run in every if run.fingerprint not in known], results)
    runs = {sweep: [run for run in some if run.fingerprint not in absent] for sweep, some in runs.items()}
    left = [run for run in every if run.fingerprint not in absent | known]
    check_prepared(left, results)
    _discard_damaged([run for run in every if run.fingerprint in known], results)
    outcome = carry_out(title, left, results, jobs, {} if evidence is None else turns(left))
    for sweep, some in runs.items():
        _settle(sweep, some, known, results, outcome, whole=all(map(wanted, sweep.runs)))
    return 1 if outcome.failures else 0


def turns(runs: Iterable[Run]) -> dict[str, int]:
    """When it is each run's turn, by fingerprint: exhibit by exhibit, the first of those that share it; then by seeds.

    A scale that takes several sittings may take several machines. Seed after seed of all cells, what a machine changes
    it changes in all of them alike, and a sitting that ends in the middle leaves some seeds of each cell.
    """
    runs = list(runs)
    exhibits = list(dict.fromkeys(run.exhibit for run in runs))
    places = {name: place for place, name in enumerate(by_claims(exhibits, runs[0].scale))} if runs else {}
    found: dict[str, tuple[int, int]] = {}
    for run in runs:
        turn = (places[run.exhibit], run.seed)
        found[run.fingerprint] = min(turn, found.get(run.fingerprint, turn))
    order = {turn: number for number, turn in enumerate(sorted(set(found.values())))}
    return {key: order[turn] for key, turn in found.items()}


def known_elsewhere(runs: Iterable[Run], results: Path) -> set[str]:
    """The runs, by fingerprint, whose numbers the committed evidence has, and whose weights no run that is left needs.

    So several machines can complete a scale, a part at a time. Of a search only the numbers are needed, and none of
    them where that of the run that chooses is known. A run that cannot be made, for want of data, needs nothing.
    """
    shown: dict[str, list[Run]] = {}
    for run in runs:
        shown.setdefault(run.fingerprint, []).append(run)
    waiting = {key: some for key, some in shown.items() if not any(is_here(run, results) for run in some)}
    # Evidence answers by exhibit: what it has for one of those that show a run, it may not have for another.
    known = {key for key, some in waiting.items() if all(_is_known(run, results) for run in some)}
    lacking = lacking_data((some[0] for key, some in waiting.items() if key not in known), results)
    left = [some[0] for key, some in waiting.items() if key not in known and key not in lacking]
    known |= searched(waiting[key][0] for key in known) - searched(left)
    left = [run for run in left if run.fingerprint not in known]
    # A run that evaluates needs its upstream weights, and evidence has numbers alone: those are made after all.
    while left:
        upstream = [run.upstream for run in left if run.upstream and run.upstream.fingerprint in known]
        known -= {run.fingerprint for run in upstream}
        left = upstream
    return known


def _is_known(run: Run, results: Path) -> bool:
    known = in_evidence(run)
    return known is not None and origins.fits(known.account, run, results)


def is_here(run: Run, results: Path) -> bool:
    """Whether the run lies finished in its sweep's folder or in the store."""
    return any(
        store.is_finished(each, run) for each in (run.folder(results), store.store_folder(results, run))
    )


def searched(runs: Iterable[Run]) -> set[str]:
    """The runs, by fingerprint, among which these choose."""
    return {point.fingerprint for run in runs for point in run.search}


def without_data(runs: Iterable[Run], results: Path) -> set[str]:
    """The fingerprints of `lacking_data`, said of each run: its exhibit is drawn without it."""
    runs = list(runs)
    lacking, points = lacking_data(runs, results), searched(runs)
    for run in runs:
        # Of a whole grid the run that chooses is named.
        if run.fingerprint in lacking and run.fingerprint not in points:
            said = f"{run.id} of {run.stage} {run.exhibit}, {lacking[run.fingerprint]}"
            print(f"not run: {said}", flush=True)
    return set(lacking)


def lacking_data(runs: Iterable[Run], results: Path) -> dict[str, str]:
    """By fingerprint of a run that cannot be made here, what it or its upstream run lacks.

    That is a data set that `prepare` could not obtain, or, of imported weights, the projection head.
    """
    runs = list(runs)
    path = results / runs[0].scale / "data" / "manifest.json" if runs else None
    missing = files.read_json(path)["missing"] if path and path.is_file() else []

    def lacked(run: Run) -> str | None:
        if run.dataset in missing:
            return f"data set {run.dataset} is missing"
        if run.bindings.get("representation.layer") == "z" and origins.is_headless(run.upstream, results):
            return "the imported weights of its pretraining have no projection head"
        above = lacked(run.upstream) if missing and run.upstream else None
        return above if above and not is_here(run.upstream, results) and not is_here(run, results) else None

    return {run.fingerprint: said for run in runs if (said := lacked(run))}


def check_prepared(runs: Iterable[Run], results: Path) -> None:
    """UserError, once and before any starts, if a run that does not lie here reads a data set that was not prepared."""
    for run in runs:
        folder = results / run.scale / "data" / str(run.dataset)
        if run.dataset and not (folder / "manifest.json").is_file() and not is_here(run, results):
            raise UserError(
                f"data set {run.dataset} is not prepared for scale {run.scale}",
                expected="what `prepare` leaves",
                found="none",
                where=folder,
                remedy=f"python -m stages prepare --scale {run.scale}",
            )


def _end_once(*_: object) -> None:
    """End, and let no second signal cut off the wait for checkpoints: Slurm sends two."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(128 + signal.SIGTERM)


def _watch_parent() -> None:
    """Stop, with checkpoints, when the calling engine is gone: one that was killed could not pass a signal on."""
    while os.getppid() == PARENT:
        time.sleep(LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def _chosen(sweep: Sweep, name: str) -> Run:
    for run in sweep.runs:
        if run.id == name:
            return run
    known = [run.id for run in sweep.runs]
    raise UserError(
        f"no run `{name}` in this sweep{nearest(name, known)}", expected=", ".join(known), found=name
    )


def _settle(
    sweep: Sweep, runs: list[Run], known: set[str], results: Path, outcome: Outcome, whole: bool
) -> None:
    """Link the runs, say what became of them, and write the index if none is lacking."""
    for run in runs:
        if run.fingerprint not in outcome.failures.keys() | known and not adopt(run, results):
            outcome.failures[run.fingerprint] = "finished, and then not found in the store"
    # A run that several sweeps show was done once: it counts for the first of them.
    own = {run.fingerprint for run in runs} & outcome.ran
    outcome.ran -= own
    elsewhere = len({run.fingerprint for run in runs} & known)
    said = f", {elsewhere} are known by evidence" if elsewhere else ""
    print(f"{sweep.name}: ran {len(own)} of {len(runs)} runs{said}", flush=True)
    failed = [run for run in runs if run.fingerprint in outcome.failures]
    for run in failed:
        print(
            f"error: run {run.id} of {sweep.name} failed\n  {outcome.failures[run.fingerprint]}",
            file=sys.stderr,
        )
    if whole and not failed:
        _discard_undeclared(sweep, results)
        # Written even if unchanged: an engine that compares times must see that the sweep was looked at.
        files.write_json(sweep.plan.index_path(results, sweep.stage), _index(runs, known, results))


def _index(runs: list[Run], known: set[str], results: Path) -> dict[str, dict[str, str]]:
    """By run: its fingerprint, and the SHA-256 of its run.json; "evidence" for one that is known by that alone."""

    def sha256(run: Run) -> str:
        here = run.fingerprint not in known
        return files.sha256_file(run.folder(results) / store.RUN) if here else "evidence"

    return {run.id: {"fingerprint": run.fingerprint, "sha256": sha256(run)} for run in runs}


def _discard_damaged(runs: Iterable[Run], results: Path) -> None:
    """Remove what lies here of runs that are known by evidence, and is not whole: no command would make it again."""
    for run in runs:
        places = {run.folder(results), store.store_folder(results, run)}
        if not any(store.is_damaged(folder, run) for folder in places):
            continue
        with store.locked(store.store_folder(results, run)) as mine:
            for folder in [each for each in sorted(places) if mine and store.is_damaged(each, run)]:
                shutil.rmtree(folder)
                print(f"{folder}: not whole, removed; its numbers come from the evidence", flush=True)


def _discard_undeclared(sweep: Sweep, results: Path) -> None:
    """Remove links to runs that the sweep no longer declares; the store keeps the runs themselves."""
    folder = results / sweep.plan.scale / sweep.stage / sweep.plan.exhibit
    folder.mkdir(parents=True, exist_ok=True)
    declared = {run.id for run in sweep.runs}
    for path in folder.iterdir():
        if path.name not in declared and not atomic.is_at_work_on(path):
            with contextlib.suppress(FileNotFoundError):  # another driver removes it
                shutil.rmtree(path) if path.is_dir() else path.unlink()
