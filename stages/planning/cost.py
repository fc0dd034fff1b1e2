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

from common import files
from stages.planning.fingerprint import declaration_of
from stages.planning.plans import Run

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
    trained, frozen = _images(run)
    size = run.bindings["frozen_features.size" if run.stage == "logistic" else "ViewPolicy.size"]
    return Cost(trained + frozen, (TRAINED * trained + FROZEN * frozen) * _flops_per_image(opening, size))


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


def _images(run: Run) -> tuple[float, float]:
    """Images that pass forwards and backwards (views of pretraining count twice), and those that pass forwards only."""
    bound, (n, validation, test) = run.bindings, _sizes(run)
    if run.stage == "pretrain":
        return 2 * n * bound["Pretraining.epochs"], test if bound.get("Pretraining.online_classifier") else 0
    if run.stage == "supervised":
        return n * bound["supervised.epochs"], test
    if run.stage == "finetune":
        return n * bound["label_subset.fraction"] * bound["fine_tuning.epochs"], test
    if run.stage == "transfer":
        settings = len(bound["transfer_grid.learning_rates"]) * len(bound["transfer_grid.weight_decays"])
        updates = (settings + 1) * bound["transfer_training.steps"]
        return updates * bound["transfer_training.batch_size"], settings * validation + test
    if run.stage == "linear_eval":
        seen, unseen = (
            (n - validation, validation) if bound.get("evaluate.split") == "validation" else (n, test)
        )
        return 0, seen * bound["linear_evaluation.epochs"] + seen + 2 * unseen  # once more for the neighbours
    if run.stage == "tsne":
        return 0, bound["chosen_images.classes"] * bound["chosen_images.images_per_class"]
    return 0, n + test


def _sizes(run: Run) -> tuple[int, int, int]:
    """How many images train and validation have together (as limited), validation (about), and test."""
    declared, limit = declaration_of(run.dataset), run.bindings.get("dataset.limit", 0)
    train, test = (declared["splits"][split]["size"] for split in ("train", "test"))
    held = declared["validation"]
    validation = held["official"] if "official" in held else round(held["fraction"] * train)
    return min(train, limit or train), validation, test


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
