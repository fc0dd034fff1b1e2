"""One split of a prepared data set, as the bindings of a run choose it, on the device that trains."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import gin
import torch
from torch import Tensor

from simclr.declared import AtLeast
from stages.data import datasets
from stages.data.file_lists import FileList
from stages.data.photographs import Photographs

KEEP_GB = 4.0


@gin.configurable(denylist=["workers", "keep_gb"])
def dataset(
    folder: Path,
    split: str,
    device: torch.device,
    name: str = gin.REQUIRED,
    limit: Annotated[int, AtLeast(0)] = 0,
    workers: int | None = None,
    keep_gb: float = KEEP_GB,
) -> tuple[Tensor | Photographs, Tensor]:
    """One split of a prepared data set on the device: images uint8 (n, 3, H, W) and labels int64 (n,) or (n, classes).

    Photographs stay on disk: images is then a `Photographs` of len() n, whose images[index] are decoded when asked for,
    by `workers` processes ahead of a training, and kept if all of them need at most `keep_gb`. Neither of the two
    changes a byte. `limit` > 0 keeps about that many training images, class-balanced and chosen by address. Grey images
    are repeated to three channels.
    """
    images, labels = datasets.load(folder / name, split, limit=limit)
    if isinstance(images, FileList):
        photographs = Photographs(images, device, workers, keep_bytes=int(keep_gb * 1e9))
        return photographs, torch.from_numpy(labels).to(device)
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
    if pixels.shape[1] == 1:
        pixels = pixels.expand(-1, 3, -1, -1)
    return pixels.contiguous().to(device), torch.from_numpy(labels).to(device)
