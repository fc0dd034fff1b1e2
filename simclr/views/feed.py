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

Order = Callable[[int], tuple[int, Tensor]]


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
        order: Order,
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
            begin = partial(self.policy.begin, seed=self.seed, views=self.views)
            self._stream = _stream(self.images, self.order, range(step, self.total_steps), begin)
        epoch, index, begun = next(self._stream)
        self._next = step + 1
        begun = begun.to(self.device, non_blocking=True)
        return index, self.policy.finish(begun, index, epoch, self.seed, self.views)


def _stream(
    images: ImageCollection, order: Order, steps: range, begin: Begin
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """(epoch, index, begun views) of every step. It holds no feed, so that its processes end with the feed."""
    waiting: deque[Update] = deque()

    def updates() -> Iterator[Update]:
        for step in steps:
            epoch, index = order(step)
            waiting.append(Update(epoch, index, rows=index))
            yield waiting[-1]

    for begun in _begun(images, updates(), begin):
        update = waiting.popleft()
        yield update.epoch, update.index, begun


def _begun(images: ImageCollection, updates: Iterator[Update], begin: Begin) -> Iterator[Tensor]:
    if isinstance(images, ReadsAhead):
        return images.ahead(updates, begin)
    return (begin(rows_of(images, update.rows), update.index, update.epoch) for update in updates)
