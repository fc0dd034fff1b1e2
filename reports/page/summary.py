"""The first screen in words: what was run, and what came out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reports.page.board import Claim
from reports.reading.completion import Left, Made
from reports.reading.frozen import Frozen
from reports.reading.lineage import runs_of, searched_of
from reports.reading.record import Record

NAMES = {
    "pretrain": "pretrainings",
    "supervised": "trainings with labels",
    "linear_eval": "linear evaluations",
    "finetune": "fine-tunings",
    "logistic": "logistic regressions",
}
EXACT = "A"  # the type of a claim that needs no training


def ran(records: Iterable[Record]) -> str:
    """For example: 60 pretrainings, 20 linear evaluations and 12 other runs, of 1 to 3 seeds."""
    runs_of_stage: dict[str, set[str]] = {}
    seeds: set[int] = set()
    for record in records:
        for name, run in (runs_of(record) | searched_of(record)).items():
            stage = name.split("/", 1)[0]
            runs_of_stage.setdefault(stage, set()).add(str(run.get("fingerprint") or name))
        if record["seeds"]:
            seeds.add(len(record["seeds"]))
    named = [
        f"{len(runs_of_stage[stage])} {words}" for stage, words in NAMES.items() if stage in runs_of_stage
    ]
    others = sum(len(runs) for stage, runs in runs_of_stage.items() if stage not in NAMES)
    said = _listed([*named, *([f"{others} other runs"] if others else [])])
    return f"{said}, {_seeds(seeds)} an exhibit" if said and seeds else said


def when(made: Made | None, frozen: Frozen | None) -> str:
    """On which days the runs were made, how long they took, on what, and whether that was after the freeze."""
    if made is None:
        return ""
    days = f"on {made.first}" if made.first == made.last else f"from {made.first} to {made.last}"
    said = f"Made {days}: {_long(made.seconds)} of one process at a time"
    said += f" on {' and '.join(map(_machine, made.machines))}" if made.machines else ""
    said += f" ({made.runs:,} on record)."
    if frozen and made.first < frozen.date:
        said += f" The first is older than the freeze of {frozen.date}."
    return said


def mixed(made: Made | None) -> str:
    """How many runs each kind of processor made, where there are several kinds: a table then holds numbers of all."""
    if made is None or len(made.machines) < 2:
        return ""
    counts = [f"{count:,} on {_machine(kind)}" for kind, count in made.machines.items()]
    return f"{_listed(counts)}. The same run differs from one kind to another about as two seeds do."


def _machine(kind: str) -> str:
    """The kind of a machine with what its processor can do in parentheses: AMD EPYC (avx2, avx512f)."""
    words = kind.split()
    first = next(
        (place for place in range(1, len(words)) if all(map(str.islower, words[place:]))), len(words)
    )
    abilities = words[first:]
    return f"{' '.join(words[:first])} ({', '.join(abilities)})" if abilities else kind


def still(left: Left | None, scale: str) -> str:
    """What is left to run, about how long it takes, and the command."""
    if left is None:
        return ""
    said = f"{left.runs:,} of {left.of:,} distinct runs are not made yet"
    if left.seconds:
        said += f", about {_long(left.seconds)} of one process at a time at the pace of those that are"
        said += f" (not counting {_listed(left.unpaced)}, of which none is)" if left.unpaced else ""
    return f"{said}. make reports SCALE={scale} makes them; what is finished stays."


def _long(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 5400 else f"{max(1, round(seconds / 60))} min"


def came_out(claims: Sequence[Claim]) -> str:
    """What the verdicts say, in one or two sentences."""
    tested = [claim for claim in claims if claim.verdict in ("confirmed", "contradicted", "inconclusive")]
    if not tested:
        return ""
    confirmed, contradicted, open_ = (
        sum(claim.verdict == verdict for claim in tested)
        for verdict in ("confirmed", "contradicted", "inconclusive")
    )
    exact = sum(claim.verdict == "confirmed" and claim.record["type"] == EXACT for claim in tested)
    said = (
        f"Of {len(tested)} claims that were tested {confirmed} {_is(confirmed)} confirmed, {contradicted} "
        f"{_is(contradicted)} contradicted, and {open_} {_is(open_)} inconclusive."
    )
    if exact:
        which = "Each confirmed one" if exact == confirmed else f"{exact} of the confirmed"
        said += f" {which} is an exact check of formulae, which holds at every scale and needs no training."
    return said.replace("confirmed is an", "confirmed are an") if 1 < exact < confirmed else said


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _seeds(counts: set[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low} seed{'s' * (low != 1)}" if low == high else f"{low} to {high} seeds"


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else ""
