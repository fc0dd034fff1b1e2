"""Stage gradients: the formulae of Table 2 against automatic differentiation, in float64."""

from collections.abc import Callable
from typing import Annotated

import gin
import torch
import torch.nn.functional as F
from torch import Tensor

from simclr.declared import AtLeast, ModuleIn
from simclr.losses import part_of
from simclr.randomness import normal
from stages.planning.work import Bindings, Splits, Work
from stages.running.job import Job


@gin.configurable
def gradient_check(
    seed: int,
    loss: Annotated[str, ModuleIn("simclr.losses")] = gin.REQUIRED,
    parameters: Annotated[tuple[float, ...], AtLeast(0)] = gin.REQUIRED,
    cases: Annotated[int, AtLeast(1)] = 64,
    dimension: Annotated[int, AtLeast(1)] = 16,
    negatives: Annotated[int, AtLeast(1)] = 12,
) -> dict[str, float]:
    """The largest absolute difference over `cases` anchors for each of `parameters` (temperatures, or margins).

    With two negatives or more also the least and the largest coupling, by which NT-Xent differs from the other losses.
    """
    objective, gradient = part_of(loss, "objective_"), part_of(loss, "gradient_")
    errors, couplings = [], []
    for case in range(cases):
        u, positive, *others = _unit_rows(seed, case, 2 + negatives, dimension)
        for parameter in parameters:
            leaf = u.clone().requires_grad_()
            objective(leaf, positive, torch.stack(others), parameter).backward()
            errors.append((leaf.grad - gradient(u, positive, torch.stack(others), parameter)).abs().max())
            couplings.append(coupling(objective, u, positive, torch.stack(others), parameter))
    metrics = {"max_error": float(torch.stack(errors).max()), "cases": float(len(errors))}
    if negatives > 1:
        metrics |= {"least_coupling": min(couplings), "largest_coupling": max(couplings)}
    return metrics


def coupling(
    objective: Callable[..., Tensor], u: Tensor, positive: Tensor, negatives: Tensor, parameter: float
) -> float:
    """By how much the weight of the last negative changes when the first becomes as hard as the positive (Section 5.1).

    The weight of v- is minus the derivative of the objective by u.v-. Zero if a loss weighs each negative by itself.
    """

    def weight(others: Tensor) -> Tensor:
        leaf = others.clone().requires_grad_()
        (slope,) = torch.autograd.grad(objective(u, positive, leaf, parameter), leaf)
        return -slope[-1] @ u

    harder = torch.cat([positive[None], negatives[1:]])
    return float((weight(harder) - weight(negatives)).abs())


def _unit_rows(seed: int, case: int, rows: int, dimension: int) -> Tensor:
    draws = normal(seed, "gradient_check", case, torch.arange(rows), 0, dimension)
    return F.normalize(draws.double(), dim=1)


def cost(bound: Bindings, images: Splits) -> Work:
    """Small vectors, and no network."""
    return Work()


def work(job: Job) -> None:
    """Check one loss."""
    job.finish(gradient_check(job.run.seed))
