"""Several processes, one batch: exchanges whose gradients are exact.

Convention. Process r computes loss_r, the mean over its own rows; the loss of the global batch is the mean of
loss_r over processes. Every exchange below back-propagates the gradient of the SUM of all loss_r, so that
averaging parameter gradients over processes (`replicated`, or `average_gradients`) gives exactly the gradient
that one process would compute on the whole batch. Leaving out the exchange in backward, as several public ports
did, changes the direction of the gradient and not only its length.

Without an initialized process group every function is the identity. All processes must hold equally many
rows. A `group` is a part of the processes, as `subgroup` makes it; None is all of them.
"""

import inspect
from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

import torch
import torch.distributed as dist
from torch import Tensor, nn

# Newer releases of torch have other names for the same.
_gather = getattr(dist, "all_gather_single", None) or getattr(dist, "all_gather_into_tensor", None)
_reduce_scatter = getattr(dist, "reduce_scatter_single", None) or getattr(dist, "reduce_scatter_tensor", None)
_SETTINGS = inspect.signature(nn.parallel.DistributedDataParallel).parameters
# Batch norm gives every process the same buffers, so they need not travel before each forward pass.
_SYNC_BUFFERS = "forward_sync_buffers" if "forward_sync_buffers" in _SETTINGS else "broadcast_buffers"

# Remembered for as long as the group of all processes lives: making and asking are exchanges themselves.
_subgroups: WeakKeyDictionary[Any, dict[int, Any]] = WeakKeyDictionary()
_on_one_tensor: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


def rank() -> int:
    """Number of this process, 0 without a process group."""
    return dist.get_rank() if _is_initialized() else 0


def world_size(group: Any = None) -> int:
    """How many processes share the batch, 1 without a process group."""
    return dist.get_world_size(group) if _is_initialized() else 1


def gather_rows(rows: Tensor, group: Any = None) -> Tensor:
    """Concatenate (n, ...) of every process, in order of rank: (world_size * n, ...), differentiable."""
    return _GatherRows.apply(rows, group) if world_size(group) > 1 else rows


def all_reduce_sum(x: Tensor, group: Any = None) -> Tensor:
    """Sum over processes, elementwise, differentiable. Returns a new tensor (or x itself when alone)."""
    return _AllReduceSum.apply(x, group) if world_size(group) > 1 else x


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


def replicated(module: nn.Module) -> nn.Module:
    """`module` such that backward leaves in every .grad its mean over processes; itself where there is one process.

    With several it is a torch DistributedDataParallel: messages of about 25 MB that travel while backward still
    computes. Call the returned module for the forward pass, once per update and with the same parameters in use each
    time; state and optimizer stay those of `module`. Parameters start as process 0 has them.
    """
    if world_size() == 1:
        return module
    return nn.parallel.DistributedDataParallel(
        module, gradient_as_bucket_view=True, static_graph=True, **{_SYNC_BUFFERS: False}
    )


def subgroup(count: int) -> Any:
    """This process's part when all of them, in order of rank, are divided into `count` equal parts.

    Every process must ask at the same point. Raises ValueError when `count` does not divide their number.
    """
    processes = world_size()
    if count < 1 or processes % count:
        raise ValueError(f"{processes} processes make no {count} equal parts")
    if processes == 1:
        return None
    made = _subgroups.setdefault(dist.group.WORLD, {})
    if count not in made:
        size = processes // count
        parts = [dist.new_group(range(first, first + size)) for first in range(0, processes, size)]
        made[count] = parts[rank() // size]
    return made[count]


@torch.no_grad()
def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace each .grad by its mean over processes, after backward: what `replicated` must equal.

    Parameters without gradient are left out, so the same ones must lack it everywhere.
    """
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


def concatenated(rows: Tensor, group: Any = None) -> Tensor:
    """The (n, ...) of every process in order of rank, outside of any gradient."""
    processes, rows = world_size(group), rows.contiguous()
    if processes == 1:
        return rows
    if _takes_one_tensor():
        gathered = rows.new_empty(processes * len(rows), *rows.shape[1:])
        _gather(gathered, rows, group=group)
        return gathered
    parts = [torch.empty_like(rows) for _ in range(processes)]
    dist.all_gather(parts, rows, group=group)
    return torch.cat(parts)


def own_part_of_sum(rows: Tensor, group: Any = None) -> Tensor:
    """Rows (world_size * n, ...) summed over processes, and of the sum this process's n."""
    processes = world_size(group)
    if processes == 1:
        return rows
    n = len(rows) // processes
    if _takes_one_tensor():
        own = rows.new_empty(n, *rows.shape[1:])
        _reduce_scatter(own, rows.contiguous(), group=group)
        return own
    total = rows.clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total, group=group)
    return total[dist.get_rank(group) * n :][:n]


class _GatherRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, group: Any) -> Tensor:
        ctx.group, ctx.n = group, len(rows)
        return concatenated(rows, group)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return own_part_of_sum(gradient, ctx.group), None


class _AllReduceSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Any) -> Tensor:
        ctx.group = group
        total = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total, group=group)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        # Every process's loss depends on every x, through the same sum.
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total, group=ctx.group)
        return total, None


def _takes_one_tensor() -> bool:
    """Whether the backend gathers and scatters one tensor; older gloo does so only with lists, or not at all."""
    everyone = dist.group.WORLD
    if everyone not in _on_one_tensor:
        _on_one_tensor[everyone] = dist.get_backend() != "gloo" or _gloo_takes_one_tensor()
    return _on_one_tensor[everyone]


def _gloo_takes_one_tensor() -> bool:
    asked = torch.zeros(world_size())
    try:
        _reduce_scatter(asked.new_empty(1), asked)
        _gather(asked, asked.new_zeros(1))
    except (RuntimeError, NotImplementedError):
        return False
    return True


def _is_initialized() -> bool:
    return dist.is_available() and dist.is_initialized()
