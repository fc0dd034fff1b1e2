"""Make some runs again, from nothing, whose numbers are committed, and compare: a check for strangers.

The runs are drawn among those that the exhibits show, or are all seeds of the cells that are named; each is made with
all that it reads. On the same kind of processor with the same libraries every number must be the same to the last bit;
elsewhere, on a GPU or by several processes for example, accuracies may differ as those of two seeds do. After `adopt`
this is the proof that numbers stayed. Nothing that lies in results is read but the data.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from common import files
from common.errors import UserError, command
from common.names import cell_name, nearest
from stages.planning.plans import all_plans
from stages.planning.runs import Run
from stages.running.driver import carry_out
from stages.running.finished import Finished, finished, in_evidence
from stages.running.sweeps import parsed

ACCURACIES = ("top1", "knn_top1", "online_top1", "accuracy", "mean_per_class", "map11")
BOUND = 3.0  # percentage points: three times the spread of a cell over seeds (docs/power.md)
RERUN_COLUMNS = (
    "stage", "exhibit", "run", "fingerprint", "metric", "committed", "again", "processor", "processor_again",
)  # fmt: skip
SAME, NEAR, APART, DIFFERENT = "the same", "within the bound", "not compared", "DIFFERENT"


@command
def main(arguments: list[str] | None = None) -> int:
    """`python -m stages rerun [--scale S] [--runs 3] [--seed 0]`: 1 if a number came out otherwise."""
    parser = argparse.ArgumentParser(prog="python -m stages rerun", description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="how many to draw (default: 3)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw: another one draws other runs")
    parser.add_argument(
        "--cell",
        action="append",
        help="all seeds of this cell, for example figure_08/part2, in place of a draw",
    )
    parser.add_argument(
        "--out", type=Path, help="write every number beside the committed one to this CSV file"
    )
    options, scale = parsed(parser, arguments)
    if options.runs < 1:
        raise UserError("not a number of runs", expected="--runs of 1 or more", found=options.runs)
    known = _known(scale)
    drawn = _of_cells(known, options.cell) if options.cell else _drawn(known, options.runs, options.seed)
    data = options.results / scale / "data"
    if not (data / "manifest.json").is_file():
        raise UserError(
            f"the data of scale {scale} are not prepared",
            expected="what `prepare` leaves",
            found="none",
            where=data,
            remedy=f"python -m stages prepare --scale {scale}",
        )
    with tempfile.TemporaryDirectory(prefix="rerun-", dir=options.results / scale) as place:
        folder = Path(place)
        (folder / scale).mkdir()
        (folder / scale / "data").symlink_to(data.resolve(), target_is_directory=True)
        outcome = carry_out(
            "runs made again", [each for run in drawn for each in _with_reads(run)], folder, options.jobs
        )
        if outcome.failures:
            key, failure = next(iter(outcome.failures.items()))
            raise UserError("a run failed", expected="its numbers", found=failure, where=key)
        compared = [each for run in drawn for each in beside(run, finished(run, folder))]
    if options.out:
        write(options.out, compared)
    return _told(compared)


def _known(scale: str) -> list[Run]:
    """The runs that exhibits show and evidence knows, but for those that came from elsewhere."""
    known = []
    for plan in all_plans(scale):
        for stage in {measured.split(".")[0] for measured in plan.document["measure"]}:
            for run in plan.runs(stage):
                evidence = in_evidence(run)
                if evidence and not any("imported" in account for account in _accounts(run, evidence)):
                    known.append(run)
    if not known:
        raise UserError(
            f"the evidence of scale {scale} has no run of today's declarations and code",
            expected="numbers in reports/evidence/<scale>/",
            found="none",
            remedy="choose a scale with evidence, or adopt the code that made it (python -m stages adopt)",
        )
    return known


def _drawn(known: list[Run], count: int, seed: int) -> list[Run]:
    """`count` of them, equal ones once."""
    distinct: dict[str, Run] = {}
    for run in known:
        distinct.setdefault(run.fingerprint, run)
    return random.Random(seed).sample([distinct[key] for key in sorted(distinct)], min(count, len(distinct)))


def _of_cells(known: list[Run], cells: list[str]) -> list[Run]:
    """All seeds of the cells that are named."""
    by_cell: dict[str, list[Run]] = {}
    for run in known:
        by_cell.setdefault(f"{run.exhibit}/{cell_name(run.id)}", []).append(run)
    for cell in cells:
        if cell not in by_cell:
            raise UserError(
                f"no cell `{cell}`{nearest(cell, by_cell)} in the evidence of this scale",
                expected="<exhibit>/<cell>, the cell as in the ids of params/plan/<scale>/<exhibit>.yaml",
                found=cell,
            )
    return [run for cell in dict.fromkeys(cells) for run in by_cell[cell]]


def _accounts(run: Run, evidence: Finished) -> Iterator[dict[str, Any]]:
    """Its own account, and those of the runs that it reads where evidence has them."""
    yield evidence.account
    yield from (other.account for read in _with_reads(run)[:-1] if (other := in_evidence(read)))


def _with_reads(run: Run) -> list[Run]:
    """The run after all that it reads."""
    return [*(each for read in run.reads for each in _with_reads(read)), run]


class Compared(NamedTuple):
    """A number of a run: as committed, as made again, and what became of it. None where one of the two has it not."""

    run: Run
    metric: str
    committed: float | None
    again: float | None
    word: str
    processors: tuple[str, str]

    @property
    def moved(self) -> float:
        """By how many points an accuracy moved; 0 for other numbers."""
        if self.metric not in ACCURACIES or self.committed is None or self.again is None:
            return 0.0
        return self.again - self.committed


def beside(run: Run, now: Finished | None) -> Iterator[Compared]:
    """Every number of a run beside the committed one, printed and told."""
    then = in_evidence(run)
    assert then and now, "both were looked at before"
    alike = _on(then) == _on(now) and bool(then.account["machine"].get("processor"))
    processors = tuple(str(each.account["machine"].get("processor")) for each in (then, now))
    print(f"{run.stage} {run.exhibit} {run.id}: made on {processors[0]}, now {processors[1]}")
    for name in sorted(then.metrics.keys() | now.metrics.keys()):
        committed, again = then.metrics.get(name), now.metrics.get(name)
        word = _word(name, committed, again, alike)
        print(f"  {name:<20} {committed!r:>22} {again!r:>22}  {word}", flush=True)
        yield Compared(run, name, committed, again, word, processors)


def write(path: Path, compared: list[Compared]) -> None:
    """A row for each number, as CSV."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(RERUN_COLUMNS)
    for each in compared:
        writer.writerow([
            each.run.stage, each.run.exhibit, each.run.id, each.run.fingerprint, each.metric,
            each.committed, each.again, *each.processors,
        ])  # fmt: skip
    files.write_text(path, stream.getvalue())


