"""Which images each update of a training sees."""

import torch
from torch import Tensor

from simclr.distributed import rank, world_size
from simclr.randomness import permutation


class Batches:
    """Every epoch is a new order of n images, cut into whole batches; the rest is left out (official code).

    `purpose`, and the seed that `at` is given, address the orders. With several processes each gets its part of every
    batch, and the parts must be equally large. Raises ValueError for a batch that the images cannot fill or that the
    processes cannot share.
    """

    def __init__(self, purpose: str, n: int, batch_size: int) -> None:
        self.per_epoch = whole_batches(n, batch_size)
        if batch_size % world_size():
            raise ValueError(f"batch_size {batch_size} must be a multiple of the {world_size()} processes")
        self.purpose, self.n, self.batch_size = purpose, n, batch_size
        self._drawn, self._order = (-1, -1), torch.empty(0, dtype=torch.int64)

    def at(self, seed: int, step: int) -> tuple[int, Tensor]:
        """The epoch of update `step`, counted from 0, and the numbers of this process's images: int64 (n,)."""
        epoch, place = divmod(step, self.per_epoch)
        if self._drawn != (seed, epoch):
            # Kept for the epoch: drawing the order of a million images takes as long as several updates.
            self._drawn, self._order = (seed, epoch), permutation(seed, self.purpose, epoch, self.n)
        batch = self._order[place * self.batch_size :][: self.batch_size]
        return epoch, batch.chunk(world_size())[rank()]


def whole_batches(n: int, batch_size: int) -> int:
    """How many whole batches n images fill. Raises ValueError if they fill none."""
    if not 0 < batch_size <= n:
        raise ValueError(f"batch_size must be between 1 and the {n} images, found {batch_size}")
    return n // batch_size
