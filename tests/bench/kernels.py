"""NT-Xent and batch norm over processes, each beside the plain form that it replaces: seconds and peak memory.

Every form runs in processes of its own, so that one's peak does not hide the other's; peaks are above what the process
held before. Batch norm runs in `--processes` gloo processes on an activation like those of ResNet-50's second group.
On CUDA the same, with torch's count of allocated bytes. Prints JSON, with ratios form / plain.

    python -m tests.bench.kernels
    python -m tests.bench.kernels --n 32768 --alone     # NT-Xent in blocks only: the whole matrix would have 17 GB
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from simclr import batch_norm_kernels
from simclr.losses import nt_xent
from tests.peak import peak_bytes

MEGABYTE = 1e6
Measured = dict[str, float]


def peak_on(device: str) -> int:
    """The most memory held so far: allocated on a GPU, resident on a CPU."""
    return torch.cuda.max_memory_allocated() if device == "cuda" else peak_bytes()


def measured(work: Callable[[int], Any], size: int, tiny: int, device: str, rounds: int) -> Measured:
    """Median seconds of work(size), and its peak above that of work(tiny)."""
    work(tiny)
    before, seconds = peak_on(device), []
    for _ in range(rounds):
        start = time.perf_counter()
        work(size)
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return {"seconds": statistics.median(seconds), "peak_mb": (peak_on(device) - before) / MEGABYTE}


def loss_work(form: str, d: int, device: str) -> Callable[[int], Any]:
    """Forward and backward of one form of NT-Xent on n pairs of d numbers."""

    def work(n: int) -> None:
        za, zb = torch.randn(2, n, d, device=device).unbind()
        getattr(nt_xent, form)(za.requires_grad_(), zb.requires_grad_(), 0.1).backward()

    return work


def norm_work(form: str, channels: int, pixels: int, device: str) -> Callable[[int], Any]:
    """The same of batch norm over all processes, on n images of this process in channels_last."""
    weight, bias = (torch.ones(channels, device=device, requires_grad=True) for _ in range(2))

    def work(n: int) -> Tensor:
        x = torch.randn(n, channels, pixels, pixels, device=device).to(memory_format=torch.channels_last)
        out, _, _ = getattr(batch_norm_kernels, form)(x.requires_grad_(), weight, bias, 1e-5, weight)
        return torch.autograd.grad(out, x, torch.ones_like(out))[0]

    return work


def in_processes(count: int, task: Callable[[], Measured], threads: int = 1) -> Measured:
    """What process 0 of a gloo group of `count` measures."""
    with tempfile.TemporaryDirectory() as folder:

        def child(rank: int) -> None:
            torch.set_num_threads(threads)
            dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=count)
            found = task()
            if rank == 0:
                Path(folder, "found.json").write_text(json.dumps(found))
            dist.destroy_process_group()

        children = [
            multiprocessing.get_context("fork").Process(target=child, args=(r,)) for r in range(count)
        ]
        for process in children:
            process.start()
        for process in children:
            process.join()
        return json.loads(Path(folder, "found.json").read_text())


def ratios(form: Measured, plain: Measured) -> dict[str, Any]:
    """Both, and how the form compares."""
    return {"form": form, "plain": plain} | {f"{name}_ratio": form[name] / plain[name] for name in form}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n", type=int, default=4096, help="pairs of NT-Xent")
    parser.add_argument("--d", type=int, default=128, help="numbers of a projection")
    parser.add_argument("--images", type=int, default=32, help="images per process for batch norm")
    parser.add_argument("--channels", type=int, default=256)
    parser.add_argument("--pixels", type=int, default=28)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="of a process, for NT-Xent")
    parser.add_argument("--loss-only", action="store_true", help="no batch norm")
    parser.add_argument("--alone", action="store_true", help="NT-Xent in blocks, without the plain form")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    given = parser.parse_args()

    def loss(form: str) -> Measured:
        work = loss_work(form, given.d, given.device)
        return in_processes(1, lambda: measured(work, given.n, 8, given.device, given.rounds), given.threads)

    def norm(form: str) -> Measured:
        def task() -> Measured:
            work = norm_work(form, given.channels, given.pixels, given.device)
            return measured(work, given.images, 2, given.device, given.rounds)

        return in_processes(given.processes, task)

    if given.alone:
        found = {"nt_xent_blockwise": loss("nt_xent_blockwise")}
    else:
        found = {"nt_xent_blockwise": ratios(loss("nt_xent_blockwise"), loss("nt_xent_whole"))}
        if not given.loss_only:
            found["batch_norm_over_processes"] = ratios(norm("normalize_over"), norm("reference"))
    print(json.dumps({"torch": torch.__version__, **vars(given), **found}, indent=2))


if __name__ == "__main__":
    main()
