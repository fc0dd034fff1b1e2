"""How many runs of a scale are left, and how long they take, by those that are finished.

The time of a run is its operations at the usual pace of its stage; where nothing counts operations (a solver, a
picture) it is the usual time of a run.
"""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from common import machine, scales
from common.run_records import RECORDS, read_records
from stages.planning import cost
from stages.planning.declaration import by_claims, testable
from stages.planning.plans import Plan, all_plans
from stages.planning.runs import Run
from stages.planning.totals import distinct_runs
from stages.running import store
from stages.running.finished import EVIDENCE
from stages.running.sweeps import is_here, known_elsewhere, runs_of


@dataclass(frozen=True)
class Pace:
    """Seconds per operation, of all stages (`seconds_per_flop`) and of each, and seconds of a run of each.

    source: where it was measured, in words.
    """

    source: str
    seconds_per_flop: float
    of_stage: dict[str, float]
    of_run: dict[str, float]

    def seconds(self, runs: Iterable[Run]) -> float:
        """How long these runs take one process, one after the other."""
        return sum(map(self._seconds, runs))

    def _seconds(self, run: Run) -> float:
        if flops := cost.cost_of(run).flops:
            return flops * self.of_stage.get(run.stage, self.seconds_per_flop)
        return self.of_run.get(run.stage, 0.0)


def cost_lines(scale: str, plans: list[Plan], results: Path) -> str:
    """What the runs of these plans come to, and how much of it is left: images, operations, hours."""
    every, pace = distinct_runs(plans), pace_of(scale, results)
    whole = cost.total(every)
    said = (
        f"  cost: {whole.images:.2g} images through the encoder, {whole.flops:.2g} floating-point operations"
    )
    if pace is None:
        return f"{said}; hours: not known, because no run has finished here yet"
    said += f"; {_hours(pace.seconds(every))} of one process, at the median pace measured {pace.source}"
    missing = left(scale, plans, results)
    if not missing:
        return f"{said}\n  left: nothing; all {len(every):,} runs are here or committed"
    seconds, jobs = pace.seconds(missing), machine.slots()
    at_once = f", or {_hours(seconds / jobs)} of {jobs} at a time here" if jobs > 1 else ""
    said += f"\n  left: {len(missing):,} of {len(every):,} runs, {_hours(seconds)} of one process{at_once}"
    return said + "".join(_by_exhibit(scale, plans, missing, pace)) if len(missing) < len(every) else said


def _by_exhibit(scale: str, plans: list[Plan], missing: list[Run], pace: Pace) -> Iterator[str]:
    """A line for each exhibit, in the order in which they are run. What several share counts for the first of them."""
    left = {run.fingerprint for run in missing}
    of = {plan.exhibit: plan for plan in plans}
    for name in by_claims(of, scale):
        own = [run for run in distinct_runs([of[name]]) if run.fingerprint in left]
        left -= {run.fingerprint for run in own}
        if own:
            claims = testable(name, scale)
            told = f"{claims} claim{'s' * (claims != 1)}, {len(own):,} runs, {_hours(pace.seconds(own))}"
            yield f"\n    {name}: {told}"


def left(scale: str, plans: list[Plan], results: Path) -> list[Run]:
    """The distinct runs that are neither here nor, where the scale reuses them, among the committed ones."""
    runs = distinct_runs(plans)
    known = known_elsewhere(runs_of(plans), results) if scales.read(scale).reuses_evidence else set()
    return [run for run in runs if run.fingerprint not in known and not is_here(run, results)]


def pace_of(scale: str, results: Path) -> Pace | None:
    """The pace here of the runs of this scale and its parents; else of those committed; else of another scale here."""
    family = scales.lineage(scale)
    own = [run for name in family for run in distinct_runs(all_plans(name))]
    if pace := _pace("here", own, _seconds_here(own, results)):
        return pace
    committed = {
        row["fingerprint"]: float(row["seconds"])
        for name in family
        for row in read_records(EVIDENCE / name / RECORDS)
    }
    if pace := _pace("by the committed runs", own, committed):
        return pace
    for name in scales.names():
        if name not in family and (results / name / "store").is_dir():
            others = distinct_runs(all_plans(name))
            if pace := _pace(f"here at scale {name}", others, _seconds_here(others, results)):
                return pace
    return None


def _seconds_here(runs: Iterable[Run], results: Path) -> dict[str, float]:
    """Seconds of those of `runs` that are in the store, by fingerprint; one without a whole record is left out."""
    found = {}
    for run in runs:
        try:
            record = json.loads((store.store_folder(results, run) / store.RECORD).read_bytes())
            found[run.fingerprint] = float(record["seconds"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def _pace(source: str, runs: Iterable[Run], seconds: dict[str, float]) -> Pace | None:
    """The pace of those of `runs` that have seconds; None where none of them counts operations.

    Medians: of a run that was made beside other work the clock says little.
    """
    per_flop, per_run = defaultdict(list), defaultdict(list)
    for run in runs:
        if run.fingerprint in seconds:
            flops = cost.cost_of(run).flops
            (per_flop if flops else per_run)[run.stage].append(seconds[run.fingerprint] / (flops or 1))
    if not per_flop:
        return None
    of_stage, of_run = ({stage: median(some) for stage, some in each.items()} for each in (per_flop, per_run))
    return Pace(source, median(itertools.chain.from_iterable(per_flop.values())), of_stage, of_run)


def _hours(seconds: float) -> str:
    said = f"{seconds / 3600:.2g}"
    return f"{said} hour{'s' * (said != '1')}"
