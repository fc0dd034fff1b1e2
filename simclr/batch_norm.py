"""Batch normalization as in the official code: global over processes, with a biased running variance.

torch differs in two ways that matter here. Its running variance is the unbiased estimate, which is a visible
difference for the small batches of a late layer. And its momentum is the weight of the NEW value (0.1), where
TensorFlow's is the weight of the old one (0.9).
"""

from typing import Annotated, Any

import gin
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simclr.batch_norm_kernels import normalize_over
from simclr.declared import AtLeast, Between, enforce
from simclr.distributed import mean_over_processes, subgroup, world_size


@gin.configurable
class BatchNorm(nn.Module):
    """Normalize each channel of (n, c) or (n, c, h, w) over every other dimension.

    momentum is the decay of the running statistics (official code: 0.9; fine-tuning in Appendix B.8 uses
    max(1 - 10 / steps_per_epoch, 0.9)). `shift=False` leaves out the bias, as after the last layer of the
    projection head. With `global_statistics` mean and variance are those of all processes' rows together:
    Section 2.2's remedy against a local information leak (all processes must hold equally many rows).

    groups > 1 makes that leak on one device: each of `groups` equal parts of the batch has its own statistics, as on
    that many devices without global batch norm. The batch counts as two halves of N rows, view a and view b, and
    group g is rows g N / groups up to (g + 1) N / groups of EACH half, so that both views of an image meet in one
    group, as they do on a device. (Of a batch that is no pair of halves this is still a division into equal
    parts.) The running statistics take the mean over the groups of their means and of their variances: once per
    call, whatever `groups`. Evaluation has no groups. Over several processes, each with its slice of both halves,
    these are the groups of the whole batch: parts of a process where there are more groups than processes, several
    processes together where there are fewer. Without `global_statistics` they are groups of each process's rows.
    """

    def __init__(
        self,
        num_features: int,
        momentum: Annotated[float, Between(0, 1)] = 0.9,
        eps: Annotated[float, AtLeast(0)] = 1e-5,
        scale: bool = True,
        shift: bool = True,
        global_statistics: bool = True,
        groups: Annotated[int, AtLeast(1)] = 1,
    ):
        super().__init__()
        enforce(BatchNorm, momentum=momentum, eps=eps, groups=groups)
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
            out, mean, var = self._normalize_in_groups(x)
        elif self.global_statistics and world_size() > 1:
            out, mean, var = self._normalize_over(x)
        else:
            out, mean, var = self._normalize_locally(x)
        self._update_running(mean, var)
        return out

    def _normalize_locally(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x normalized by its own mean and biased variance; then these two, (c,) each."""
        count = self._check_count(x)
        # With momentum 1 the fused kernel stores this batch's own statistics: no second pass over x.
        mean, unbiased = torch.zeros_like(self.running_mean), torch.zeros_like(self.running_var)
        out = F.batch_norm(x, mean, unbiased, self.weight, self.bias, True, 1.0, self.eps)
        return out, mean, unbiased * ((count - 1) / count)

    def _normalize_in_groups(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x normalized in the groups of the whole batch, and the means over groups of their statistics."""
        processes = world_size() if self.global_statistics else 1
        if self.groups % processes and processes % self.groups:
            raise ValueError(
                f"BatchNorm.groups = {self.groups} over {processes} processes: a group must be whole processes or an "
                f"equal part of one, so groups must be a multiple of {processes} or divide it"
            )
        if processes <= self.groups:
            out, mean, var = self._normalize_in_parts(x, self.groups // processes)
        else:
            out, mean, var = self._normalize_over(x, subgroup(self.groups))
        if processes > 1:
            mean, var = mean_over_processes(torch.stack([mean, var]))
        return out, mean, var

    def _normalize_in_parts(self, x: Tensor, parts: int) -> tuple[Tensor, Tensor, Tensor]:
        if parts == 1:
            return self._normalize_locally(x)
        if len(x) % (2 * parts):
            raise ValueError(
                f"BatchNorm.groups = {self.groups} divides both halves of a batch: the batch must be a multiple "
                f"of {2 * parts} rows, found input {tuple(x.shape)}"
            )
        # cat and chunk, unlike reshape, leave the memory format as it is
        views = zip(*(half.chunk(parts) for half in x.chunk(2)), strict=True)
        outs, means, variances = zip(
            *(self._normalize_locally(torch.cat(pair)) for pair in views), strict=True
        )
        out = torch.cat([out.chunk(2)[view] for view in range(2) for out in outs])
        return out, torch.stack(means).mean(0), torch.stack(variances).mean(0)

    def _normalize_over(self, x: Tensor, group: Any = None) -> tuple[Tensor, Tensor, Tensor]:
        self._check_count(x, world_size(group))
        return normalize_over(x, self.weight, self.bias, self.eps, self.running_mean, group)

    def _check_count(self, x: Tensor, processes: int = 1) -> int:
        count = processes * x.numel() // x.shape[1]
        if count < 2:
            raise ValueError(
                f"BatchNorm in training mode needs at least 2 values per channel, found input "
                f"{tuple(x.shape)}; use a larger batch, or eval() for running statistics"
            )
        return count

    @torch.no_grad()
    def _update_running(self, mean: Tensor, var: Tensor) -> None:
        self.running_mean.lerp_(mean, 1 - self.momentum)
        self.running_var.lerp_(var, 1 - self.momentum)
