"""NT-Xent in blocks beside the plain form with its matrices: memory and time; and alone at N = 32K, within 8 GB."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

import torch

from common import machine
from simclr.losses.nt_xent import nt_xent_blockwise, nt_xent_whole
from tests.bench.findings import Finding

MANY, DIM = 32_768, 128
# Sums of 2N terms in another order differ by their last bits.
PAIRS_OF_EQUALITY = 512


def row(rounds: int, seconds: float) -> list[Finding]:
    """N = 4096 and d = 128, forwards and backwards, each form in processes of its own (tests.bench.kernels)."""
    both = [
        measured("--loss-only", "--n", "4096", "--rounds", "3")["nt_xent_blockwise"] for _ in range(rounds)
    ]
    memory = statistics.median(each["peak_mb_ratio"] for each in both)
    time = statistics.median(each["seconds_ratio"] for each in both)
    forms = {
        f"{form}, {unit}": statistics.median(each[form][unit] for each in both)
        for form in ("form", "plain")
        for unit in ("seconds", "peak_mb")
    }
    name = "NT-Xent forwards and backwards, N = 4096, d = 128"
    return [
        Finding(f"{name}: peak memory of the plain form's", 100 * memory, "%", at_most=60, measured=forms),
        Finding(f"{name}: time of the plain form's", 100 * time, "%", at_most=100, measured=forms),
        Finding("NT-Xent in blocks, loss and gradient, float64: distance", distance(), "", at_most=1e-10),
    ]


def large(rounds: int, seconds: float) -> list[Finding]:
    """N = 32K once, on all cores: a minute, for a row of the long ones."""
    alone = measured("--alone", "--n", str(MANY), "--rounds", "1", "--threads", str(machine.cores()))
    found = alone["nt_xent_blockwise"]
    what = "NT-Xent in blocks at N = 32K, forwards and backwards: peak memory"
    return [Finding(what, found["peak_mb"] / 1e3, "GB", None, 8, found)]


def measured(*words: str) -> dict:
    """What tests.bench.kernels prints."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.kernels", *words], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def distance() -> float:
    """The largest difference of loss and gradients between the forms, in float64, over the gradients' largest entry."""
    generator, found = torch.manual_seed(0), []
    inputs = torch.randn(2, PAIRS_OF_EQUALITY, DIM, dtype=torch.float64, generator=generator)
    for form in (nt_xent_whole, nt_xent_blockwise):
        za, zb = (each.clone().requires_grad_() for each in inputs)
        loss = form(za, zb, 0.1)
        loss.backward()
        found.append((loss.detach(), torch.stack([za.grad, zb.grad])))
    (plain, slopes), (loss, others) = found
    by_loss, by_slopes = abs(loss - plain) / plain, (others - slopes).abs().max() / slopes.abs().max()
    return float(max(by_loss, by_slopes))
