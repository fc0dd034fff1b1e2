"""Photographs as a training indexes them: decoded when they are asked for, by threads, each at its own size."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from simclr.views import Ragged
from stages.data.file_lists import FileList

DECODERS = 32  # threads at most; Pillow decodes without Python's lock


class Photographs:
    """The images of a split: len(), images[index] for an int64 tensor (n,) or a slice, and split(n).

    What they give is Ragged, uint8 (3, h, w) each, on `device`, in the order of the index. UserError, naming the file,
    if a photograph is gone, changed or cannot be decoded.
    """

    def __init__(self, files: FileList, device: torch.device | str = "cpu") -> None:
        self.files, self.device = files, torch.device(device)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: Tensor | slice) -> Ragged:
        places = range(len(self))[index] if isinstance(index, slice) else index.tolist()
        with ThreadPoolExecutor(min(DECODERS, os.cpu_count() or 1)) as pool:
            return Ragged(pool.map(self._decode, places))

    def split(self, size: int) -> Iterator[Ragged]:
        """Consecutive parts of `size` photographs; each is decoded when its turn comes."""
        return (self[start : start + size] for start in range(0, len(self), size))

    @property
    def names(self) -> list[str]:
        """The file name of every photograph."""
        return self.files.names

    def _decode(self, place: int) -> Tensor:
        return torch.from_numpy(self.files.pixels(place)).to(self.device)
