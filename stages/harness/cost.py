"""What a plan would cost: images through the network, floating-point operations, and hours where a rate was measured.

Operations are those of the convolutions; a backward pass counts as two forward passes. What stands between them, heads,
losses and augmentations are left out: for the paper's networks they are below a hundredth.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.harness import files
from stages.harness.fingerprint import declaration_of
from stages.harness.planning import Run

TRAINED, FROZEN = 3, 1  # forward passes that one image costs, with and without its backward pass


@dataclass(frozen=True)
class Cost:
    """Images through an encoder (views count) and floating-point operations."""

    images: float = 0.0
    flops: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.images + other.images, self.flops + other.flops)


def cost_of(run: Run) -> Cost:
    """An estimate of one run; nothing for the stages that only look at a finished one."""
    opening = run.upstream or run
    if "resnet.depth" not in opening.bindings or run.dataset is None:
        return Cost()
    passes = _frozen_passes(run) + TRAINED * (trained := _trained_images(run))
    images = _frozen_passes(run) + trained
    return Cost(images, passes * _flops_per_image(opening, run.bindings.get("ViewPolicy.size", 32)))


def total(runs: Iterable[Run]) -> Cost:
    """Of the distinct runs among these: equal settings are one run."""
    return sum((cost_of(run) for run in {run.fingerprint: run for run in runs}.values()), Cost())


def measured_rate(runs: Iterable[Run], results: Path) -> float | None:
    """Floating-point operations per second over those of `runs` that are finished under `results`; None without any."""
    flops = seconds = 0.0
    for run in runs:
        path = results / run.scale / "store" / run.stage / run.fingerprint / "record.json"
        if path.is_file() and (cost := cost_of(run)).flops:
            flops, seconds = flops + cost.flops, seconds + files.read_json(path)["seconds"]
    return flops / seconds if seconds else None


def _trained_images(run: Run) -> float:
    """Images that pass forwards and backwards: views of pretraining count twice."""
    bound, examples = run.bindings, _examples(run)
    if run.stage == "pretrain":
        return 2 * examples * bound["Pretraining.epochs"]
    if run.stage == "supervised":
        return examples * bound["supervised.epochs"]
    if run.stage == "finetune":
        return examples * bound["label_subset.fraction"] * bound["fine_tuning.epochs"]
    if run.stage == "transfer":
        settings = len(bound["transfer_grid.learning_rates"]) * len(bound["transfer_grid.weight_decays"])
        return (settings + 1) * bound["transfer_training.steps"] * bound["transfer_training.batch_size"]
    return 0.0


def _frozen_passes(run: Run) -> float:
    """Images that pass forwards only: the features of a classifier's epochs, or of one look at every image."""
    examples = _examples(run)
    epochs = run.bindings.get("linear_evaluation.epochs", 0) if run.stage == "linear_eval" else 0
    looks = {"pretrain": 0, "supervised": 0, "linear_eval": epochs + 1, "finetune": 0, "transfer": 0}
    return examples * looks.get(run.stage, 1)


def _examples(run: Run) -> int:
    size, limit = declaration_of(run.dataset)["splits"]["train"]["size"], run.bindings.get("dataset.limit", 0)
    return min(size, limit) if limit else size


def _flops_per_image(opening: Run, size: int) -> float:
    shape = {key: value for key, value in opening.bindings.items() if key.startswith("resnet.")}
    return _count(tuple(sorted((key.removeprefix("resnet."), value) for key, value in shape.items())), size)


@functools.cache
def _count(shape: tuple[tuple[str, Any], ...], size: int) -> float:
    """Multiplications and additions of the convolutions of `resnet(**shape)` for one image of `size` pixels."""
    from simclr.encoder import ARCHITECTURES

    bound = dict(shape)
    blocks, bottleneck, base = ARCHITECTURES[bound["depth"]]
    channels = (bound.get("base_channels") or base) * bound.get("width", 1)
    pooled = bound.get("stem", "imagenet") == "imagenet"
    side = _half(size) if pooled else size
    total = 2 * 3 * channels * (7 if pooled else 3) ** 2 * side**2
    side, incoming = _half(side) if pooled else side, channels
    for g, count in enumerate(blocks):
        width = channels * 2**g
        outgoing = 4 * width if bottleneck else width
        for b in range(count):
            before, side = side, _half(side) if g > 0 and b == 0 else side
            # (channels in, channels out, kernel, side of the output)
            layers = [(incoming, width, 3, side), (width, width, 3, side)]
            if bottleneck:
                layers = [(incoming, width, 1, before), (width, width, 3, side), (width, outgoing, 1, side)]
            if b == 0:
                layers.append((incoming, outgoing, 1, side))  # the shortcut
            total += sum(2 * i * o * kernel**2 * out**2 for i, o, kernel, out in layers)
            incoming = outgoing
    return float(total)


def _half(side: int) -> int:
    return (side + 1) // 2
