"""Batch norm over the rows of several processes: one autograd function, on torch's kernels for CPU and for CUDA.

Memory: the input is kept for the backward pass, with a mean and a deviation per channel, and nothing else of its size.
Messages: two numbers per channel and process forward, and their like backward. Nothing waits for the host.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from simclr.distributed import all_reduce_sum, concatenated, gather_rows


def normalize_over(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, like: Tensor, group: Any = None
) -> tuple[Tensor, Tensor, Tensor]:
    """x (n, c, ...) normalized by mean and biased variance of all processes' rows together, and these two (c,).

    All processes of `group` must hold equally many rows. Statistics have the dtype of `like`. The output is
    differentiable once, exactly: see simclr.distributed; the two statistics are not.
    """
    return _NormalizeOver.apply(x, weight, bias, eps, like.dtype, group)


def reference(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, like: Tensor, group: Any = None
) -> tuple[Tensor, Tensor, Tensor]:
    """The same by automatic differentiation, at 3.5 times the memory: what the kernels are held to."""
    dims = [d for d in range(x.dim()) if d != 1]
    var, mean = torch.var_mean(x.to(like.dtype), dims, correction=0)
    moments = gather_rows(torch.stack([mean, var])[None], group)  # (processes, 2, c)
    mean, var = _total(moments)
    scale = (var + eps).rsqrt()
    out = (x - _channels(mean, x)) * _channels(scale, x)
    if weight is not None:
        out = out * _channels(weight, x)
    if bias is not None:
        out = out + _channels(bias, x)
    return out.to(x.dtype), mean.detach(), var.detach()


class Portable:
    """The pieces on torch's ordinary batch norm, on any device; statistics travel as mean and biased variance."""

    @staticmethod
    def moments(x: Tensor, eps: float, dtype: torch.dtype) -> Tensor:
        """Mean and variance of this process's rows: (2, c)."""
        mean, var = (torch.zeros(x.shape[1], dtype=dtype, device=x.device) for _ in range(2))
        mean, var = torch.batch_norm_update_stats(x, mean, var, 1.0)
        return torch.stack([mean, var])

    @staticmethod
    def merge(x: Tensor, moments: Tensor, eps: float, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """Mean, 1 / deviation and biased variance, each (c,), of moments (processes, 2, c) over `count` values each."""
        mean, var = _total(moments)
        return mean, (var + eps).rsqrt(), var

    @staticmethod
    def normalize(
        x: Tensor, weight: Tensor | None, bias: Tensor | None, mean: Tensor, invstd: Tensor, eps: float
    ) -> Tensor:
        """(x - mean) * invstd * weight + bias."""
        return _affine(x, mean, invstd if weight is None else invstd * weight, bias)

    @staticmethod
    def sums(
        dy: Tensor, x: Tensor, mean: Tensor, invstd: Tensor, weight: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Sums over this process's rows of dy and of dy * (x - mean), each (c,)."""
        ones = torch.ones_like(mean)
        wanted = [False, True, True]
        # As a layer with variance 1: the slope by its weight is the sum of dy * (x - mean).
        _, by_weight, by_bias = torch.ops.aten.native_batch_norm_backward(
            dy, x, ones, mean, ones, mean, ones, False, 0.0, wanted
        )
        return by_bias, by_weight

    @staticmethod
    def slopes(
        dy: Tensor,
        x: Tensor,
        mean: Tensor,
        invstd: Tensor,
        weight: Tensor | None,
        sum_dy: Tensor,
        sum_dy_xmu: Tensor,
        counts: tuple[int, ...],
    ) -> Tensor:
        """Slope by x: weight * invstd * (dy - mean of dy - (x - mean) * invstd^2 * mean of dy * (x - mean))."""
        scale = invstd if weight is None else invstd * weight
        # The two terms with means are one affine map of x: one pass over x, and no tensor of its size between.
        pull = -scale / sum(counts)
        from_x = _affine(x, mean, pull * invstd.square() * sum_dy_xmu, pull * sum_dy)
        return from_x.addcmul_(dy, _channels(scale, x).to(from_x.dtype))


class Cuda:
    """The same pieces on the kernels made for this; statistics travel as mean and 1 / deviation."""

    @staticmethod
    def moments(x: Tensor, eps: float, dtype: torch.dtype) -> Tensor:
        """Mean and 1 / deviation of this process's rows: (2, c)."""
        return torch.stack(torch.batch_norm_stats(x, eps))

    @staticmethod
    def merge(x: Tensor, moments: Tensor, eps: float, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """As Portable.merge, of means and 1 / deviations."""
        means, invstds = moments.unbind(1)
        # The kernel wants a count for each process. All are equal, so no message is needed to learn them.
        total, counts = count * len(moments), means.new_full((len(moments),), count)
        kept, unbiased = torch.zeros_like(means[0]), torch.zeros_like(means[0])
        # With momentum 1 the kernel stores this batch's own statistics, the variance as the unbiased estimate.
        mean, invstd = torch.batch_norm_gather_stats_with_counts(
            x, means.contiguous(), invstds.contiguous(), kept, unbiased, 1.0, eps, counts
        )
        return mean, invstd, unbiased * ((total - 1) / total)

    @staticmethod
    def normalize(
        x: Tensor, weight: Tensor | None, bias: Tensor | None, mean: Tensor, invstd: Tensor, eps: float
    ) -> Tensor:
        """As Portable.normalize."""
        return torch.batch_norm_elemt(x, weight, bias, mean, invstd, eps)

    @staticmethod
    def sums(
        dy: Tensor, x: Tensor, mean: Tensor, invstd: Tensor, weight: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """As Portable.sums."""
        sum_dy, sum_dy_xmu, _, _ = torch.batch_norm_backward_reduce(
            dy, x, mean, invstd, weight, True, False, False
        )
        return sum_dy, sum_dy_xmu

    @staticmethod
    def slopes(
        dy: Tensor,
        x: Tensor,
        mean: Tensor,
        invstd: Tensor,
        weight: Tensor | None,
        sum_dy: Tensor,
        sum_dy_xmu: Tensor,
        counts: tuple[int, ...],
    ) -> Tensor:
        """As Portable.slopes."""
        each = torch.full((len(counts),), counts[0], dtype=torch.int32, device=x.device)
        return torch.batch_norm_backward_elemt(dy, x, mean, invstd, weight, sum_dy, sum_dy_xmu, each)


def kernels_for(x: Tensor) -> type[Portable] | type[Cuda]:
    """The pieces for the device of x."""
    return Cuda if x.is_cuda else Portable


class _NormalizeOver(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        eps: float,
        dtype: torch.dtype,
        group: Any,
    ) -> tuple[Tensor, Tensor, Tensor]:
        x, count, kernels = _dense(x), x.numel() // x.shape[1], kernels_for(x)
        moments = concatenated(kernels.moments(x, eps, dtype)[None], group)  # (processes, 2, c)
        mean, invstd, var = kernels.merge(x, moments, eps, count)
        ctx.save_for_backward(x, weight, mean, invstd)
        ctx.kernels, ctx.group, ctx.counts = kernels, group, (count,) * len(moments)
        ctx.mark_non_differentiable(mean, var)
        return kernels.normalize(x, weight, bias, mean, invstd, eps), mean, var

    @staticmethod
    def backward(ctx: Any, dy: Tensor, *unused: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # create_graph=True: the statistics would pass for constants
            raise RuntimeError("batch norm over several processes has no second derivative")
        x, weight, mean, invstd = ctx.saved_tensors
        # The kernels read both side by side: in two memory formats they would mix up elements or be refused.
        dy = _dense(dy, like=x)
        # Both sums in one message: latency, not volume, is what a layer of a few hundred channels costs.
        sums = torch.stack(ctx.kernels.sums(dy, x, mean, invstd, weight))
        slopes = None
        if ctx.needs_input_grad[0]:
            both = all_reduce_sum(sums, ctx.group)
            slopes = ctx.kernels.slopes(dy, x, mean, invstd, weight, *both, ctx.counts)
        # By weight and bias each process gives its own rows' part: averaging the gradients adds them up.
        by_weight = sums[1] * invstd if ctx.needs_input_grad[1] else None
        by_bias = sums[0] if ctx.needs_input_grad[2] else None
        return slopes, by_weight, by_bias, None, None, None


def _total(moments: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance (c,) of equally many values in each of moments (parts, 2, c)."""
    mean = moments[:, 0].mean(0)
    # Law of total variance; unlike E[x^2] - E[x]^2 it does not cancel.
    return mean, (moments[:, 1] + (moments[:, 0] - mean).square()).mean(0)


def _affine(x: Tensor, mean: Tensor, scale: Tensor, shift: Tensor | None) -> Tensor:
    """(x - mean) * scale + shift by channel, in one pass and in the dtype of x."""
    return F.batch_norm(x, mean, torch.ones_like(mean), scale, shift, False, 0.0, 0.0)


def _channels(per_channel: Tensor, x: Tensor) -> Tensor:
    return per_channel.view([-1 if d == 1 else 1 for d in range(x.dim())])


def _dense(x: Tensor, like: Tensor | None = None) -> Tensor:
    """x in a memory format that the kernels take: channels_last where x, or `like`, has it, else contiguous."""
    like = x if like is None else like
    if like.dim() == 4 and like.is_contiguous(memory_format=torch.channels_last):
        return x.contiguous(memory_format=torch.channels_last)
    return x.contiguous()
