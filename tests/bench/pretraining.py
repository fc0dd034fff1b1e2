"""Pretraining end to end (views, network, loss, LARS) against lightly, and against its convolutions alone."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from common import machine
from simclr.precision import fast_bfloat16
from tests.bench.contenders import PEER, Contender, interleaved, ratio
from tests.bench.findings import Finding

PRECISIONS = ("float32", "bfloat16")
ALL = machine.cores()
Way = tuple[int, int, int, bool]
# (processes, loader workers, threads, keeps its memory): what its users may try here, and our memory setting,
# of which they do not know. Its best is what counts.
WAYS: dict[str, tuple[Way, ...]] = {
    # its views are the most work
    "resnet8": (
        (ALL, 0, 1, False),
        (ALL, 0, 1, True),
        (1, ALL - 1, 1, True),
        (1, ALL, 1, True),
        (1, ALL, ALL, True),
    ),
    # the network is
    "resnet18": ((ALL, 0, 1, False), (ALL, 0, 1, True), (1, 1, ALL, True)),
}
RESNET_8 = {"network": "resnet8", "size": 16, "batch": 256}
RESNET_18 = {"network": "resnet18", "size": 32, "batch": 64}
SCARCE = (
    "of a step of this width the convolutions are {share:.0%}; the rest is bound by memory, not by arithmetic"
)


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
    ways = {precision: best_way(peer, precision, seconds) for precision in PRECISIONS}
    contenders = {}
    for precision in PRECISIONS:
        arguments = {"scale": scale, "precision": precision, "seconds": seconds, **ours}
        contenders[f"ours {precision}"] = Contender("tests.bench.training:ours", arguments, ALL)
        contenders[f"lightly {precision}"] = _peer(peer, precision, ways[precision], seconds)
    rates = interleaved(contenders, rounds)
    limits = {precision: limit(scale, precision, seconds / 2, ours) for precision in PRECISIONS}
    # Its users take the faster of both, whatever they write it in.
    best = [max(pair) for pair in zip(*(rates[f"lightly {each}"] for each in PRECISIONS), strict=True)]
    found = []
    for precision in PRECISIONS:
        own, theirs = rates[f"ours {precision}"], rates[f"lightly {precision}"]
        measured = {
            "our pairs/s": statistics.median(own),
            "lightly's pairs/s": statistics.median(theirs),
            "lightly's best way (processes, workers, threads, keeps memory)": list(ways[precision]),
            "rounds, ours": own,
            "rounds, lightly": theirs,
        }
        against = best if precision == "bfloat16" else theirs
        what = f"pretraining, {name}, {precision}, against lightly end to end"
        share = statistics.median(own) / limits[precision]["pairs_per_second"]
        because = SCARCE.format(share=share)
        found.append(
            Finding(what, ratio(own, against), "x", least[precision], measured=measured, because=because)
        )
        alone = {f"convolutions alone, {unit}": value for unit, value in limits[precision].items()}
        what = f"{name}, {precision}: of what its convolutions alone would allow here"
        found.append(Finding(what, 100 * share, "%", measured=alone))
    return found


def best_way(peer: dict, precision: str, seconds: float) -> Way:
    """The one of WAYS in which lightly is fastest, by one round each."""
    rates = {}
    for way in dict.fromkeys(WAYS[peer["network"]]):
        with _peer(peer, precision, way, seconds / 2) as contender:
            rates[way] = sum(contender.rounds())
    return max(rates, key=rates.__getitem__)


def _peer(peer: dict, precision: str, way: Way, seconds: float) -> Contender:
    processes, workers, threads, keeps = way
    given = {**peer, "precision": precision, "workers": workers, "threads": threads, "seconds": seconds}
    return Contender("tests.bench.peers:lightly", given, processes, threads, keeps, PEER)


def limit(scale: str, precision: str, seconds: float, ours: dict[str, Any]) -> dict[str, float]:
    """pairs_per_second and gflops of the convolutions alone, on all cores at once."""
    arguments = {"scale": scale, "precision": precision, "seconds": seconds, **ours}
    with ExitStack() as stack:
        contender = stack.enter_context(Contender("tests.bench.training:convolutions", arguments, ALL))
        found = contender.rounds()
    return {unit: sum(each[unit] for each in found) for unit in ("pairs_per_second", "gflops")}
