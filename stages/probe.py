"""Stage probe: what h and g(h) know of the transformation that was applied (Table 3)."""

import gin
import torch
from torch import Tensor

from common.errors import UserError
from simclr.metrics import accuracy
from simclr.probing import probe_training, transformed_features
from stages.running.job import Job
from stages.steps.loop import run_to_end
from stages.steps.representing import representation

TRAIN_VIEW, TEST_VIEW = 0, 1  # draws of the two splits are independent


@gin.configurable
def probing(operator: str = gin.REQUIRED) -> str:
    """What is predicted: a name of simclr.probing.DRAWS, which the view policy must draw."""
    return operator


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
        return transformed_features(network, images, operator, job.run.seed, view)
    except ValueError as error:
        raise UserError("the probe has nothing to predict", found=str(error)) from error
