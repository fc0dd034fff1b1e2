"""One training of all weights on another data set (Appendix B.8.2): at a point of a search, and at the chosen one."""

from __future__ import annotations

from common.errors import UserError
from simclr.classification import Classification
from simclr.finetuning import transfer_training
from simclr.metrics import METRICS
from stages.data import datasets
from stages.running.job import Job
from stages.steps.loop import TELL_STEPS


def transferred(job: Job, split: str, classes: int, **point: float) -> Classification:
    """The network after its last step on a split, from the upstream encoder or the checkpoint.

    point: lr and weight_decay of `transfer_training`, where no binding gives them.
    """
    training = transfer_training(
        job.upstream_encoder(),
        *job.data(split),
        classes,
        job.run.seed,
        precision=job.execution.precision,
        **point,
    )
    if saved := job.restore():
        training.load(saved)
    while training.step_number < training.total_steps:
        training.step()
        done, steps, batch = training.step_number, training.total_steps, training.batch_size
        if done % TELL_STEPS == 0 or done == steps:
            job.tell(done * batch, steps * batch)
        # Not after the last step: a resumed run then makes one, and gin's record of what was used is whole.
        if done < steps:
            job.checkpoint(training.state)
    return training


def metric_and_classes(job: Job) -> tuple[str, int]:
    """The metric of the data set, and how many classes it has. UserError for a metric that nobody computes."""
    manifest = job.manifest()
    if manifest["metric"] not in METRICS:
        raise UserError(
            "a metric that nobody computes",
            expected=", ".join(METRICS),
            found=manifest["metric"],
            where=f"data set {job.run.dataset}",
        )
    return manifest["metric"], datasets.class_count(manifest)
