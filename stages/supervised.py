"""Stage supervised: the baseline that sees labels, with the same encoder and augmentation (Tables 1, B.3, Figure 7)."""

from simclr.classification import supervised
from simclr.encoder import millions
from stages.running.job import Job
from stages.steps.classifying import train_and_test


def work(job: Job) -> None:
    """Train from scratch with labels and measure on the test split once."""
    images, labels = job.data("train+validation")
    training = supervised(images, labels, int(labels.max()) + 1, job.run.seed)
    metrics = train_and_test(job, training, "test")
    job.save_weights(encoder=training.encoder, head=training.head)
    job.finish({**metrics, "params": millions(training.encoder)})
