"""Stage linear_eval: how well a linear classifier reads the frozen representation (Appendix B.6)."""

import gin

from simclr.classification import linear_evaluation
from stages.harness.classifying import train_and_test
from stages.harness.errors import UserError
from stages.harness.job import Job


@gin.configurable
def evaluate(split: str = "test") -> str:
    """Where accuracy is measured: "test" (trained on train and validation), or "validation" (trained on the rest)."""
    if split not in ("test", "validation"):
        raise UserError("evaluate.split is none of the two", expected="test | validation", found=split)
    return split


def work(job: Job) -> None:
    """Train the classifier on the upstream encoder's features and measure it once."""
    split = evaluate()
    images, labels = job.data("train+validation" if split == "test" else "train")
    classes = int(labels.max()) + 1
    training = linear_evaluation(job.upstream_encoder(), images, labels, classes, job.run.seed)
    metrics = train_and_test(job, training, split)
    job.save_weights(head=training.head)
    job.finish(metrics)
