"""Fine-tuning a whole pretrained network: on few labels (Appendix B.5), and on another data set (Appendix B.8.2).

The authors never published this part of their code. Where the text is silent, FIDELITY.md says what is done here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import gin
from torch import Tensor, nn

from simclr.batch_norm import BatchNorm
from simclr.batches import whole_batches
from simclr.classification import Classification, Schedule, schedule_in_epochs
from simclr.declared import AtLeast
from simclr.optimizer import MakesOptimizer
from simclr.views import Begin, ImageCollection, Images, Update, ViewPolicy, rows_of
from simclr.views.feed import begun


class Rows:
    """Some of the images of a collection that is read by index. The others are not read."""

    def __init__(self, images: ImageCollection, index: Tensor) -> None:
        self.images, self.index = images, index
        self.device = getattr(images, "device", index.device)

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, rows: Tensor) -> Images:
        return self.images[self.index[rows]]

    def split(self, size: int) -> Iterator[Images]:
        """Consecutive parts of `size` images; the last one has the rest."""
        return (self.images[part] for part in self.index.split(size) if len(part))

    def ahead(self, updates: Iterator[Update], begin: Begin) -> Iterator[Tensor]:
        """As `ReadsAhead`: the images of an update are those of the collection, their addresses stay those here."""
        updates = (update._replace(rows=self.index[update.rows]) for update in updates)
        return begun(self.images, updates, begin)


def take(images: ImageCollection, index: Tensor) -> ImageCollection:
    """The images of these numbers, int64 (n,): at once from a tensor, as they are asked for from a collection."""
    return rows_of(images, index) if isinstance(images, Tensor) else Rows(images, index)


@gin.configurable(denylist=["views", "optimizer", "precision"])
def fine_tuning(
    encoder: nn.Module,
    images: ImageCollection,
    labels: Tensor,
    classes: int,
    seed: int,
    batch_size: Annotated[int, AtLeast(1)] = gin.REQUIRED,
    epochs: Annotated[int, AtLeast(1)] = gin.REQUIRED,
    base_lr: Annotated[float, AtLeast(0)] = gin.REQUIRED,
    *,
    views: ViewPolicy | None = None,
    optimizer: MakesOptimizer | None = None,
    precision: str = "float32",
) -> Classification:
    """Appendix B.5: all weights learn from the labelled images; no warm-up, crop and flip only, no weight decay.

    The rate starts at base_lr x batch / 256 (0.05 in the paper, at batch size 4096) and falls as a cosine; the head
    starts at zero on h. If there are fewer images than batch_size, all of them are one batch, with the rate of this
    smaller batch. At small scales 1 % of the labels is less than a batch. views, optimizer and precision: see
    Classification.
    """
    batch_size = min(batch_size, len(images))
    schedule = schedule_in_epochs(len(images), batch_size=batch_size, epochs=epochs, base_lr=base_lr)
    given = {"views": views, "optimizer": optimizer, "precision": precision}
    return Classification(encoder, images, labels, classes, seed, schedule=schedule, frozen=False, **given)


@gin.configurable(denylist=["views", "optimizer", "precision"])
def transfer_training(
    encoder: nn.Module,
    images: ImageCollection,
    labels: Tensor,
    classes: int,
    seed: int,
    lr: Annotated[float, AtLeast(0)],
    weight_decay: Annotated[float, AtLeast(0)],
    steps: Annotated[int, AtLeast(1)] = gin.REQUIRED,
    batch_size: Annotated[int, AtLeast(1)] = gin.REQUIRED,
    *,
    views: ViewPolicy | None = None,
    optimizer: MakesOptimizer | None = None,
    precision: str = "float32",
) -> Classification:
    """Appendix B.8.2: all weights learn for `steps` updates on another data set, at one point of the grid.

    The rate starts at `lr`, whatever the batch size, and falls as a cosine to 0 at `steps`, without warm-up (as in
    Kornblith et al., 2019, whom the paper follows). The weight decay of the grid is divided by the learning rate, so
    that the product of both stays what the grid says: the optimizer's l2 coefficient is weight_decay / lr, and its
    first update shrinks a weight w without gradient by weight_decay x w (by 1.9 times that with Nesterov's momentum
    0.9), for every lr. The quotient is fixed: as the rate falls, so does the decay. The encoder's batch norms get the
    decay of running statistics that `batch_norm_momentum` gives. views, optimizer and precision: see Classification.

    Raises ValueError if lr is not positive, there are no steps, or the images do not fill a batch.
    """
    if lr <= 0 or weight_decay < 0:
        raise ValueError(f"expected lr > 0 and weight_decay >= 0, found {lr} and {weight_decay}")
    if steps < 1:
        raise ValueError(f"steps must be at least 1, found {steps}")
    epoch = whole_batches(len(images), batch_size)
    set_batch_norm_momentum(encoder, batch_norm_momentum(epoch))
    return Classification(
        encoder,
        images,
        labels,
        classes,
        seed,
        schedule=Schedule(batch_size, epoch, total_steps=steps, peak=lr, warmup=0, horizon=steps),
        frozen=False,
        weight_decay=weight_decay / lr,
        views=views,
        optimizer=optimizer,
        precision=precision,
    )


def batch_norm_momentum(steps_per_epoch: int) -> float:
    """max(1 - 10 / s, 0.9) for s updates an epoch: running statistics that forget within a tenth of a long epoch."""
    return max(1 - 10 / steps_per_epoch, 0.9)


def set_batch_norm_momentum(encoder: nn.Module, momentum: float) -> None:
    """Give every batch norm this decay of its running statistics (the weight of the old value)."""
    for module in encoder.modules():
        if isinstance(module, BatchNorm):
            module.momentum = momentum
