"""Pairs per second and peak memory: ResNet-18 in four forms, ResNet-50 by phase, several small runs on one device."""

from __future__ import annotations

import itertools
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from simclr.losses.nt_xent import nt_xent
from simclr.precision import encoded
from simclr.training import Pretraining
from tests.bench.on_gpu.setting import (
    Setting,
    a_pretraining,
    forget_peak,
    peak_gb,
    seconds_of,
    synchronize,
)

LR = 0.1


def resnet18(setting: Setting) -> dict[str, Any]:
    """ResNet-18 with the CIFAR stem: whole steps (views too) in float32 and bfloat16, compiled, and as a CUDA graph."""
    found: dict[str, Any] = {}
    for form in ("float32", "bfloat16", "bfloat16 compiled", "bfloat16 CUDA graph"):
        forget_peak(setting.device)
        try:
            found[form] = _measured(setting, form)
        except (RuntimeError, torch.cuda.OutOfMemoryError) as error:
            found[form] = {"error": str(error).splitlines()[0]}
    return {"batch": _batch(setting), "goal_pairs_per_second": 25_000} | found


def _batch(setting: Setting) -> int:
    return 16 if setting.tiny else 512


def _measured(setting: Setting, form: str) -> dict[str, Any]:
    batch = _batch(setting)
    images = setting.images(64 if setting.tiny else 50_000)
    depth = 8 if setting.tiny else 18
    training = a_pretraining(images, setting.device, depth, batch_size=batch, precision=form.split()[0])
    if "compiled" in form:
        # The rehearsal traces and generates no code: that takes a compiler and minutes.
        training.encoder.compile(backend="eager" if setting.tiny else "inductor")
    step: Callable[[], Any] = training.step
    if "graph" in form:
        step = graphed(training, setting.device)
    seconds = seconds_of(step, setting.device, 0.1 if setting.tiny else 8)
    return {"pairs_per_second": batch / seconds, "peak_gb": peak_gb(setting.device)}


def graphed(training: Pretraining, device: str) -> Callable[[], None]:
    """Steps whose update is one CUDA graph, at a constant rate; views are drawn before each. On a CPU plain steps."""
    if device != "cuda":
        return lambda: training.step()
    still = tuple(view.clone() for view in _views(training, 0))
    with _unwatched(training):
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                training.update(*still, None, LR)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            training.update(*still, None, LR)
    steps = iter(range(10**9))

    def step() -> None:
        for place, view in zip(still, _views(training, next(steps)), strict=True):
            place.copy_(view)
        graph.replay()

    return step


def _views(training: Pretraining, step: int) -> tuple[Tensor, Tensor]:
    epoch, index, images = training._feed.at(training.seed, step)
    return training.views(images, index, epoch, training.seed)


@contextmanager
def _unwatched(training: Pretraining) -> Iterator[None]:
    """A graph cannot wait for the host, which the look at the losses does."""
    see, training._watch.see = training._watch.see, lambda *given, **more: None
    try:
        yield
    finally:
        training._watch.see = see


def resnet50(setting: Setting) -> dict[str, Any]:
    """ResNet-50 at 224 px, bfloat16, images in memory: seconds of views, forward, loss, backward and LARS."""
    size, batch, n = (32, 4, 16) if setting.tiny else (224, 256, 1024)
    training = a_pretraining(
        setting.images(n, size),
        setting.device,
        50,
        size=size,
        stem="imagenet",
        base_channels=4 if setting.tiny else None,
        blur=True,
        batch_size=batch,
        precision="bfloat16",
    )
    training.step()
    forget_peak(setting.device)
    phases = dict.fromkeys(("views", "forward", "loss", "backward", "optimizer"), 0.0)
    rounds = 1 if setting.tiny else 10
    for step in range(rounds):
        for name, seconds in _phases(training, setting.device, step).items():
            phases[name] += seconds / rounds
    whole = seconds_of(training.step, setting.device, 0.1 if setting.tiny else 10)
    return {
        "batch": batch,
        "seconds": phases,
        "pairs_per_second": batch / whole,
        "goal_pairs_per_second": 1500,
        "peak_gb": peak_gb(setting.device),
    }


def _phases(training: Pretraining, device: str, step: int) -> dict[str, float]:
    """Seconds of the parts of one step; the device is waited for between them, which a training does not."""
    marks = [("", time.perf_counter())]

    def done(name: str) -> None:
        synchronize(device)
        marks.append((name, time.perf_counter()))

    view_a, view_b = _views(training, step)
    done("views")
    training.optimizer.zero_grad()
    h = encoded(training.encoder, torch.cat([view_a, view_b]), training.precision)
    za, zb = training.head(h).chunk(2)
    done("forward")
    loss = nt_xent(za, zb, 0.5)
    done("loss")
    loss.backward()
    done("backward")
    training.optimizer.step(LR)
    done("optimizer")
    return {name: at - before for (_, before), (name, at) in itertools.pairwise(marks)}


def several(setting: Setting) -> dict[str, Any]:
    """Small runs (ResNet-8 at 16 px, batch 256) on one device: 1, 2, 4 and 8 processes at once."""
    found = {}
    for count in (1, 2) if setting.tiny else (1, 2, 4, 8):
        context = multiprocessing.get_context("spawn")
        with context.Pool(count) as pool:
            found[f"{count} at once"] = sum(pool.map(_small, [setting] * count))
    return {"pairs_per_second_together": found}


def _small(setting: Setting) -> float:
    torch.set_num_threads(1)
    batch = 16 if setting.tiny else 256
    images = setting.images(64 if setting.tiny else 10_000)
    training = a_pretraining(
        images, setting.device, 8, size=16, base_channels=16, batch_size=batch, precision="bfloat16"
    )
    return batch / seconds_of(training.step, setting.device, 0.1 if setting.tiny else 8)
