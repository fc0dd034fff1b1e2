"""How a run computes, declared: which images, which device, how many threads, which precision."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import gin
import torch
from torch import Tensor

from stages.harness import datasets
from stages.harness.photographs import Photographs
from stages.harness.trees import FileList


@gin.configurable
@dataclass(frozen=True)
class execution:
    """Where and how exactly a run computes.

    `threads` is part of what decides the bytes (sums are split over threads), so it is declared and not counted.
    `device` "auto" is CUDA where there is one. `checkpoint_minutes` only says what a kill may cost.
    """

    device: str = "auto"
    threads: int = 1
    precision: str = "float32"
    checkpoint_minutes: float = 5.0

    def prepare(self) -> torch.device:
        """Set the threads and, on a GPU, the deterministic kernels; returns the device."""
        torch.set_num_threads(self.threads)
        name = self.device if self.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
        if name != "cpu":  # the call imports six seconds of compiler, and the CPU's kernels need no telling
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.use_deterministic_algorithms(True, warn_only=True)
        return torch.device(name)


@gin.configurable
def dataset(
    folder: Path, split: str, device: torch.device, name: str = gin.REQUIRED, limit: int = 0
) -> tuple[Tensor | Photographs, Tensor]:
    """One split of a prepared data set on the device: images uint8 (n, 3, H, W) and labels int64 (n,) or (n, classes).

    Photographs stay on disk: images is then a `Photographs` of len() n, whose images[index] are decoded when asked for.
    `limit` > 0 keeps about that many training images, class-balanced and chosen by address. Grey images are repeated to
    three channels.
    """
    images, labels = datasets.load(folder / name, split, limit=limit)
    if isinstance(images, FileList):
        return Photographs(images, device), torch.from_numpy(labels).to(device)
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
    if pixels.shape[1] == 1:
        pixels = pixels.expand(-1, 3, -1, -1)
    return pixels.contiguous().to(device), torch.from_numpy(labels).to(device)
