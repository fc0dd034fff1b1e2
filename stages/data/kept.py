"""Photographs that fit into memory: they are decoded once, and their pixels are kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from common.machine import cores
from simclr.views import Ragged
from stages.data import decoding
from stages.data.file_lists import FileList

SHARED = Path("/dev/shm")  # where pixels lie that several processes see, on Linux
Made = TypeVar("Made")


@dataclass(frozen=True)
class Kept:
    """All photographs of a list, decoded: their uint8 pixels (h, w, 3) one after another, and where each begins."""

    pixels: Tensor  # (bytes,)
    sides: tuple[tuple[int, int], ...]
    bounds: tuple[tuple[int, int], ...]

    def __getitem__(self, places: Sequence[int]) -> Ragged:
        return Ragged(self._place(place).permute(2, 0, 1) for place in places)

    def _place(self, place: int) -> Tensor:
        first, last = self.bounds[place]
        return self.pixels[first:last].view(*self.sides[place], 3)


def keep(files: FileList, budget: int) -> Kept | None:
    """Every photograph of a list, or None if they need more than `budget` bytes, or half of the shared memory.

    UserError, naming the file, as from `decoding.photograph`.
    """
    room = min(budget, shutil.disk_usage(SHARED).free // 2) if SHARED.is_dir() else budget
    if (
        sum(entry.size for entry in files.entries) > room
    ):  # files of photographs are smaller than their pixels
        return None
    sides = by_threads(lambda place: decoding.sides(files, place), range(len(files)))
    bounds = tuple(pairwise(accumulate((3 * high * wide for high, wide in sides), initial=0)))
    if bounds and bounds[-1][1] > room:
        return None
    kept = Kept(torch.empty(bounds[-1][1] if bounds else 0, dtype=torch.uint8), tuple(sides), bounds)

    def fill(place: int) -> None:
        kept._place(place).copy_(decoding.photograph(files, place).permute(1, 2, 0))

    by_threads(fill, range(len(files)))
    return kept


def by_threads(function: Callable[[int], Made], places: Sequence[int]) -> list[Made]:
    """function(place) of every place, in order; decoders work without Python's lock."""
    with ThreadPoolExecutor(cores()) as pool:
        return list(pool.map(function, places))
