"""LARS (You, Gitman and Ginsburg, arXiv 1708.03888) with the details of the official SimCLR code.

Where implementations differ and this one follows the official code: weight decay joins the gradient before
the trust ratio is taken; the ratio has no epsilon and is 1 when either norm is 0; excluded parameters take
the full rate without a ratio; "classic" momentum keeps the rate inside the buffer, so weights keep moving
after the rate has fallen to 0.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated

import gin
import torch
from torch import Tensor, nn

from simclr.declared import Above, AtLeast, Between
from simclr.optimizer import MomentumOptimizer, matches_any


@gin.configurable
class Lars(MomentumOptimizer):
    """Layer-wise adaptive rate scaling over (name, parameter) pairs.

    weight_decay: 1e-6 in the paper (Section 2.2) and its first code; 1e-4 is SimCLRv2's.
    eta: trust coefficient. nesterov, classic_momentum: see `step`.
    exclude_from_weight_decay: regular expressions, searched in parameter names. exclude_from_adaptation: the
    same for the trust ratio; None or empty means the same exclusions as for weight decay.
    """

    def __init__(
        self,
        named_parameters: Iterable[tuple[str, nn.Parameter]],
        momentum: Annotated[float, Between(0, 1)] = 0.9,
        weight_decay: Annotated[float, AtLeast(0)] = gin.REQUIRED,
        eta: Annotated[float, Above(0)] = 0.001,
        nesterov: bool = False,
        classic_momentum: bool = True,
        exclude_from_weight_decay: Sequence[str] = ("batch_norm", "bias", "online_classifier"),
        exclude_from_adaptation: Sequence[str] | None = None,
    ):
        super().__init__(named_parameters, momentum, nesterov)
        self.weight_decay, self.eta, self.classic_momentum = weight_decay, eta, classic_momentum
        not_adapted = exclude_from_adaptation or exclude_from_weight_decay
        by_treatment: dict[tuple[float, bool], list[str]] = {}
        for name in self._parameters:
            decay = 0.0 if matches_any(name, exclude_from_weight_decay) else weight_decay
            by_treatment.setdefault((decay, not matches_any(name, not_adapted)), []).append(name)
        self.param_groups = [
            self._group(names, decay, adapt=adapt) for (decay, adapt), names in by_treatment.items()
        ]

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """One update with learning rate lr of every parameter that has a gradient g (weight decay included).

        classic:  v = m v + lr ratio g;  w -= v           and with Nesterov w -= m v + lr ratio g
        else:     v = m v + g;  w -= lr ratio v           and with Nesterov w -= lr ratio (m v + g)
        ratio = eta |w| / |g|, in the second form eta |w| / |v| (or the norm of Nesterov's look-ahead).
        """
        for group in self.param_groups:
            weights, gradients, velocity = self._lists(group)
            if not weights:
                continue
            if self.classic_momentum:
                update = self._accumulate(velocity, self._scaled(gradients, weights, lr, group["adapt"]))
            else:
                update = self._scaled(self._accumulate(velocity, gradients), weights, lr, group["adapt"])
            torch._foreach_sub_(weights, update)

    def _scaled(
        self, change: Sequence[Tensor], weights: list[Tensor], lr: float, adapt: bool
    ) -> Sequence[Tensor]:
        if not adapt:
            return torch._foreach_mul(change, lr)
        weight_norms = torch.stack(torch._foreach_norm(weights))
        change_norms = torch.stack(torch._foreach_norm(change))
        ratio = self.eta * weight_norms / change_norms
        # A ratio of 1 where it is undefined, as for a layer that starts at zero.
        ratio = torch.where((weight_norms > 0) & (change_norms > 0), ratio, 1.0)
        return torch._foreach_mul(change, (lr * ratio).unbind())
