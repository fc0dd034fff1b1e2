"""How a run computes, declared: which device, how many threads, which precision."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Annotated

import gin
import torch

from simclr.declared import AtLeast, Between, OneOf


@gin.configurable
@dataclass(frozen=True)
class execution:
    """Where and how exactly a run computes.

    `threads` is part of what decides the bytes (sums are split over threads), so it is declared and not counted.
    `device` "auto" is CUDA where there is one. What follows changes no number, and is no part of the fingerprint:
    `checkpoint_minutes` says what a kill may cost; `processes`, over `nodes` machines, how many do the run together;
    `workers` how many processes read photographs ahead of a training, 0 none, None as many as there are cores to spare;
    `keep_gb` up to which size a split of photographs is decoded once and kept.
    """

    device: Annotated[str, OneOf("auto", "cpu", "cuda")] = "auto"
    threads: Annotated[int, Between(1, 1024)] = 1
    precision: Annotated[str, OneOf("float32", "bfloat16", "float64")] = "float32"
    checkpoint_minutes: Annotated[float, AtLeast(0)] = 5.0
    processes: Annotated[int, AtLeast(1)] = 1
    nodes: Annotated[int, AtLeast(1)] = 1
    workers: Annotated[int | None, AtLeast(0)] = None
    keep_gb: Annotated[float, AtLeast(0)] = 4.0

    def prepare(self) -> torch.device:
        """Set the threads and, on a GPU, the deterministic kernels; returns the device."""
        torch.set_num_threads(self.threads)
        name = self.device if self.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
        # The call imports six seconds of compiler, and the CPU's kernels need no telling.
        if name != "cpu":
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.use_deterministic_algorithms(True, warn_only=True)
            # Or every new buffer is filled with NaN, a pass over memory that changes no result.
            torch.utils.deterministic.fill_uninitialized_memory = False
        # Of several processes each has a device of its own.
        return torch.device(name, torch.cuda.current_device()) if name == "cuda" else torch.device(name)
