"""Stage transfer: fine-tuning on another data set, at settings that its validation split chooses (Appendix B.8.2)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import gin

from common.errors import UserError
from simclr.declared import Above, AtLeast
from simclr.divergence import Diverged
from simclr.metrics import accuracy, predicted, score
from stages.planning.work import Bindings, Splits, Work
from stages.running.finished import Finished
from stages.running.job import Job
from stages.steps.transferring import metric_and_classes, transferred

# What it chooses among (stages/planning/searches.py): each pair of the grid is a run of its own.
SEARCH = (
    "transfer_search",
    {
        "transfer_training.lr": "transfer_grid.learning_rates",
        "transfer_training.weight_decay": "transfer_grid.weight_decays",
    },
)


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


def cost(bound: Bindings, images: Splits) -> Work:
    """The training at the chosen point, and the test split once; the grid's trainings are runs of their own."""
    batch = bound["transfer_training.batch_size"]
    return Work(
        trained=bound["transfer_training.steps"] * batch,
        frozen=images.test,
        size=bound["ViewPolicy.size"],
        batch=batch,
        keeps=1,
        fits={"transfer_training.batch_size": (batch, images.train_and_validation, "images to train on")},
    )


def work(job: Job) -> None:
    """Choose on validation, train once more on train and validation, and measure on the test split once."""
    grid, (metric, classes) = transfer_grid(), metric_and_classes(job)
    scores = [_score(run) for run in job.search()]
    chosen = choose(grid, scores)
    rows = [f"{p.lr!r},{p.weight_decay!r},{s!r}" for p, s in zip(grid, scores, strict=True)]
    job.write_text("grid.csv", "\n".join(["lr,weight_decay,validation", *rows]) + "\n")
    training = transferred(job, "train+validation", classes, lr=chosen.lr, weight_decay=chosen.weight_decay)
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
            "validation": max(scores),
        }
    )


def _score(run: Finished) -> float:
    # A rate that is too large is one that validation does not choose.
    return -math.inf if "diverged" in run.account else run.metrics["validation"]


def choose(grid: Sequence[Point], scores: Sequence[float]) -> Point:
    """The point of the highest score; of equal ones the first. Raises Diverged if every training of the grid has."""
    best = max(scores)
    if best == -math.inf:
        raise Diverged(0, None, "every training of the grid")
    return grid[scores.index(best)]
