"""Stage initialize: an encoder that has learned nothing, for baselines that train from scratch (Tables 8, B.2, B.5)."""

from simclr.encoder import millions, resnet
from stages.planning.work import Bindings, Splits, Work
from stages.running.job import Job


def cost(bound: Bindings, images: Splits) -> Work:
    """Only weights are drawn; no image is read."""
    return Work(keeps=1)


def work(job: Job) -> None:
    """Save the initial weights of the run's seed: those that pretraining with this seed would start from."""
    encoder = resnet(seed=job.run.seed)
    job.save_weights(encoder=encoder)
    job.finish({"params": millions(encoder)})
