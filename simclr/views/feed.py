"""The views of every update of a training, begun ahead of it where the images can."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from simclr.views.images import Begin, ImageCollection, ReadsAhead, Update
from simclr.views.policy import ViewPolicy
from simclr.views.ragged import rows_of


class ViewFeed:
    """feed.at(step): which images an update sees, and their views, the same wherever a training starts or goes on.

    order(step) -> (epoch, int64 (n,)) says which images those of update `step` are, counted from 0; there are
    total_steps. views: numbers of the views that are made, by `policy`, with the draws of `seed`. Photographs are
    decoded and cropped by other processes meanwhile; all that follows is done on `device`.
    """

    def __init__(
        self,
        images: ImageCollection,
        policy: ViewPolicy,
        seed: int,
        order: Callable[[int], tuple[int, Tensor]],
        total_steps: int,
        device: torch.device | str,
        views: tuple[int, ...] = (0, 1),
    ) -> None:
        self.images, self.policy, self.seed, self.views = images, policy, seed, views
        self.order, self.total_steps, self.device = order, total_steps, torch.device(device)
        self._next, self._stream = -1, iter(())

    def at(self, step: int) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(index int64 (n,), views float32 (n, 3, size, size) each). Steps are cheap in order, and may be in any."""
        if step != self._next:  # the first one, or the training was loaded
            self._stream = self._from(step)
        epoch, index, begun = next(self._stream)
        self._next = step + 1
        begun = begun.to(self.device, non_blocking=True)
        return index, self.policy.finish(begun, index, epoch, self.seed, self.views)

    def _from(self, step: int) -> Iterator[tuple[int, Tensor, Tensor]]:
        """(epoch, index, begun views) of every update from `step` on."""
        waiting: deque[Update] = deque()

        def updates() -> Iterator[Update]:
            for number in range(step, self.total_steps):
                epoch, index = self.order(number)
                waiting.append(Update(epoch, index, rows=index))
                yield waiting[-1]

        begin = partial(self.policy.begin, seed=self.seed, views=self.views)
        for begun in _begun(self.images, updates(), begin):
            update = waiting.popleft()
            yield update.epoch, update.index, begun


def _begun(images: ImageCollection, updates: Iterator[Update], begin: Begin) -> Iterator[Tensor]:
    if isinstance(images, ReadsAhead):
        return images.ahead(updates, begin)
    return (begin(rows_of(images, update.rows), update.index, update.epoch) for update in updates)
