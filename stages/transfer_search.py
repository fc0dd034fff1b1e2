"""Stage transfer_search: one point of the grid among which a run of stage transfer chooses (Appendix B.8.2)."""

from __future__ import annotations

from simclr.metrics import score
from stages.planning.work import Bindings, Splits, Work
from stages.running.job import Job
from stages.steps.transferring import metric_and_classes, transferred


def cost(bound: Bindings, images: Splits) -> Work:
    """The bound number of steps, and the validation split once; the network is not kept."""
    batch = bound["transfer_training.batch_size"]
    return Work(
        trained=bound["transfer_training.steps"] * batch,
        frozen=images.validation,
        size=bound["ViewPolicy.size"],
        batch=batch,
        fits={"transfer_training.batch_size": (batch, images.train, "images to train on")},
    )


def work(job: Job) -> None:
    """Train on `train` at the rate and the decay that are bound, and measure on `validation` once."""
    metric, classes = metric_and_classes(job)
    training = transferred(job, "train", classes)
    images, labels = job.data("validation")
    job.finish({"validation": score(metric, training.logits(images), labels, classes)})
