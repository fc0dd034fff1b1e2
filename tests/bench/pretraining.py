"""Pretraining end to end (views, network, loss, LARS) against lightly, and against its convolutions alone."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from common import machine
from simclr.precision import fast_bfloat16
from tests.bench.contenders import PEER, Contender, interleaved, ratio
from tests.bench.findings import Finding

PRECISIONS = ("float32", "bfloat16")
ALL = machine.cores()


@dataclass(frozen=True)
class Way:
    """One way to run lightly on this machine; `ours`: with what ours has, our memory setting and channels_last."""

    processes: int
    workers: int
    threads: int
    ours: bool

    def __str__(self) -> str:
        ours = ", our memory setting and memory format" if self.ours else ""
        return f"processes {self.processes}, loader workers {self.workers}, threads {self.threads}{ours}"


# As its examples are written: one process, with as many loader workers and threads as are the fastest.
WRITTEN = tuple(Way(1, workers, threads, False) for workers in (0, ALL) for threads in {1, ALL})
# As only somebody who has read our code would run it.
TUNED = (Way(ALL, 0, 1, True), Way(1, ALL, 1, True))
RESNET_8 = {"network": "resnet8", "size": 16, "batch": 256}
RESNET_18 = {"network": "resnet18", "size": 32, "batch": 64}
SCARCE = "its convolutions alone would allow {times:.2g} times as much here"


def reduced(rounds: int, seconds: float) -> list[Finding]:
    """The recipe of scale reduced: ResNet-8, 16 px, batch 256."""
    least = {"bfloat16": 6.0 if fast_bfloat16() else None, "float32": 3.5}
    return _against("reduced", "recipe `reduced`", RESNET_8, least, {}, rounds, seconds)


def resnet_18(rounds: int, seconds: float) -> list[Finding]:
    """ResNet-18 with the CIFAR stem at 32 px, batch 64 in either."""
    least = {"bfloat16": 2.5 if fast_bfloat16() else None, "float32": 1.5}
    ours = {"Pretraining_batch_size": 64}
    return _against("cifar10", "ResNet-18, CIFAR stem, 32 px", RESNET_18, least, ours, rounds, seconds)


def _against(
    scale: str, name: str, peer: dict, least: Mapping, ours: dict, rounds: int, seconds: float
) -> list[Finding]:
    kinds = {"written": WRITTEN, "tuned": TUNED}
    ways = {
        (kind, precision): best_way(peer, precision, some, seconds)
        for kind, some in kinds.items()
        for precision in PRECISIONS
    }
    contenders = {
        f"ours {precision}": Contender(
            "tests.bench.training:ours",
            {"scale": scale, "precision": precision, "seconds": seconds, **ours},
            ALL,
        )
        for precision in PRECISIONS
    } | {
        f"{kind} {precision}": _peer(peer, precision, way, seconds) for (kind, precision), way in ways.items()
    }
    rates = interleaved(contenders, rounds)
    found = []
    for precision in PRECISIONS:
        of_limit = limit(scale, precision, seconds / 2, ours)
        share = statistics.median(rates[f"ours {precision}"]) / of_limit["pairs_per_second"]
        because = SCARCE.format(times=1 / share)
        title = f"pretraining, {name}, {precision}, against lightly end to end"
        value, measured = _beside(rates, ways, "written", precision)
        found.append(Finding(title, value, "x", least[precision], measured=measured, because=because))
        value, measured = _beside(rates, ways, "tuned", precision)
        found.append(Finding(f"{title}, tuned as ours is", value, "x", measured=measured, because=because))
        alone = {f"convolutions alone, {unit}": value for unit, value in of_limit.items()}
        title = f"{name}, {precision}: of what its convolutions alone would allow here"
        found.append(Finding(title, 100 * share, "%", measured=alone))
    return found


def _beside(
    rates: Mapping[str, list[float]], ways: Mapping[tuple[str, str], Way], kind: str, precision: str
) -> tuple[float, dict[str, Any]]:
    """Our rate over that of one kind of lightly, and what it was made from."""
    # In bfloat16 ours has to beat the faster of its two precisions: its users take that one.
    rivals = PRECISIONS if precision == "bfloat16" else (precision,)
    rival = max(rivals, key=lambda each: statistics.median(rates[f"{kind} {each}"]))
    own, theirs = rates[f"ours {precision}"], rates[f"{kind} {rival}"]
    return ratio(own, theirs), {
        "our pairs/s": statistics.median(own),
        "lightly's pairs/s": statistics.median(theirs),
        "lightly's best way": f"{rival}, {ways[kind, rival]}",
        "rounds, ours": own,
        "rounds, lightly": theirs,
    }


def best_way(peer: dict, precision: str, ways: Sequence[Way], seconds: float) -> Way:
    """The way in which lightly is fastest, by one round each."""
    rates = {}
    for way in ways:
        with _peer(peer, precision, way, seconds / 2) as contender:
            rates[way] = sum(contender.rounds())
    return max(rates, key=rates.__getitem__)


def _peer(peer: dict, precision: str, way: Way, seconds: float) -> Contender:
    given = {
        **peer,
        "precision": precision,
        "workers": way.workers,
        "threads": way.threads,
        "channels_last": way.ours,
        "seconds": seconds,
    }
    return Contender("tests.bench.peers:lightly", given, way.processes, way.threads, way.ours, PEER)


def limit(scale: str, precision: str, seconds: float, ours: dict[str, Any]) -> dict[str, float]:
    """pairs_per_second and gflops of the convolutions alone, on all cores at once."""
    arguments = {"scale": scale, "precision": precision, "seconds": seconds, **ours}
    with ExitStack() as stack:
        contender = stack.enter_context(Contender("tests.bench.training:convolutions", arguments, ALL))
        found = contender.rounds()
    return {unit: sum(each[unit] for each in found) for unit in ("pairs_per_second", "gflops")}
