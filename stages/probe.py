"""Stage probe: what h and g(h) tell about the transformation that was applied (Table 3)."""

from typing import Annotated

import gin
import torch
from torch import Tensor

from common.errors import UserError
from simclr.declared import OneOf
from simclr.metrics import accuracy
from simclr.probing import DRAWS, probe_training, transformed_features
from stages.planning.work import Bindings, Splits, Work
from stages.running.job import Job
from stages.steps.loop import run_to_end
from stages.steps.representing import representation

TRAIN_VIEW, TEST_VIEW = 0, 1  # draws of the two splits are independent


@gin.configurable
def probing(operator: Annotated[str, OneOf(*DRAWS)] = gin.REQUIRED) -> str:
    """What is predicted: a name in simclr.probing.DRAWS, which the view policy must draw."""
    return operator


def cost(bound: Bindings, images: Splits) -> Work:
    """Every image forwards, once; the probe learns from vectors."""
    batch, seen = bound["probe_training.batch_size"], images.train_and_validation
    fits = {"probe_training.batch_size": (batch, seen, "images to train on")}
    return Work(
        frozen=seen + images.test,
        size=bound["ViewPolicy.size"],
        frozen_batch=500,
        vectors=2 * seen,
        fits=fits,
        divides={"execution.processes": (bound.get("execution.processes", 1), batch)},
    )


def work(job: Job) -> None:
    """Train an MLP on frozen vectors of augmented training images; its accuracy on augmented test images."""
    operator, network = probing(), representation(job)
    features, targets = _vectors(job, network, operator, "train+validation", TRAIN_VIEW)
    unseen, truth = _vectors(job, network, operator, "test", TEST_VIEW)
    training = probe_training(features, targets, job.run.seed)
    run_to_end(job, training, training.batch_size)
    job.finish({"accuracy": float(accuracy(training.predict(unseen), truth))})


def _vectors(
    job: Job, network: torch.nn.Module, operator: str, split: str, view: int
) -> tuple[Tensor, Tensor]:
    images, _ = job.data(split)
    try:
        return transformed_features(
            network, images, operator, job.run.seed, view, precision=job.execution.precision
        )
    except ValueError as error:
        raise UserError("the probe has nothing to predict", found=str(error)) from error
