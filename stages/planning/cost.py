"""What a run would cost: images through the network and floating-point operations, from the work that its stage states.

Operations are those of the convolutions, and a backward pass counts as two forward passes. Other layers, heads, losses
and augmentations are left out: for the paper's networks they are less than a hundredth.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stages.planning.fingerprint import declaration_of
from stages.planning.network import Network, network_of
from stages.planning.runs import Run
from stages.planning.work import Splits, Work, work_of

TRAINED, FROZEN = 3, 1  # forward passes that one image costs, with and without its backward pass


@dataclass(frozen=True)
class Cost:
    """Images through an encoder (views count) and floating-point operations."""

    images: float = 0.0
    flops: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.images + other.images, self.flops + other.flops)


def cost_of(run: Run) -> Cost:
    """An estimate of one run; zero for a stage that passes no image through a network."""
    work, network = work_in(run), network_in(run)
    if network is None:
        return Cost()
    return Cost(work.trained + work.frozen, (TRAINED * work.trained + FROZEN * work.frozen) * network.flops)


def total(runs: Iterable[Run]) -> Cost:
    """The cost of these runs together; equal settings are one run and count once."""
    return sum((cost_of(run) for run in {run.fingerprint: run for run in runs}.values()), Cost())


def work_in(run: Run) -> Work:
    """The work of a run, as the function `cost` of its stage states it."""
    return work_of(run.stage, run.bindings, splits_of(run))


def network_in(run: Run) -> Network | None:
    """The network that the run's images pass through; None if it has none, or reads no image."""
    bound, size = (run.upstream or run).bindings, work_in(run).size
    return network_of(bound, size) if size and "resnet.depth" in bound else None


def splits_of(run: Run) -> Splits:
    """The sizes of the splits that the run reads; all zero for a run without a data set."""
    if run.dataset is None:
        return Splits(0, 0, 0, 0, 0)
    declared, limit = declaration_of(run.dataset), run.bindings.get("dataset.limit", 0)
    whole, test = (declared["splits"][split]["size"] for split in ("train", "test"))
    rule, classes = declared["validation"], declared["classes"]
    held = rule["official"] if "official" in rule else round(rule["fraction"] * whole)
    return Splits(
        min(whole, limit or whole),
        min(whole - held, limit or whole),
        held,
        test,
        classes if isinstance(classes, int) else len(classes),
    )
