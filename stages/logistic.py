"""Stage logistic: transfer by a linear classifier on frozen features (Appendix B.8).

The penalty is chosen on the validation split. The classifier is then trained again on train and validation together,
and the test split is read once.
"""

from __future__ import annotations

from typing import Annotated

import gin
import numpy as np
import torch
from torch import Tensor

from common.errors import UserError
from simclr import logistic
from simclr.declared import Above, AtLeast, Between
from simclr.divergence import Diverged
from simclr.encoder import ResNet
from simclr.evaluation import evaluated
from simclr.metrics import METRICS, accuracy, predicted, score
from simclr.views import Images, shorter_side_view
from stages.data.datasets import class_count
from stages.planning.work import Bindings, Splits, Work
from stages.running.job import Job


@gin.configurable
def l2_path(
    lowest: Annotated[float, Above(0)] = gin.REQUIRED,
    highest: Annotated[float, Above(0)] = gin.REQUIRED,
    values: Annotated[int, AtLeast(1)] = gin.REQUIRED,
) -> list[float]:
    """`values` penalties, evenly spaced in the logarithm, strongest first (45 from 1e-6 to 1e5 in the paper).

    A penalty is the l2 of simclr.logistic: l2 / 2 * |W|^2 beside the sum, not the mean, of the examples' losses.
    """
    if not 0 < lowest <= highest or values < 1:
        raise UserError(
            "not a path of penalties",
            expected="0 < l2_path.lowest <= l2_path.highest, and l2_path.values of 1 or more",
            found=f"lowest {lowest}, highest {highest}, values {values}",
        )
    exponents = np.linspace(np.log10(highest), np.log10(lowest), values)
    return [float(f"{10.0**exponent:.12g}") for exponent in exponents]  # 1e-06, not 1.0000000000000002e-06


@gin.configurable(denylist=["precision"])
def frozen_features(
    encoder: ResNet,
    images: Images,
    size: Annotated[int, Between(1, 4096)] = gin.REQUIRED,
    batch_size: Annotated[int, AtLeast(1)] = 250,
    precision: str = "float32",
) -> Tensor:
    """h float32 (n, feature_dim) of images whose shorter side is resized to `size`, without augmentation."""
    return evaluated(encoder, images, size, shorter_side_view, batch_size, precision)


def cost(bound: Bindings, images: Splits) -> Work:
    """Every image forwards, once."""
    size, batch = bound["frozen_features.size"], bound.get("frozen_features.batch_size", 250)
    return Work(frozen=images.train_and_validation + images.test, size=size, frozen_batch=batch)


def work(job: Job) -> None:
    """Features of all splits, the path, the choice, the retraining, and one look at the test split."""
    manifest = job.manifest()
    metric, classes = manifest["metric"], class_count(manifest)
    encoder = job.upstream_encoder().to(job.device, memory_format=torch.channels_last)
    train, validation = (
        features_of(job, encoder, split, metric, classes) for split in ("train", "validation")
    )
    l2, best = choose(train, validation, classes, metric)
    both = [torch.cat(pair) for pair in zip(train, validation, strict=True)]
    del train, validation
    [classifier] = solutions(*both, classes, [l2])
    features, labels = features_of(job, encoder, "test", metric, classes)
    logits = classifier.logits(features)
    predictions = predicted(logits, labels)
    arrays = {"logistic_predictions": predictions, "logistic_labels": labels.to(predictions.dtype)}
    job.save_arrays({name: array.cpu().numpy() for name, array in arrays.items()})
    measured = {
        metric: score(metric, logits, labels, classes),
        "accuracy": float(accuracy(predictions, labels)),
    }
    job.finish({**measured, "chosen_l2": l2, "validation": best})


def features_of(job: Job, encoder: ResNet, split: str, metric: str, classes: int) -> tuple[Tensor, Tensor]:
    """h (n, d) and labels of one split. UserError for labels that cannot be learned or measured."""
    images, labels = job.data(split)
    check_labels(labels, split, metric, classes, job.run.dataset)
    return frozen_features(encoder, images, precision=job.execution.precision), labels


def check_labels(labels: Tensor, split: str, metric: str, classes: int, dataset: str) -> None:
    """UserError where a class has nothing to learn from, or nothing to be measured on."""
    if metric not in METRICS or (labels.dim() == 2) != (metric == "map11"):
        raise UserError(
            "the metric does not suit the labels",
            expected="top1 or mean_per_class for labels (n,), map11 for labels (n, classes)",
            found=f"metric {metric}, labels of shape {tuple(labels.shape)}",
            where=f"data set {dataset}",
        )
    several = labels.dim() == 2
    counts = (labels == 1).sum(dim=0) if several else torch.bincount(labels, minlength=classes)
    empty = (counts == 0).nonzero()[:, 0].tolist()
    full = (labels != 0).all(dim=0).nonzero()[:, 0].tolist() if several and split == "train" else []
    needed = split == "train" or metric != "top1"
    if needed and (empty or full):
        raise UserError(
            f"a class without {'an example' if empty else 'a counterexample'} in {split}",
            expected=f"examples of all {classes} classes" + (", and of their absence" if several else ""),
            found=f"none for label {', '.join(map(str, empty or full))}",
            where=f"data set {dataset}",
            remedy="check the split, or raise dataset.limit",
        )


def choose(
    train: tuple[Tensor, Tensor], validation: tuple[Tensor, Tensor], classes: int, metric: str
) -> tuple[float, float]:
    """(l2, score): the penalty whose classifier is best on validation; of equals the strongest."""
    chosen, best = 0.0, -1.0
    for classifier in solutions(*train, classes, l2_path()):
        here = score(metric, classifier.logits(validation[0]), validation[1], classes)
        if here > best:
            chosen, best = classifier.l2, here
    return chosen, best


def solutions(features: Tensor, labels: Tensor, classes: int, penalties: list[float]):
    """simclr.logistic.path. Raises Diverged for features that are no numbers, UserError where it does not converge."""
    if not bool(torch.isfinite(features).all()):
        raise Diverged(0, None, "a feature of the encoder")
    try:
        yield from logistic.path(features, labels, classes, penalties)
    except logistic.NotConverged as error:
        raise UserError(
            "a logistic regression does not converge",
            found=error,
            remedy="raise l2_path.lowest",
        ) from error
