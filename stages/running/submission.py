"""What is left of a scale, gathered into jobs for a cluster: workflows/single_runs.smk submits them.

The process that a person starts decides it, anew in every call, and writes it to results/<scale>/jobs.json. The
processes that Snakemake starts for its jobs read it there, so that all have the same jobs. A run that is whole, known
by evidence, or without its data set, is in no job: it asks for nothing and blocks nothing.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from common import files, locks, scales
from common.errors import UserError
from stages.running import lost, store

PLACE = "jobs.json"
NOTES = "done"  # what says that a job of this call is done: done/<call>/...; that an exhibit's are: done/<exhibit>
ALL = "all"  # the exhibits together, among whose notes it has one
SMALL_MINUTES = 30  # runs that are shorter share a job,
TOGETHER = 16  # as many as this
DRY = "dry"  # the name of a call that only looks
Work = dict[str, dict[str, Any]]  # by "<stage>/<fingerprint>": see stages/plan.py, work_list
Jobs = dict[str, dict[str, Any]]  # by "<stage>/<job>": see `gather`


def decide(results: Path, scale: str, exhibits: Iterable[str], *, dry: bool = False) -> dict[str, Any]:
    """What this call submits: its name, its jobs, runs that are left out, and which are whole, as it began.

    Unless dry, it is written, and what an earlier call noted goes. UserError if runs that are left are at work (a dry
    one does not look), or for evidence or runs that cannot be read.
    """
    folder = results / scale
    work: Work = files.read_json(folder / "work.json")
    whole = whole_runs(work, folder)
    settled = settled_otherwise(results, scale, exhibits)
    left = {key: run for key, run in work.items() if key not in whole and key.split("/")[1] not in settled}
    if not dry:
        check_at_rest(left, folder)
    fitting, beyond = parted(left)
    # The lock of this call was written before the look, by the clock of the file system: what changes later is newer.
    began = 0 if dry else (folder / ".lock").stat().st_mtime_ns
    decided = {
        "call": DRY if dry else os.urandom(4).hex(),
        "began": began,
        "whole": sorted(whole),
        "jobs": gather(fitting),
        "left_out": {
            f"{key.split('/')[0]} {run['exhibit']} {run['run']}": run for key, run in beyond.items()
        },
    }
    if not dry:
        _forget(folder, decided)
        files.write_json(folder / PLACE, decided)
    return decided


def read(results: Path, scale: str) -> dict[str, Any]:
    """What the call decided for which this process works. UserError without it."""
    return files.read_json(results / scale / PLACE, "start Snakemake itself: it decides which jobs there are")


def whole_runs(work: Work, folder: Path) -> set[str]:
    """The runs that lie here whole. A file that did not change since the last call knew its run whole is not hashed."""
    known = _last(folder)
    began, then = known.get("began", 0), set(known.get("whole", ()))

    def is_whole(key: str, run: dict[str, Any]) -> bool:
        stage, fingerprint = key.split("/")
        since = began if key in then else 0
        return lost.is_whole(folder, stage, run["exhibit"], run["run"], fingerprint, since)

    return {key for key, run in work.items() if is_whole(key, run)}


def settled_otherwise(results: Path, scale: str, exhibits: Iterable[str]) -> set[str]:
    """The fingerprints of runs that need not lie here: known by evidence, where the scale takes it, or without data."""
    manifest = results / scale / "data" / "manifest.json"
    reuses = scales.read(scale).reuses_evidence
    if not reuses and not (manifest.is_file() and files.read_json(manifest)["missing"]):
        return set()
    from stages.planning.plans import read_plan  # seconds for thousands of runs
    from stages.running.sweeps import known_elsewhere, lacking_data, runs_of

    runs = runs_of(read_plan(name, scale) for name in exhibits)
    known = known_elsewhere(runs, results) if reuses else set()
    return known | lacking_data([run for run in runs if run.fingerprint not in known], results).keys()


def check_at_rest(left: Work, folder: Path) -> None:
    """UserError if other processes are at work on some of these runs: a second copy would wait, and hold its GPUs."""
    held = (locks.holder(store.lock_of(folder / "store" / key)) for key in left)
    holders = Counter(who for who in held if who)
    if holders:
        jobs = " ".join(sorted(who.split()[-1] for who in holders if who.startswith("Slurm job ")))
        stop = f"`scancel {jobs}`: each writes a checkpoint" if jobs else "stop what is at work on them"
        raise UserError(
            "runs that are left are at work already",
            expected="none: as after a call whose jobs ended with it",
            found="; ".join(f"{count} in {who}" for who, count in sorted(holders.items())),
            where=folder / "store",
            remedy=f"wait until they end, or {stop}; then the same command goes on",
        )


def parted(left: Work) -> tuple[Work, Work]:
    """Those that can be done, and those that fit not even all GPUs of the hardware, with what reads them."""
    beyond = {key for key, run in left.items() if not run["fits"]}
    while more := {key for key, run in left.items() if beyond.intersection(run["reads"])} - beyond:
        beyond |= more
    fitting = {key: run for key, run in left.items() if key not in beyond}
    return fitting, {key: left[key] for key in left if key in beyond}


def gather(left: Work) -> Jobs:
    """The jobs of these runs: exhibit, runs (names), shown_by, reads (jobs), processes, nodes, minutes.

    A run is a job of its own, under its fingerprint. Short ones of a sweep share one if they take as many processes
    and wait for the same jobs: else one that waits for a failed run would hold up the others.
    """
    jobs: Jobs = {}
    job_of: dict[str, str] = {}
    waiting = dict(left)
    while waiting:
        ready = {key: run for key, run in waiting.items() if waiting.keys().isdisjoint(run["reads"])}
        waiting = {key: run for key, run in waiting.items() if key not in ready}
        for job, keys in _together(ready, job_of).items():
            jobs[job] = _job([left[key] for key in keys], job_of)
            job_of |= dict.fromkeys(keys, job)
        if not ready:
            raise ValueError("runs that read each other")
    return jobs


def _together(ready: Work, job_of: Mapping[str, str]) -> dict[str, list[str]]:
    """The runs of each job, by its name."""
    together: dict[str, list[str]] = {}
    short: dict[tuple[Any, ...], list[str]] = {}
    for key, run in ready.items():
        if run["minutes"] < SMALL_MINUTES and run["nodes"] == 1:
            kind = key.split("/")[0], run["exhibit"], run["processes"], tuple(_reads([run], job_of))
            short.setdefault(kind, []).append(key)
        else:
            together[key] = [key]
    for (stage, exhibit, *_), keys in short.items():
        for some in (keys[start : start + TOGETHER] for start in range(0, len(keys), TOGETHER)):
            digest = hashlib.sha256("".join(some).encode()).hexdigest()[:16]
            together[f"{stage}/{exhibit}-{digest}" if len(some) > 1 else some[0]] = some
    return together


def _job(runs: list[dict[str, Any]], job_of: Mapping[str, str]) -> dict[str, Any]:
    return {
        **{name: runs[0][name] for name in ("exhibit", "processes", "nodes")},
        "runs": [run["run"] for run in runs],
        "shown_by": sorted({exhibit for run in runs for exhibit in run["shown_by"]}),
        "reads": _reads(runs, job_of),
        "minutes": round(sum(run["minutes"] for run in runs), 1),
    }


def _reads(runs: Iterable[dict[str, Any]], job_of: Mapping[str, str]) -> list[str]:
    """The jobs of what these read; what is not left has none, and blocks nothing."""
    return sorted({job_of[key] for run in runs for key in run["reads"] if key in job_of})


def minutes(job: dict[str, Any], attempt: int, most: int) -> int:
    """The time limit of a job: twice what the plan expects, more after every failure, and never above `most`."""
    return min(most, round(attempt * max(SMALL_MINUTES, 2 * job["minutes"])))


def submissions(job: dict[str, Any], most: int) -> int:
    """How many limits of `most` minutes twice the expected time takes: a run that is cut off goes on in the next."""
    return max(1, -(-round(2 * job["minutes"]) // most))


def of_group(some: Mapping[str, dict[str, Any]], group: str) -> list[str]:
    """The names of those jobs, or runs left out, that are left of an exhibit, or of all."""
    return sorted(name for name, its in some.items() if group in (ALL, *its["shown_by"]))


def _forget(folder: Path, decided: dict[str, Any]) -> None:
    """Remove the notes of earlier calls, and that of each exhibit of which something is left."""
    for path in sorted((folder / NOTES).glob("*")):
        if path.is_dir():
            shutil.rmtree(path)
        elif of_group(decided["jobs"] | decided["left_out"], path.name):
            path.unlink()


def _last(folder: Path) -> dict[str, Any]:
    """What the last call decided; nothing without one, and if that is not whole."""
    try:
        last = files.read_json(folder / PLACE)
    except (OSError, UserError):
        return {}
    return last if isinstance(last, dict) else {}
