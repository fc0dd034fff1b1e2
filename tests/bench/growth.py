"""Cost against images, batch, width and cells: where it is in proportion, and where it is not.

Pretraining by the recipe of scale reduced in one process of one thread; cells by the plans of the scales.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time

from common import scales
from stages.planning.plans import all_plans
from tests.bench import training
from tests.bench.findings import Finding

IMAGES = (1_000, 10_000, 50_000)
BATCHES = (64, 128, 256, 512)
WIDTHS = (8, 16, 32, 64)


def row(rounds: int, seconds: float) -> list[Finding]:
    """One finding, whose measurements are the points of the plot: pairs/s at each setting, seconds of each plan."""
    some = seconds / 4
    images = {
        each: training.ours("reduced", "float32", some, images=each, Pretraining_batch_size=256)()
        for each in IMAGES
    }
    batches = {
        each: training.ours("reduced", "float32", some, Pretraining_batch_size=each)() for each in BATCHES
    }
    widths = {each: training.ours("reduced", "float32", some, resnet_base_channels=each)() for each in WIDTHS}
    cells = dict(sorted(planned(scale) for scale in scales.roots()))
    measured = {"images": images, "batch": batches, "width": widths, "cells": cells}
    flat = 100 * images[IMAGES[-1]] / statistics.median(images.values())
    what = "pairs/s with 50,000 images, of the median over 1,000 to 50,000"
    return [Finding(what, flat, "%", measured=measured)]


def planned(scale: str) -> tuple[int, float]:
    """Cells of all exhibits at a scale, and the seconds that it takes to resolve and write their plan."""
    cells = sum(len(plan.runs(stage)) for plan in all_plans(scale) for stage in plan.stages)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "stages", "plan", "--quiet", "--scale", scale, "--results", folder]
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        return cells, time.perf_counter() - start