def _on(one: Finished) -> list[Any]:
    """What of a machine decides last bits."""
    return [one.account["machine"].get(name) for name in ("processor", "device", "processes", "versions")]


def _word(name: str, then: float | None, now: float | None, alike: bool) -> str:
    if then == now:
        return SAME
    if alike or then is None or now is None or (name in ACCURACIES and abs(then - now) > BOUND):
        return DIFFERENT
    # Only for accuracies is it known how far two seeds are apart.
    return NEAR if name in ACCURACIES else APART


def _told(compared: list[Compared]) -> int:
    words = [each.word for each in compared]
    moved = [each.moved for each in compared if each.moved]
    same, different = words.count(SAME), words.count(DIFFERENT)
    if same == len(words):
        print(f"all {same} numbers are the same, to the last bit")
        return 0
    if moved:
        # Chance goes both ways; a mean far from 0 is a processor or a library that trains otherwise.
        print(
            f"{len(moved)} accuracies moved by {statistics.mean(moved):+.2f} points on average, "
            f"at most by {max(moved, key=abs):+.2f}"
        )
    if different:
        print(f"{different} of {len(words)} numbers came out otherwise")
        return 1
    print(
        f"{same} of {len(words)} numbers are the same to the last bit; accuracies are within {BOUND:g} points, "
        "as another processor or other libraries may have them"
    )
    return 0
