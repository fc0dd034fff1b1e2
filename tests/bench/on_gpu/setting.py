"""Where the parts compute, and the trainings that they measure."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from simclr.encoder import resnet
from simclr.heads import projection_head
from simclr.lars import Lars
from simclr.losses.nt_xent import nt_xent
from simclr.training import Pretraining
from simclr.views import ViewPolicy
from simclr.views.standard import ColorDistortion, GaussianBlur, RandomCrop, RandomFlip


@dataclass(frozen=True)
class Setting:
    """device: "cuda" or "cpu". tiny: the rehearsal. data: a prepared data set, or None."""

    device: str
    tiny: bool
    data: Path | None = None

    def images(self, n: int, size: int = 32) -> Tensor:
        """n random images on the device: what is measured does not depend on what they show."""
        shape, random = (n, 3, size, size), torch.Generator().manual_seed(0)
        return torch.randint(0, 256, shape, dtype=torch.uint8, generator=random).to(self.device)


def a_pretraining(
    images: Tensor,
    device: str,
    depth: int,
    *,
    size: int = 32,
    stem: str = "cifar",
    base_channels: int | None = None,
    labels: Tensor | None = None,
    out_dim: int = 128,
    hidden_layers: int = 1,
    temperature: float = 0.5,
    optimizer: tuple[float, float] = (1e-6, 0.9),
    blur: bool = False,
    **given: Any,
) -> Pretraining:
    """A pretraining of the paper's kind on images uint8 (n, 3, H, W)."""
    encoder = resnet(depth, stem=stem, base_channels=base_channels, seed=0)
    operators = (RandomCrop(), RandomFlip(), ColorDistortion(strength=0.5), *([GaussianBlur()] * blur))
    settings = {"epochs": 10**6, "base_lr": 0.3, "warmup_epochs": 0, "device": device} | given
    return Pretraining(
        images,
        seed=0,
        labels=labels,
        n_classes=None if labels is None else 10,
        online_classifier=labels is not None,
        loss=partial(nt_xent, temperature=temperature),
        views=ViewPolicy(size=size, ops=operators),
        encoder=encoder,
        head=projection_head(encoder.feature_dim, out_dim=out_dim, hidden_layers=hidden_layers, seed=0),
        optimizer=partial(Lars, weight_decay=optimizer[0], momentum=optimizer[1]),
        **settings,
    )


def synchronize(device: str) -> None:
    """Wait for what was asked of a GPU."""
    if device == "cuda":
        torch.cuda.synchronize()


def seconds_of(work: Callable[[], Any], device: str, seconds: float, warm_up: int = 3) -> float:
    """Mean seconds of a call, over as many as `seconds` hold, after some that warm up.

    The processes of a group make equally many calls.
    """
    for _ in range(warm_up):
        work()
    synchronize(device)
    start, calls = time.perf_counter(), 0
    while _agreed(time.perf_counter() - start < seconds or not calls):
        for _ in range(5):
            work()
        synchronize(device)
        calls += 5
    return (time.perf_counter() - start) / calls


def _agreed(answer: bool) -> bool:
    """The first process's answer: by clocks of their own some would wait for messages that others no longer send."""
    if not dist.is_initialized():
        return answer
    told = torch.tensor([answer])
    dist.broadcast(told, 0)
    return bool(told)


def peak_gb(device: str) -> float | None:
    """The most memory that was allocated since `forget_peak`, in GB; None on a CPU."""
    return torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else None


def forget_peak(device: str) -> None:
    """Begin anew to look for the peak."""
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
