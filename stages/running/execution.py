"""How a run computes, declared: which device, how many threads, which precision."""

from __future__ import annotations

import os
from dataclasses import dataclass

import gin
import torch


@gin.configurable
@dataclass(frozen=True)
class execution:
    """Where and how exactly a run computes.

    `threads` is part of what decides the bytes (sums are split over threads), so it is declared and not counted.
    `device` "auto" is CUDA where there is one. `checkpoint_minutes` only says what a kill may cost; `processes`, over
    `nodes` machines, only how many do the run together: neither is part of its fingerprint.
    """

    device: str = "auto"
    threads: int = 1
    precision: str = "float32"
    checkpoint_minutes: float = 5.0
    processes: int = 1
    nodes: int = 1

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
