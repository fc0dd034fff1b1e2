"""Stochastic gradient descent with momentum, for linear evaluation, fine-tuning and supervised training."""

import math
from collections.abc import Iterable, Sequence
from typing import Annotated

import gin
import torch
from torch import nn

from simclr.declared import AtLeast, Between
from simclr.optimizer import MomentumOptimizer, matches_any


@gin.configurable
class Sgd(MomentumOptimizer):
    """Momentum SGD over (name, parameter) pairs, by default Nesterov's (Appendices B.5, B.6, B.8).

    exclude_from_weight_decay: regular expressions, searched in parameter names.
    """

    def __init__(
        self,
        named_parameters: Iterable[tuple[str, nn.Parameter]],
        momentum: Annotated[float, Between(0, 1)] = 0.9,
        nesterov: bool = True,
        weight_decay: Annotated[float, AtLeast(0)] = 0.0,
        exclude_from_weight_decay: Sequence[str] = (),
    ):
        super().__init__(named_parameters, momentum, nesterov)
        self.weight_decay = weight_decay
        excluded = [name for name in self._parameters if matches_any(name, exclude_from_weight_decay)]
        decayed = [name for name in self._parameters if name not in excluded]
        self.param_groups = [self._group(decayed, weight_decay), self._group(excluded, 0.0)]

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """v = m v + g; w -= lr v, or with Nesterov w -= lr (m v + g). The rate stays outside the buffer."""
        for group in self.param_groups:
            weights, gradients, velocity = self._lists(group)
            if weights:
                # torch refuses a factor that the weights' type cannot hold, as of a training that is to diverge.
                lr = lr if lr <= torch.finfo(weights[0].dtype).max else math.inf
                torch._foreach_sub_(weights, self._accumulate(velocity, gradients), alpha=lr)
