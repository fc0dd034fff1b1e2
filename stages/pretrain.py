"""Stage pretrain: contrastive pretraining (Section 2, Algorithm 1)."""

from simclr.encoder import millions
from simclr.training import Pretraining
from stages.harness.job import Job
from stages.harness.loop import run_to_end


def work(job: Job) -> None:
    """Train encoder and head; the metrics are means over the last epoch's batches (the paper's train summary)."""
    images, labels = job.data("train+validation")
    training = Pretraining(
        images, job.run.seed, labels=labels, device=job.device, precision=job.execution.precision
    )
    metrics = run_to_end(job, training, training.pairs_per_step)
    job.save_weights(encoder=training.encoder, head=training.head)
    kept = {name: metrics[name] for name in metrics if name not in ("epoch", "lr")}
    job.finish({**kept, "params": millions(training.encoder)})
