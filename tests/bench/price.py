"""What runs take on this machine, beside what the plan says: CPU seconds on one core, and peak memory.

Some runs of every stage of a scale are done, one at a time, each in a process of its own that has imported everything
before the clock starts. CPU time is counted, which other programs on the machine change little. Prints CSV, and for
each stage and in all the predicted seconds over the measured ones.

    python -m tests.bench.price --scale smoke
    python -m tests.bench.price --scale reduced --stage pretrain --most 2
"""

from __future__ import annotations

import argparse
import csv
import importlib
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from stages.planning.cost import cost_of
from stages.planning.plans import Run, all_plans
from stages.planning.price import hardware_named, price_of
from tests.peak import peak_bytes

HARDWARE = "CPU-core"  # of params/hardware.yaml
COLUMNS = ("scale", "stage", "exhibit", "run", "fingerprint", "cpu_seconds", "predicted_seconds", "peak_mb")


def chosen(runs: Iterable[Run], most: int) -> list[Run]:
    """Up to `most` of every stage, from the shortest to the longest at equal steps, and what they evaluate first."""
    by_stage: dict[str, list[Run]] = {}
    for run in {run.fingerprint: run for run in runs}.values():
        by_stage.setdefault(run.stage, []).append(run)
    found: dict[str, Run] = {}
    for some in by_stage.values():
        some.sort(key=lambda run: (cost_of(run).flops, run.fingerprint))
        for k in range(most):
            run = some[round(k * (len(some) - 1) / max(1, most - 1))]
            for each in filter(None, (run.upstream, run)):
                found.setdefault(each.fingerprint, each)
    return list(found.values())


def _timed(run: Run, results: Path, answer) -> None:
    from stages.running.job import Job

    work = importlib.import_module(f"stages.{run.stage}").work
    before, start = peak_bytes(), time.process_time()
    Job(run, results).carry_out(work)
    answer.send((time.process_time() - start, peak_bytes() - before))


def timed(run: Run, results: Path) -> tuple[float, float]:
    """CPU seconds of a run, and the most memory that it held beyond its libraries, in bytes."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=_timed, args=(run, results, theirs))
    process.start()
    theirs.close()
    try:
        return ours.recv()
    finally:
        process.join()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", default="smoke")
    parser.add_argument("--stage", action="append", help="only this stage (may be repeated)")
    parser.add_argument("--most", type=int, default=3, help="runs of a stage")
    parser.add_argument("--data", type=Path, help="prepared data (default: results/<scale>/data)")
    options = parser.parse_args()
    every = [run for plan in all_plans(options.scale) for runs in plan.stages.values() for run in runs]
    wanted = [run for run in every if not options.stage or run.stage in options.stage]
    hardware, sums = hardware_named(HARDWARE), {}
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(COLUMNS)
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder)
        (results / options.scale).mkdir()
        data = options.data or Path("results") / options.scale / "data"
        (results / options.scale / "data").symlink_to(data.resolve(), target_is_directory=True)
        for run in chosen(wanted, options.most):
            seconds, peak = timed(run, results)
            predicted = 3600 * price_of(run, hardware).hours
            row = (run.scale, run.stage, run.exhibit, run.id, run.fingerprint)
            out.writerow([*row, f"{seconds:.2f}", f"{predicted:.2f}", f"{peak / 1e6:.0f}"])
            sys.stdout.flush()
            both = sums.setdefault(run.stage, [0.0, 0.0])
            both[0], both[1] = both[0] + seconds, both[1] + predicted
    for stage, (seconds, predicted) in sums.items():
        print(f"{stage}: {predicted:.1f} s predicted, {seconds:.1f} s measured", file=sys.stderr)
    seconds, predicted = (sum(both[k] for both in sums.values()) for k in (0, 1))
    print(f"all: {predicted / seconds:.2f} of the measured seconds", file=sys.stderr)


if __name__ == "__main__":
    main()
