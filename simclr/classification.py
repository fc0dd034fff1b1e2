"""Training a classifier on images with labels: linear evaluation of a frozen encoder, and supervised baselines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import gin
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simclr.batches import Batches, whole_batches
from simclr.declared import AtLeast
from simclr.distributed import average_gradients, mean_over_processes
from simclr.divergence import Watch
from simclr.encoder import resnet
from simclr.evaluation import BATCH, evaluated_parts
from simclr.labels import UNJUDGED
from simclr.metrics import accuracy, predicted
from simclr.optimizer import MakesOptimizer
from simclr.precision import DTYPES, encoded, require_precision
from simclr.schedule import peak_learning_rate, total_steps, warmup_cosine, warmup_steps
from simclr.sgd import Sgd
from simclr.views import ImageCollection, ImageFeed, ViewPolicy, as_images
from simclr.wrapped import feature_dim, not_averaged, wrapped


@dataclass(frozen=True)
class Schedule:
    """The number of updates, their batch size, and the rate of each: a linear warm-up, then half a cosine to zero."""

    batch_size: int
    steps_per_epoch: int
    total_steps: int
    peak: float
    warmup: int  # updates
    horizon: int  # updates after which the cosine is zero

    def rate(self, step: int) -> float:
        """The learning rate of update `step`, counted from 0."""
        return warmup_cosine(step, self.peak, self.warmup, self.horizon)


def schedule_in_epochs(
    n: int, *, batch_size: int, epochs: int, base_lr: float, warmup_epochs: float = 0
) -> Schedule:
    """Whole epochs over n images at the rates of the official code, with a peak of base_lr x batch_size / 256.

    Raises ValueError for a batch that the images cannot fill, and for less than one epoch.
    """
    steps_per_epoch = whole_batches(n, batch_size)
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1, found {epochs}")
    return Schedule(
        batch_size,
        steps_per_epoch,
        total_steps=epochs * steps_per_epoch,
        peak=peak_learning_rate(base_lr, batch_size),
        warmup=warmup_steps(n, warmup_epochs, batch_size),
        horizon=total_steps(n, epochs, batch_size),
    )


class Classification:
    """Cross-entropy on one view per image, with momentum SGD and a cosine schedule.

    images: uint8 (n, 3, H, W), a list of uint8 (3, h, w), or another simclr.views.ImageCollection; labels: int64 (n,),
    or (n, classes) of 0, 1 and UNJUDGED for several, on the device that trains. With `frozen` the encoder stays in
    evaluation mode and outside the graph: neither its weights nor its batch-norm statistics change. A batch that an
    epoch cannot fill is dropped, as in the official code. weight_decay: None leaves it to the optimizer.

    views: by default gin's ViewPolicy. optimizer: makes an optimizer of (name, parameter) pairs, by default gin's Sgd.
    precision: that of the encoder, see simclr.precision; classifier and loss are never in bfloat16. With several
    processes each makes its part of every batch, and all end as one process would, up to rounding.

    Updates raise simclr.divergence.Diverged within 50 of a loss or a weight that is not finite, `logits` at once.
    """

    def __init__(
        self,
        encoder: nn.Module,
        images: ImageCollection,
        labels: Tensor,
        classes: int,
        seed: int,
        *,
        schedule: Schedule,
        frozen: bool,
        weight_decay: float | None = None,
        views: ViewPolicy | None = None,
        optimizer: MakesOptimizer | None = None,
        precision: str = "float32",
    ) -> None:
        require_precision("Classification", precision)
        self.device, self.schedule, self.precision = labels.device, schedule, precision
        self.images, self.labels, self.seed = as_images(images), labels, seed
        dtype = DTYPES[precision]
        self.encoder = encoder.to(self.device, dtype, memory_format=torch.channels_last)
        self._encode = encoder if frozen else wrapped(encoder)
        self.head = nn.Linear(feature_dim(encoder), classes).to(self.device, dtype)
        nn.init.zeros_(self.head.weight)  # the official --zero_init_logits_layer: no draw, no seed
        nn.init.zeros_(self.head.bias)
        self.frozen, self.policy, self.step_number = frozen, views or ViewPolicy(), 0
        trained = {"head": self.head} if frozen else {"encoder": encoder, "head": self.head}
        parameters = [(f"{k}.{name}", p) for k, m in trained.items() for name, p in m.named_parameters()]
        decay = {} if weight_decay is None else {"weight_decay": weight_decay}
        self.optimizer = (optimizer or Sgd)(parameters, **decay)
        self.batch_size, self.total_steps = schedule.batch_size, schedule.total_steps
        self.steps_per_epoch = schedule.steps_per_epoch
        self._batches = Batches("classification/order", len(self.images), self.batch_size)
        self._feed = ImageFeed(self.images, self.policy, self._batches.at, self.total_steps, views=(0,))
        self._watch = Watch(self.encoder, self.head)

    def step(self) -> dict[str, Tensor]:
        """One update; returns its loss and its accuracy in percent (`top1`, or `accuracy`), on the training views."""
        if self.step_number >= self.total_steps:
            raise RuntimeError(f"all {self.total_steps} updates are done; bind more to go on")
        epoch, index, images = self._feed.at(self.seed, self.step_number)
        labels = self.labels[index.to(self.device)]
        self.encoder.train(not self.frozen)
        views = self.policy.one(images, index, epoch, self.seed).to(self.device)
        # Where nothing is kept for a backward pass there is no need to have all of a large batch in the encoder.
        parts = views.chunk(-(-len(views) // BATCH)) if self.frozen else [views]
        with torch.set_grad_enabled(not self.frozen):
            features = torch.cat([encoded(self._encode, part, self.precision) for part in parts])
        logits = self.head(features)
        loss = cross_entropy(logits, labels)
        self.optimizer.zero_grad()
        loss.backward()
        average_gradients(not_averaged(self._encode, self.head))
        self.optimizer.step(self.schedule.rate(self.step_number))
        self.step_number += 1
        own = {"loss": loss.detach(), **_accuracy(logits.detach(), labels)}
        metrics = {name: mean_over_processes(value) for name, value in own.items()}
        self._watch.see(metrics["loss"], self.step_number, last=self.step_number == self.total_steps)
        return metrics

    @torch.no_grad()
    def logits(self, images: ImageCollection) -> Tensor:
        """Scores (n, classes) of uint8 images under the test preprocessing, encoder in evaluation mode.

        images: as for training; those of different sizes are read and preprocessed a part at a time. Raises Diverged
        if a score is not finite.
        """
        parts = evaluated_parts(self.encoder, images, self.policy.size, precision=self.precision)
        return self._watch.require_finite(torch.cat([self.head(h) for h in parts]), self.step_number)

    def state(self) -> dict[str, Tensor]:
        """Everything an exact continuation needs, as copies."""
        parts = {"encoder": self.encoder.state_dict(), "head": self.head.state_dict()}
        parts["momentum"] = self.optimizer.state_dict()
        state = {
            f"{part}.{name}": t.clone() for part, tensors in parts.items() for name, t in tensors.items()
        }
        return {**state, **self._watch.state(), "step_number": torch.tensor(self.step_number)}

    def load(self, state: dict[str, Tensor]) -> None:
        """Continue where `state()` was taken."""
        of = {
            part: {
                name.removeprefix(f"{part}."): t for name, t in state.items() if name.startswith(f"{part}.")
            }
            for part in ("encoder", "head", "momentum")
        }
        self.encoder.load_state_dict(of["encoder"])
        self.head.load_state_dict(of["head"])
        self.optimizer.load_state_dict(of["momentum"])
        self._watch.load(state)
        self.step_number = int(state["step_number"])


@gin.configurable(denylist=["views", "optimizer", "precision"])
def linear_evaluation(
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
    """Appendix B.6: a linear classifier on the frozen h; Nesterov momentum, no warm-up, crop and flip only.

    The rate is base_lr x batch_size / 256 (0.1 in the paper, 90 epochs at batch size 4096). views, optimizer and
    precision: see Classification.
    """
    schedule = schedule_in_epochs(len(images), batch_size=batch_size, epochs=epochs, base_lr=base_lr)
    encoder.requires_grad_(False)
    given = {"views": views, "optimizer": optimizer, "precision": precision}
    return Classification(encoder, images, labels, classes, seed, schedule=schedule, frozen=True, **given)


@gin.configurable(denylist=["encoder", "views", "optimizer", "precision"])
def supervised(
    images: ImageCollection,
    labels: Tensor,
    classes: int,
    seed: int,
    batch_size: Annotated[int, AtLeast(1)] = gin.REQUIRED,
    epochs: Annotated[int, AtLeast(1)] = gin.REQUIRED,
    base_lr: Annotated[float, AtLeast(0)] = gin.REQUIRED,
    warmup_epochs: Annotated[float, AtLeast(0)] = gin.REQUIRED,
    *,
    encoder: nn.Module | None = None,
    views: ViewPolicy | None = None,
    optimizer: MakesOptimizer | None = None,
    precision: str = "float32",
) -> Classification:
    """The supervised baseline: the same encoder and augmentation, trained with labels from scratch (Table 1, B.3).

    encoder: gin's resnet by default, weights drawn by `seed`. views, optimizer and precision: see Classification.
    """
    schedule = schedule_in_epochs(
        len(images), batch_size=batch_size, epochs=epochs, base_lr=base_lr, warmup_epochs=warmup_epochs
    )
    encoder = resnet(seed=seed) if encoder is None else encoder
    given = {"views": views, "optimizer": optimizer, "precision": precision}
    return Classification(encoder, images, labels, classes, seed, schedule=schedule, frozen=False, **given)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over the images of softmax cross-entropy for labels (n,), or of the classes' sigmoid cross-entropies.

    The latter is for labels (n, classes) of 0 and 1, summed over the classes. Each class is then a logistic regression
    of its own, which no number of others dilutes. An UNJUDGED label costs nothing.
    """
    if labels.dim() == 1:
        return F.cross_entropy(logits, labels)
    judged = (labels != UNJUDGED).to(logits.dtype)
    targets = labels.to(logits.dtype) * judged
    return F.binary_cross_entropy_with_logits(logits, targets, judged, reduction="sum") / len(labels)


def _accuracy(logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
    if labels.dim() == 1:
        return {"top1": top_k(logits, labels, 1)}
    return {"accuracy": accuracy(predicted(logits, labels), labels)}


def top_k(logits: Tensor, labels: Tensor, k: int) -> Tensor:
    """Share of rows (n, classes) whose label (n,) is among the k highest scores, in percent (float64 scalar).

    Ties count as the index order of torch.topk has it; scores that are all equal say nothing.
    """
    best = logits.topk(k, dim=1).indices
    return (best == labels[:, None]).any(dim=1).double().mean() * 100
