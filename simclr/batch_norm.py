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
    Section 2.2's remedy against a local information leak (all processes must hold equally many rows).

    groups > 1 is that leak on one device: statistics over `groups` equal parts of the batch apart, as that many
    devices without global batch norm have them. The batch counts as two halves of N rows, view a and view b, and
    group g is rows g N / groups up to (g + 1) N / groups of EACH half, so that both views of an image meet in one
    group, as they do on a device. (Of a batch that is no pair of halves this is still a division into equal
    parts.) The running statistics take the mean over the groups of their means and of their variances: once per
    call, whatever `groups`. Evaluation knows no groups.
    """

    def __init__(
        self,
        num_features: int,
        momentum: float = 0.9,
        eps: float = 1e-5,
        scale: bool = True,
        shift: bool = True,
        global_statistics: bool = True,
        groups: int = 1,
    ):
        super().__init__()
        if groups < 1:
            raise ValueError(f"BatchNorm.groups must be at least 1, found {groups}")
        self.momentum, self.eps = momentum, eps
        self.global_statistics, self.groups = global_statistics, groups
        self.weight = nn.Parameter(torch.ones(num_features)) if scale else None
        self.bias = nn.Parameter(torch.zeros(num_features)) if shift else None
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x: Tensor) -> Tensor:
        """Normalize x. Raises ValueError when training sees fewer than two values per channel, or odd groups."""
        if not self.training:
            return F.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps
            )
        if self.groups > 1:
            return self._normalize_in_groups(x)
        if self.global_statistics and world_size() > 1:
            return self._normalize_globally(x)
        out, mean, var = self._normalize_locally(x)
        self._update_running(mean, var)
        return out

    def _normalize_locally(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x normalized by its own mean and biased variance, and these two (c,)."""
        count = x.numel() // x.shape[1]
        if count < 2:
            raise ValueError(
                f"BatchNorm in training mode needs at least 2 values per channel, found input "
                f"{tuple(x.shape)}; use a larger batch, or eval() for running statistics"
            )
        # With momentum 1 the fused kernel stores this batch's own statistics: no second pass over x.
        mean, unbiased = torch.zeros_like(self.running_mean), torch.zeros_like(self.running_var)
        out = F.batch_norm(x, mean, unbiased, self.weight, self.bias, True, 1.0, self.eps)
        return out, mean, unbiased * ((count - 1) / count)

    def _normalize_in_groups(self, x: Tensor) -> Tensor:
        if self.global_statistics and world_size() > 1:
            raise ValueError("BatchNorm.groups > 1 contradicts global_statistics over several processes")
        if len(x) % (2 * self.groups):
            raise ValueError(
                f"BatchNorm.groups = {self.groups} divides both halves of a batch: the batch must be a multiple "
                f"of {2 * self.groups} rows, found input {tuple(x.shape)}"
            )
        # cat and chunk, unlike reshape, leave the memory format as it is
        views = zip(*(half.chunk(self.groups) for half in x.chunk(2)), strict=True)
        outs, means, variances = zip(
            *(self._normalize_locally(torch.cat(pair)) for pair in views), strict=True
        )
        self._update_running(torch.stack(means).mean(0), torch.stack(variances).mean(0))
        return torch.cat([out.chunk(2)[view] for view in range(2) for out in outs])

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
