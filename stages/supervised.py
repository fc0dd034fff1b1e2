"""Stage supervised: the baseline that sees labels, with the same encoder and augmentation (Tables 1, B.3, Figure 7)."""

from simclr.classification import supervised
from simclr.encoder import millions
from stages.planning.work import Bindings, Splits, Work
from stages.running.job import Job
from stages.steps.classifying import train_and_test


def cost(bound: Bindings, images: Splits) -> Work:
    """Every image forwards and backwards in each epoch; test images once."""
    seen, batch = images.train_and_validation, bound["supervised.batch_size"]
    return Work(
        trained=seen * bound["supervised.epochs"],
        frozen=images.test,
        size=bound["ViewPolicy.size"],
        batch=batch,
        keeps=1,
        fits={"supervised.batch_size": (batch, seen, "images to train on")},
        divides={"BatchNorm.groups": (2 * bound.get("BatchNorm.groups", 1), batch)},
    )


def work(job: Job) -> None:
    """Train from scratch with labels and measure on the test split once."""
    images, labels = job.data("train+validation")
    classes, precision = int(labels.max()) + 1, job.execution.precision
    training = supervised(images, labels, classes, job.run.seed, precision=precision)
    metrics = train_and_test(job, training, "test")
    job.save_weights(encoder=training.encoder, head=training.head)
    job.finish({**metrics, "params": millions(training.encoder)})
