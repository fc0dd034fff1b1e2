"""Batch norm over processes: torch's kernels beside the reference; and a training of two processes on one device."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from simclr.batch_norm_kernels import normalize_over, reference
from tests.bench.on_gpu.setting import Setting, a_pretraining, forget_peak, peak_gb, seconds_of

PROCESSES = 2
BOUNDS = {"float32": 1e-5, "float64": 1e-12}  # of values of order one, and of their gradients


def batch_norm(setting: Setting) -> dict[str, Any]:
    """Two gloo processes on one device: the same values and gradients by both ways, and what each takes."""
    found = in_processes(_batch_norm, setting)[0]
    return found | {
        "holds": all(each["largest_error"] <= BOUNDS[name] for name, each in found["agreement"].items())
    }


def two_processes(setting: Setting) -> dict[str, Any]:
    """A float64 training of two gloo processes on one device, and of one with the whole batch: losses and weights."""
    together, alone = in_processes(_trained, setting), _trained(setting)
    errors = [float((found - alone).abs().max() / alone.abs().max()) for found in together]
    return {"largest_error": max(errors), "holds": max(errors) <= 1e-10}


def in_processes(work: Callable[[Setting], Any], setting: Setting, count: int = PROCESSES) -> list[Any]:
    """What each of `count` gloo processes gives, all on one device."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        children = [
            context.Process(target=_child, args=(work, setting, rank, count, folder)) for rank in range(count)
        ]
        for child in children:
            child.start()
        for child in children:
            child.join()
        if failed := [child.exitcode for child in children if child.exitcode]:
            raise RuntimeError(f"a process of {count} ended with status {failed[0]}")
        return [torch.load(Path(folder, f"{rank}.pt"), weights_only=True) for rank in range(count)]


def _child(work: Callable[[Setting], Any], setting: Setting, rank: int, count: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=count)
    torch.save(work(setting), Path(folder, f"{rank}.pt"))
    dist.barrier()
    dist.destroy_process_group()


def _trained(setting: Setting) -> Tensor:
    """Losses of some updates, and sums of all weights after them."""
    training = a_pretraining(setting.images(64), setting.device, 8, batch_size=16, precision="float64")
    losses = [training.step()["loss"].cpu() for _ in range(3 if setting.tiny else 20)]
    weights = [weight.detach().double().sum().cpu() for weight in training.networks.parameters()]
    return torch.stack([*losses, *weights])


def _batch_norm(setting: Setting) -> dict[str, Any]:
    agreement = {}
    for name in BOUNDS:
        x, weights = _rows(setting, getattr(torch, name))
        ours, theirs = (_passed(way, x, weights) for way in (normalize_over, reference))
        errors = [float((a - b).abs().max()) for a, b in zip(ours, theirs, strict=True)]
        agreement[name] = {"largest_error": max(errors)}
    return {
        "agreement": agreement,
        "taken": {way.__name__: _taken(way, setting) for way in (normalize_over, reference)},
    }


def _rows(setting: Setting, dtype: torch.dtype, images: int = 8) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(dist.get_rank())
    channels, side = (4, 5) if setting.tiny else (256, 28)
    x, weights = torch.randn(2, images, channels, side, side, generator=random, dtype=dtype).to(
        setting.device
    )
    return x.contiguous(memory_format=torch.channels_last), weights


def _passed(way: Callable[..., Any], x: Tensor, weights: Tensor) -> tuple[Tensor, ...]:
    """Output, mean, variance, and the slopes by x, weight and bias divided by their largest."""
    x = x.clone().requires_grad_()
    scale, shift = (
        torch.full(x.shape[1:2], value, device=x.device, dtype=x.dtype).requires_grad_()
        for value in (0.5, 2.0)
    )
    out, mean, var = way(x, scale, shift, 1e-5, scale)
    slopes = torch.autograd.grad((out * weights).sum(), (x, scale, shift))
    return out.detach(), mean, var, *(slope / slope.abs().max() for slope in slopes)


def _taken(way: Callable[..., Any], setting: Setting) -> dict[str, Any]:
    x, weights = _rows(setting, torch.float32, images=2 if setting.tiny else 64)
    forget_peak(setting.device)
    seconds = seconds_of(lambda: _passed(way, x, weights), setting.device, 0.05 if setting.tiny else 5)
    return {"seconds": seconds, "peak_gb": peak_gb(setting.device)}
