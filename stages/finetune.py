"""Stage finetune: what a pretrained network learns from few labels (Appendix B.5; Tables 7, B.2, B.4, Figure B.5)."""

from __future__ import annotations

from typing import Annotated

import gin
import numpy as np
import torch

from common.errors import UserError
from simclr.declared import Above, AtLeast, Between
from simclr.finetuning import fine_tuning, take
from stages.data import splits
from stages.planning.work import Bindings, Splits, Work
from stages.running.job import Job
from stages.steps.classifying import train_and_test

SLACK = 0.01  # by how much of its size a list may differ from its fraction: lists are rounded class by class


@gin.configurable
def label_subset(
    labels: np.ndarray,
    names: list[str] | None,
    fraction: Annotated[float, Above(0), Between(0, 1)] = gin.REQUIRED,
    file: str = "",
    seed: Annotated[int, AtLeast(0)] = 0,
) -> np.ndarray:
    """Indices (ascending) of the images whose labels are used: a class-balanced `fraction` in (0, 1] of them.

    The subset belongs to the data set and not to the run: its own `seed` draws it, so that runs of all seeds, and
    baselines, see the same labels, as the paper has one subset. With `file`, an official list of file names, the list
    decides. UserError for one that is not of this `fraction`: a list bound for all of them would make every cell one.
    """
    if not file:
        return splits.label_subset(labels, fraction, seed)
    if names is None:
        raise UserError(
            "a list of file names cannot choose among images that have none",
            expected="a data set of image files",
            found="one of arrays",
            where=file,
            remedy="leave label_subset.file empty and bind label_subset.fraction",
        )
    chosen, expected = splits.read_subset_file(file, names, labels), fraction * len(labels)
    if abs(len(chosen) - expected) > max(1, SLACK * expected):
        raise UserError(
            "a list of labelled images is not of the fraction that it is bound beside",
            expected=f"about {expected:,.0f} names, {fraction:g} of {len(labels):,} images",
            found=f"{len(chosen):,} names",
            where=file,
            remedy="bind each label_subset.fraction its own label_subset.file (params/label_subsets/README.md)",
        )
    return chosen


def cost(bound: Bindings, images: Splits) -> Work:
    """The chosen images pass forwards and backwards, test images once."""
    chosen = images.train_and_validation * bound["label_subset.fraction"]
    return Work(
        trained=chosen * bound["fine_tuning.epochs"],
        frozen=images.test,
        size=bound["ViewPolicy.size"],
        batch=min(bound["fine_tuning.batch_size"], chosen),
        keeps=1,
        fits={
            "label_subset.fraction": (images.classes, chosen, "labels to choose, one of each class at least")
        },
    )


def work(job: Job) -> None:
    """Train all weights on the chosen labels, and measure on the test split once; subset.csv says which they were.

    Its `index` counts the images of train and validation together as this run reads them, from 0.
    """
    images, labels = job.data("train+validation")
    known = labels.cpu().numpy()
    index = label_subset(known, getattr(images, "names", None))  # only photographs have names
    if job.leads:
        splits.write_subset(job.folder / "subset.csv", index, known)
    chosen = torch.from_numpy(index)
    used = labels[chosen.to(labels.device)]
    classes = int(labels.max()) + 1  # of all labels: a small subset may miss the last class
    encoder, precision = job.upstream_encoder(), job.execution.precision
    training = fine_tuning(encoder, take(images, chosen), used, classes, job.run.seed, precision=precision)
    metrics = train_and_test(job, training, "test")
    job.save_weights(encoder=training.encoder, head=training.head)
    job.finish({**metrics, "images": len(chosen)})
