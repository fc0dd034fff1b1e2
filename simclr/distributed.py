"""Several processes, one batch: exchanges whose gradients are exact.

Convention. Process r computes loss_r, the mean over its own rows; the loss of the global batch is the mean of
loss_r over processes. Every exchange below back-propagates the gradient of the SUM of all loss_r, so that
averaging parameter gradients over processes (`average_gradients`, or DistributedDataParallel) gives exactly
the gradient that one process would compute on the whole batch. Leaving out the exchange in backward, as
several public ports did, changes the direction of the gradient and not only its length.

Without an initialized process group every function is the identity. All processes must hold equally many
rows.
"""

from collections.abc import Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def rank() -> int:
    """Number of this process, 0 without a process group."""
    return dist.get_rank() if _is_initialized() else 0


def world_size() -> int:
    """How many processes share the batch, 1 without a process group."""
    return dist.get_world_size() if _is_initialized() else 1


def gather_rows(rows: Tensor) -> Tensor:
    """Concatenate (n, ...) of every process, in order of rank: (world_size * n, ...), differentiable."""
    return _GatherRows.apply(rows) if world_size() > 1 else rows


def all_reduce_sum(x: Tensor) -> Tensor:
    """Sum over processes, elementwise, differentiable. Returns a new tensor (or x itself when alone)."""
    return _AllReduceSum.apply(x) if world_size() > 1 else x


def anywhere(flag: bool, device: torch.device | str = "cpu") -> bool:
    """Whether the flag is set in any process; all get the same answer."""
    if world_size() == 1:
        return flag
    told = torch.tensor(float(flag), device=device)
    dist.all_reduce(told, dist.ReduceOp.MAX)
    return bool(told)


def barrier() -> None:
    """Wait until every process is here."""
    if world_size() > 1:
        dist.barrier()


def mean_over_processes(x: Tensor) -> Tensor:
    """Mean over processes, elementwise; for numbers to report, so without a gradient."""
    return all_reduce_sum(x.detach()) / world_size()


@torch.no_grad()
def average_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Replace each .grad by its mean over processes. Parameters without gradient are left out, so the same
    ones must lack it everywhere."""
    if world_size() == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    # One message per dtype: the cost of a small all_reduce is its latency.
    for dtype in sorted({g.dtype for g in gradients}, key=str):
        same = [g for g in gradients if g.dtype == dtype]
        flat = torch.cat([g.reshape(-1) for g in same])
        dist.all_reduce(flat)
        flat /= world_size()
        means = flat.split([g.numel() for g in same])
        torch._foreach_copy_(same, [m.view(g.shape) for m, g in zip(means, same, strict=True)])


class _GatherRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.n = len(rows)
        parts = [torch.empty_like(rows, memory_format=torch.contiguous_format) for _ in range(world_size())]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        # A reduce-scatter, written as all_reduce and slice because gloo has no reduce-scatter.
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total[rank() * ctx.n : (rank() + 1) * ctx.n]


class _AllReduceSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        # Every process's loss depends on every x, through the same sum.
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total


def _is_initialized() -> bool:
    return dist.is_available() and dist.is_initialized()
