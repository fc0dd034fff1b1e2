"""Stage pretrain: contrastive pretraining (Section 2, Algorithm 1)."""

import torch

from simclr.classification import top_k
from simclr.encoder import millions
from simclr.evaluation import evaluated
from simclr.training import Pretraining
from stages.planning.work import Bindings, Splits, Work
from stages.running.job import Job
from stages.steps.loop import run_to_end


def cost(bound: Bindings, images: Splits) -> Work:
    """Two views of every image forwards and backwards in each epoch; test images once if a classifier learns beside."""
    seen, batch = images.train_and_validation, bound["Pretraining.batch_size"]
    return Work(
        trained=2 * seen * bound["Pretraining.epochs"],
        frozen=images.test if bound.get("Pretraining.online_classifier") else 0,
        size=bound["ViewPolicy.size"],
        batch=batch,
        views=2,
        keeps=1,
        fits={"Pretraining.batch_size": (batch, seen, "images to train on")},
        divides={"BatchNorm.groups": (bound.get("BatchNorm.groups", 1), batch)},
    )


def work(job: Job) -> None:
    """Train encoder and head; the metrics are means over the last epoch's batches (the paper's train summary).

    With an on-line classifier its accuracy on the test split is measured once, after the last update: online_top1.
    """
    images, labels = job.data("train+validation")
    training = Pretraining(
        images, job.run.seed, labels=labels, device=job.device, precision=job.execution.precision
    )
    last = run_to_end(job, training, training.pairs_per_step)
    metrics = {name: last[name] for name in last if name not in ("epoch", "lr")}
    if training.labels is not None:
        metrics["online_top1"] = _online_top1(job, training)
    job.save_weights(encoder=training.encoder, head=training.head)
    job.finish({**metrics, "params": millions(training.encoder)})


@torch.no_grad()
def _online_top1(job: Job, training: Pretraining) -> float:
    """Top-1 in percent of the classifier that learnt beside the encoder, under the test preprocessing."""
    images, labels = job.data("test")
    features = evaluated(training.encoder, images, training.views.size, precision=job.execution.precision)
    return float(top_k(training.networks.online_classifier(features), labels, 1))
