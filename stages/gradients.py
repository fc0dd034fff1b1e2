"""Stage gradients: the formulae of Table 2 against automatic differentiation, in float64."""

import gin
import torch
import torch.nn.functional as F
from torch import Tensor

from simclr import objectives
from simclr.randomness import normal
from stages.harness.job import Job


@gin.configurable
def gradient_check(
    seed: int,
    loss: str = gin.REQUIRED,
    parameters: tuple[float, ...] = gin.REQUIRED,
    cases: int = 64,
    dimension: int = 16,
    negatives: int = 12,
) -> dict[str, float]:
    """The largest absolute difference over `cases` anchors for each of `parameters` (temperatures, or margins)."""
    objective, gradient = getattr(objectives, f"objective_{loss}"), getattr(objectives, f"gradient_{loss}")
    errors = []
    for case in range(cases):
        u, positive, *others = _unit_rows(seed, case, 2 + negatives, dimension)
        for parameter in parameters:
            leaf = u.clone().requires_grad_()
            objective(leaf, positive, torch.stack(others), parameter).backward()
            errors.append((leaf.grad - gradient(u, positive, torch.stack(others), parameter)).abs().max())
    return {"max_error": float(torch.stack(errors).max()), "cases": float(len(errors))}


def _unit_rows(seed: int, case: int, rows: int, dimension: int) -> Tensor:
    draws = normal(seed, "gradient_check", case, torch.arange(rows), 0, dimension)
    return F.normalize(draws.double(), dim=1)


def work(job: Job) -> None:
    """Check one loss."""
    job.finish(gradient_check(job.run.seed))
