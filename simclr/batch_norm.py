"""Batch normalization as the official code does it: global over processes, biased running variance.

torch differs in two ways that matter here. Its running variance is the unbiased estimate, a visible
difference for the small batches of a late layer; and its momentum is the weight of the NEW value (0.1),
TensorFlow's of the old (0.9).
"""

import gin
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simclr.distributed import gather_rows, world_size


@gin.configurable
class BatchNorm(nn.Module):
    """Normalize each channel of (n, c) or (n, c, h, w) over every other dimension.

    momentum is the decay of the running statistics (official code: 0.9; fine-tuning in Appendix B.8 uses
    max(1 - 10 / steps_per_epoch, 0.9)). `shift=False` leaves out the bias, as after the last layer of the
    projection head. With `global_statistics` mean and variance are those of all processes' rows together:
    Section 2.1's remedy against a local information leak (all processes must hold equally many rows).
    """

    def __init__(
        self,
        num_features: int,
        momentum: float = 0.9,
        eps: float = 1e-5,
        scale: bool = True,
        shift: bool = True,
        global_statistics: bool = True,
    ):
        super().__init__()
        self.momentum, self.eps, self.global_statistics = momentum, eps, global_statistics
        self.weight = nn.Parameter(torch.ones(num_features)) if scale else None
        self.bias = nn.Parameter(torch.zeros(num_features)) if shift else None
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x: Tensor) -> Tensor:
        """Normalize x. Raises ValueError when training sees fewer than two values per channel."""
        if not self.training:
            return F.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps
            )
        if self.global_statistics and world_size() > 1:
            return self._normalize_globally(x)
        return self._normalize_locally(x)

    def _normalize_locally(self, x: Tensor) -> Tensor:
        count = x.numel() // x.shape[1]
        if count < 2:
            raise ValueError(
                f"BatchNorm in training mode needs at least 2 values per channel, found input "
                f"{tuple(x.shape)}; use a larger batch, or eval() for running statistics"
            )
        # With momentum 1 the fused kernel stores this batch's own statistics: no second pass over x.
        mean, unbiased = torch.zeros_like(self.running_mean), torch.zeros_like(self.running_var)
        out = F.batch_norm(x, mean, unbiased, self.weight, self.bias, True, 1.0, self.eps)
        self._update_running(mean, unbiased * ((count - 1) / count))
        return out

    def _normalize_globally(self, x: Tensor) -> Tensor:
        dims = [d for d in range(x.dim()) if d != 1]
        var, mean = torch.var_mean(x.to(self.running_mean.dtype), dims, correction=0)
        moments = gather_rows(torch.stack([mean, var])[None])  # (processes, 2, c)
        mean = moments[:, 0].mean(0)
        # Law of total variance; unlike E[x^2] - E[x]^2 it does not cancel.
        var = (moments[:, 1] + (moments[:, 0] - mean).square()).mean(0)
        self._update_running(mean.detach(), var.detach())
        scale = (var + self.eps).rsqrt()
        shape = [-1 if d == 1 else 1 for d in range(x.dim())]
        out = (x - mean.view(shape)) * scale.view(shape)
        if self.weight is not None:
            out = out * self.weight.view(shape)
        if self.bias is not None:
            out = out + self.bias.view(shape)
        return out.to(x.dtype)

    @torch.no_grad()
    def _update_running(self, mean: Tensor, var: Tensor) -> None:
        self.running_mean.lerp_(mean, 1 - self.momentum)
        self.running_var.lerp_(var, 1 - self.momentum)
