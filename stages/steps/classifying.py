"""What the stages that train a classifier share: the loop with its checkpoint, and one reading of the test split."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from simclr.classification import Classification, top_k
from stages.running.job import Job
from stages.steps.loop import run_to_end

Beside = Callable[[Tensor, Tensor], dict[str, float]]  # images, labels of the split -> further metrics


def train_and_test(
    job: Job, training: Classification, split: str, beside: Beside = lambda images, labels: {}
) -> dict[str, float]:
    """Train to the end, then read `split` once: top1, top2 and top5 in percent, and further metrics."""
    run_to_end(job, training, training.batch_size)
    images, labels = job.data(split)
    logits = training.logits(images)
    accuracies = {f"top{k}": float(top_k(logits, labels, min(k, logits.shape[1]))) for k in (1, 2, 5)}
    return accuracies | beside(images, labels)
