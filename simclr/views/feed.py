"""The images of every update of a training. Their views are begun ahead of it if the collection can do that."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial

from torch import Tensor

from simclr.views.images import Begin, Begun, ImageCollection, ReadsAhead, Update
from simclr.views.policy import ViewPolicy
from simclr.views.ragged import Images, rows_of

Order = Callable[[int, int], tuple[int, Tensor]]  # seed, step -> epoch, int64 (n,)


class ImageFeed:
    """feed.at(seed, step): which images an update sees, and what its view policy is to be called with.

    order says which images those of a step are, counted from 0; there are total_steps. views: the numbers of those that
    `policy` will make. Photographs are decoded and cropped by other processes while the training computes; the views
    are the same as if their policy were given the images, and the same wherever a training goes on.
    """

    def __init__(
        self,
        images: ImageCollection,
        policy: ViewPolicy,
        order: Order,
        total_steps: int,
        views: tuple[int, ...] = (0, 1),
    ) -> None:
        self.images, self.policy, self.order = images, policy, order
        self.total_steps, self.views = total_steps, views
        self._next, self._asked, self._begun = (-1, -1), deque[Update](), iter(())

    def at(self, seed: int, step: int) -> tuple[int, Tensor, Images | Begun]:
        """(epoch, index int64 (n,), images). What reads ahead is fastest step after step, but may be asked for any."""
        if not isinstance(self.images, ReadsAhead):
            epoch, index = self.order(seed, step)
            return epoch, index, rows_of(self.images, index)
        if (seed, step) != self._next:  # the first one, or the training was loaded
            begin, self._asked = partial(self.policy.begin, seed=seed, views=self.views), deque()
            steps = range(step, self.total_steps)
            self._begun = begun(self.images, _updates(partial(self.order, seed), steps, self._asked), begin)
        views = Begun(next(self._begun))
        self._next, (epoch, index, _) = (seed, step + 1), self._asked.popleft()
        return epoch, index, views


def _updates(
    order: Callable[[int], tuple[int, Tensor]], steps: range, asked: deque[Update]
) -> Iterator[Update]:
    """The update of each step, which is also put down in `asked`: drawing the order of an epoch once is enough."""
    for step in steps:
        epoch, index = order(step)
        asked.append(Update(epoch, index, rows=index))
        yield asked[-1]


def begun(images: ImageCollection, updates: Iterator[Update], begin: Begin) -> Iterator[Tensor]:
    """begin(images, index, epoch) of each update: ahead of their turns if the images can, else when they come."""
    if isinstance(images, ReadsAhead):
        return images.ahead(updates, begin)
    return (begin(rows_of(images, update.rows), update.index, update.epoch) for update in updates)
