"""Learning rate: linear warm-up, then half a cosine down to zero (Section 2.2, Appendix B.1)."""

import math
from typing import Annotated

import gin

from simclr.declared import AtLeast, OneOf


@gin.configurable
def learning_rate(
    step: int,
    *,
    base_lr: Annotated[float, AtLeast(0)] = gin.REQUIRED,
    batch_size: int,
    n_examples: int,
    epochs: int,
    warmup_epochs: Annotated[float, AtLeast(0)] = gin.REQUIRED,
    scaling: Annotated[str, OneOf("linear", "sqrt")] = "linear",
) -> float:
    """The rate of update number `step`, counted from 0; update 0 of a warm-up has rate 0 (official code).

    base_lr is multiplied by batch_size / 256 ("linear": 0.3 by default in the paper) or by sqrt(batch_size)
    ("sqrt": 0.075, Appendix B.1; both give 4.8 at batch size 4096). Raises ValueError for another scaling, or
    when the warm-up is longer than the training.
    """
    if warmup_epochs > epochs:
        raise ValueError(
            f"warm-up must fit into the training: warmup_epochs {warmup_epochs} > epochs {epochs}"
        )
    peak = peak_learning_rate(base_lr, batch_size, scaling)
    warmup = warmup_steps(n_examples, warmup_epochs, batch_size)
    return warmup_cosine(step, peak, warmup, total_steps(n_examples, epochs, batch_size))


def peak_learning_rate(base_lr: float, batch_size: int, scaling: str = "linear") -> float:
    """The rate at the end of the warm-up. Raises ValueError for an unknown scaling."""
    if scaling == "linear":
        return base_lr * batch_size / 256
    if scaling == "sqrt":
        return base_lr * math.sqrt(batch_size)
    raise ValueError(f'learning rate scaling must be "linear" or "sqrt", found {scaling!r}')


def warmup_cosine(step: int, peak: float, warmup: int, total: int) -> float:
    """step / warmup of the peak while step < warmup, then half a cosine to 0 at step `total`, 0 beyond."""
    if step < warmup:
        return peak * step / warmup
    if step >= total:
        return 0.0
    return 0.5 * peak * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))


def total_steps(n_examples: int, epochs: int, batch_size: int) -> int:
    """Length of the schedule in updates: one more than fit into the epochs (official code)."""
    return n_examples * epochs // batch_size + 1


def warmup_steps(n_examples: int, warmup_epochs: float, batch_size: int) -> int:
    """Length of the warm-up in updates, rounded down."""
    return int(warmup_epochs * n_examples // batch_size)
