"""Stage spectrum: the eigenvalues of a linear projection head (Appendix B.4, Figure B.3)."""

import math

import numpy as np
import torch

from common.errors import UserError
from stages.planning.work import Bindings, Splits, Work
from stages.running.job import Job

WEIGHT = "0.dense.weight"
TOP_SHARE = 0.05


def squared_eigenvalues(weight: torch.Tensor) -> np.ndarray:
    """Squares of the real parts of the eigenvalues of W (d, d), descending: float64 (d,).

    W is not symmetric, so eigenvalues come in complex pairs too; the paper speaks of real eigenvalues only.
    """
    values = torch.linalg.eigvals(weight.double().cpu()).real.square()
    return values.sort(descending=True).values.numpy()


def summary(squared: np.ndarray) -> dict[str, float]:
    """effective_rank (Roy and Vetterli, 2007: the exponential of the entropy of the shares), top5_share (percent)."""
    shares = squared / squared.sum()
    entropy = -float((shares[shares > 0] * np.log(shares[shares > 0])).sum())
    largest = max(1, round(TOP_SHARE * len(shares)))
    return {
        "effective_rank": math.exp(entropy),
        "top5_share": 100 * float(shares[:largest].sum()),
        "dimension": float(len(shares)),
    }


def cost(bound: Bindings, images: Splits) -> Work:
    """The eigenvalues of one matrix; no image is read."""
    return Work()


def work(job: Job) -> None:
    """Decompose W of the upstream run's linear head, z = W h."""
    tensors = job.upstream_tensors("head")
    layers = sorted(name for name in tensors if name.endswith("dense.weight"))
    shape = tuple(tensors[layers[0]].shape) if layers else ()
    if layers != [WEIGHT] or shape[0] != shape[1]:
        raise UserError(
            "the head has no spectrum",
            expected="projection_head.kind 'linear' with out_dim equal to the width of h",
            found=f"{len(layers)} layers, the first of shape {shape}",
            where=f"params/exhibits/{job.run.exhibit}.yaml",
        )
    squared = squared_eigenvalues(tensors[WEIGHT])
    job.save_arrays({"squared_eigenvalues": squared})
    job.finish(summary(squared))
