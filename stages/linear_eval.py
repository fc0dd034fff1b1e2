"""Stage linear_eval: how well a linear classifier reads the frozen representation (Appendix B.6).

A weighted kNN classifier runs beside it on the same frozen features; it is not in the paper.
"""

from typing import Annotated

import gin
from torch import Tensor

from common.errors import UserError
from simclr.classification import linear_evaluation, top_k
from simclr.declared import OneOf
from simclr.distributed import rank, world_size
from simclr.evaluation import evaluated, evaluated_parts, shares_of
from simclr.knn import knn_scores
from stages.planning.work import Bindings, Splits, Work
from stages.running.job import Job
from stages.steps.classifying import train_and_test
from stages.steps.representing import representation


@gin.configurable
def evaluate(split: Annotated[str, OneOf("test", "validation")] = "test") -> str:
    """Where accuracy is measured: "test" (trained on train and validation), or "validation" (trained on the rest)."""
    if split not in ("test", "validation"):
        raise UserError("evaluate.split is none of the two", expected="test | validation", found=split)
    return split


def cost(bound: Bindings, images: Splits) -> Work:
    """Images to train on forwards in each epoch and once for the neighbours, images to measure on once for either."""
    on_test = bound.get("evaluate.split", "test") == "test"
    seen, unseen = (
        (images.train_and_validation, images.test) if on_test else (images.train, images.validation)
    )
    batch = bound["linear_evaluation.batch_size"]
    return Work(
        frozen=seen * bound["linear_evaluation.epochs"] + seen + 2 * unseen,
        size=bound["ViewPolicy.size"],
        frozen_batch=batch,
        fits={"linear_evaluation.batch_size": (batch, seen, "images to train on")},
        divides={"execution.processes": (bound.get("execution.processes", 1), batch)},
    )


def work(job: Job) -> None:
    """Train the classifier on the upstream network's features and measure it once."""
    split = evaluate()
    images, labels = job.data("train+validation" if split == "test" else "train")
    network, classes = representation(job), int(labels.max()) + 1
    precision = job.execution.precision
    training = linear_evaluation(network, images, labels, classes, job.run.seed, precision=precision)

    def nearest(unseen: Tensor, truth: Tensor) -> dict[str, float]:
        size = training.policy.size
        queries = evaluated(network, unseen, size, precision=precision)
        own = shares_of(len(images))[rank()]
        bank = evaluated_parts(
            network, images, size, precision=precision, index=own if world_size() > 1 else None
        )
        scores = knn_scores(bank, labels, queries, classes, first=int(own[0]) if world_size() > 1 else None)
        return {"knn_top1": float(top_k(scores, truth, 1))}

    metrics = train_and_test(job, training, split, beside=nearest)
    job.save_weights(head=training.head)
    job.finish(metrics)
