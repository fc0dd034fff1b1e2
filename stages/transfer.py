"""Stage transfer: fine-tuning on another data set, at settings that its validation split chooses (Appendix B.8.2)."""

from __future__ import annotations

import copy
import itertools
import math
from functools import partial
from typing import Annotated, NamedTuple

import gin
import torch
from torch import Tensor

from common.errors import UserError
from simclr.classification import Classification
from simclr.declared import Above, AtLeast
from simclr.divergence import Diverged
from simclr.finetuning import transfer_training
from simclr.metrics import METRICS, accuracy, predicted, score
from stages.data import datasets
from stages.planning.work import Bindings, Splits, Work
from stages.running.job import Job
from stages.steps.loop import TELL_STEPS


class Point(NamedTuple):
    """One point of the grid."""

    lr: float
    weight_decay: float


@gin.configurable
def transfer_grid(
    learning_rates: Annotated[tuple[float, ...], Above(0)] = gin.REQUIRED,
    weight_decays: Annotated[tuple[float, ...], AtLeast(0)] = gin.REQUIRED,
) -> list[Point]:
    """Every pair of both lists, as `transfer_training` takes them. UserError for an empty list or a rate of zero."""
    grid = [Point(*pair) for pair in itertools.product(learning_rates, weight_decays)]
    if not grid or min(learning_rates) <= 0 or min(weight_decays) < 0:
        raise UserError(
            "not a grid of learning rates and weight decays",
            expected="at least one of each, rates above 0, decays not below",
            found=f"learning_rates {list(learning_rates)}, weight_decays {list(weight_decays)}",
            where="transfer_grid",
        )
    return grid


class Trainings:
    """The trainings of one run, one after the other: each point of the grid, then the chosen one on more images.

    `scores` are those of the finished ones. A checkpoint holds them and the training at work; the state of a
    restored one goes to the first training that is asked for, which is the one that was at work.
    """

    def __init__(self, job: Job, classes: int, count: int) -> None:
        self.job, self.classes, self.count = job, classes, count
        self.encoder = job.upstream_encoder()
        self._saved = job.restore() or {}
        self.scores: list[float] = self._saved.pop("scores", torch.empty(0)).tolist()

    def train(self, images: Tensor, labels: Tensor, point: Point) -> Classification:
        """The network of `point` after its last step, from the upstream encoder or the checkpoint."""
        training = transfer_training(
            copy.deepcopy(self.encoder),
            images,
            labels,
            self.classes,
            self.job.run.seed,
            lr=point.lr,
            weight_decay=point.weight_decay,
            precision=self.job.execution.precision,
        )
        if self._saved:
            training.load(self._saved)
            self._saved = {}
        while training.step_number < training.total_steps:
            training.step()
            self._tell(training)
            # Not after the last step: a resumed run then makes one, and gin's record of what was used is whole.
            if training.step_number < training.total_steps:
                self.job.checkpoint(partial(self._state, training))
        return training

    def _tell(self, training: Classification) -> None:
        step, steps = training.step_number, training.total_steps
        if step % TELL_STEPS == 0 or step == steps:
            done = len(self.scores) * steps + step
            self.job.tell(done * training.batch_size, self.count * steps * training.batch_size)

    def _state(self, training: Classification) -> dict[str, Tensor]:
        return {**training.state(), "scores": torch.tensor(self.scores, dtype=torch.float64)}


def cost(bound: Bindings, images: Splits) -> Work:
    """A training for each point of the grid and one more, each of so many steps; every point measured on validation."""
    points = len(bound["transfer_grid.learning_rates"]) * len(bound["transfer_grid.weight_decays"])
    batch = bound["transfer_training.batch_size"]
    return Work(
        trained=(points + 1) * bound["transfer_training.steps"] * batch,
        frozen=points * images.validation + images.test,
        size=bound["ViewPolicy.size"],
        batch=batch,
        keeps=1,
        fits={"transfer_training.batch_size": (batch, images.train, "images to train on")},
    )


def work(job: Job) -> None:
    """Choose on validation, train once more on train and validation, and measure on the test split once."""
    grid, metric, classes = transfer_grid(), *_about(job)
    trainings = Trainings(job, classes, len(grid) + 1)
    score_grid(job, trainings, grid, metric)
    chosen = choose(grid, trainings.scores)
    rows = [f"{p.lr!r},{p.weight_decay!r},{s!r}" for p, s in zip(grid, trainings.scores, strict=True)]
    job.write_text("grid.csv", "\n".join(["lr,weight_decay,validation", *rows]) + "\n")
    training = trainings.train(*job.data("train+validation"), chosen)
    images, labels = job.data("test")
    logits = training.logits(images)
    predictions = predicted(logits, labels)
    arrays = {"transfer_predictions": predictions, "transfer_labels": labels.to(predictions.dtype)}
    job.save_arrays({name: array.cpu().numpy() for name, array in arrays.items()})
    job.save_weights(encoder=training.encoder, head=training.head)
    job.finish(
        {
            metric: score(metric, logits, labels, classes),
            "accuracy": float(accuracy(predictions, labels)),
            "chosen_lr": chosen.lr,
            "chosen_weight_decay": chosen.weight_decay,
            "validation": max(trainings.scores),
        }
    )


def score_grid(job: Job, trainings: Trainings, grid: list[Point], metric: str) -> None:
    """Train every point that has no score yet on `train`, and score it on `validation`."""
    if len(trainings.scores) == len(grid):
        return
    (images, labels), held_out = job.data("train"), job.data("validation")
    for point in grid[len(trainings.scores) :]:
        try:
            logits = trainings.train(images, labels, point).logits(held_out[0])
            found = score(metric, logits, held_out[1], trainings.classes)
        except Diverged:
            # A rate that is too large is one that validation does not choose.
            found = -math.inf
        trainings.scores.append(found)


def choose(grid: list[Point], scores: list[float]) -> Point:
    """The point of the highest score; of equal ones the first. Raises Diverged if every training of the grid has."""
    best = max(scores)
    if best == -math.inf:
        raise Diverged(0, None, "every training of the grid")
    return grid[scores.index(best)]


def _about(job: Job) -> tuple[str, int]:
    """The metric of the data set and the number of its classes."""
    manifest = job.manifest()
    if manifest["metric"] not in METRICS:
        raise UserError(
            "a metric that nobody computes",
            expected=", ".join(METRICS),
            found=manifest["metric"],
            where=f"data set {job.run.dataset}",
        )
    return manifest["metric"], datasets.class_count(manifest)
