"""All that is to be measured on one GPU, in under 12 minutes; what each part found is written as soon as it is known.

    python -m tests.bench.gpu --out out/gpu.json --wheels wheels --data results/cifar10/data/cifar10
    python -m tests.bench.gpu --device cpu --tiny              # the rehearsal, seconds

  golden         tests/golden on the device: losses, LARS, batch norm, views, whole updates
  resume         a training that was broken off is equal to the bit
  batch_norm     torch's kernels over two processes against the reference: values, gradients, seconds, peak memory
  two_processes  two gloo processes on one GPU make the training of one
  resnet18       CIFAR stem, batch 512: float32, bfloat16, compiled, as a CUDA graph; pairs per second and peak memory
  resnet50       224 px from memory, by phase
  several        small runs on one GPU at once
  knn            nearest neighbours after some minutes of ResNet-18, as far as prepared images are there

It needs torch 2.11 and torchvision 0.26 or newer, NumPy and gin-config. Where there is no package index the wheel of
gin-config travels in a folder (--wheels): a wheel of pure Python is imported as it is. Each part has a process and a
time limit of its own, so that none spoils another. Exit status 1 if a part failed or did not hold.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import sys
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

# The module and function of each part, and the seconds that it may take: 11.7 minutes in all.
PARTS = {
    "golden": ("agreement", "golden", 60),
    "resume": ("agreement", "resume", 40),
    "batch_norm": ("kernels", "batch_norm", 60),
    "two_processes": ("kernels", "two_processes", 60),
    "resnet18": ("speed", "resnet18", 130),
    "resnet50": ("speed", "resnet50", 50),
    "several": ("speed", "several", 90),
    "knn": ("neighbours", "knn", 210),
}
REHEARSAL = 5  # times that limit, on a CPU that others use, too


def measure(name: str, device: str, tiny: bool, data: Path | None) -> dict[str, Any]:
    """What one part found, or what went wrong; and the seconds that it took."""
    module, function, limit = PARTS[name]
    limit *= REHEARSAL if tiny else 1
    ours, theirs = multiprocessing.Pipe(duplex=False)
    given = (module, function, device, tiny, data, theirs)
    process = multiprocessing.get_context("spawn").Process(target=_part, args=given)
    start = time.monotonic()
    process.start()
    theirs.close()
    try:
        found = ours.recv() if ours.poll(limit) else {"error": f"not done within {limit} s"}
    except EOFError:
        found = {"error": "the process ended without a word"}
    if process.is_alive() and "error" in found:
        process.kill()
    process.join()
    return found | {"took_seconds": round(time.monotonic() - start, 1)}


def _part(module: str, function: str, device: str, tiny: bool, data: Path | None, answer: Connection) -> None:
    import torch

    from tests.bench.on_gpu.setting import Setting

    torch.set_num_threads(1 if tiny else max(1, (os.cpu_count() or 2) // 2))
    try:
        part = getattr(importlib.import_module(f"tests.bench.on_gpu.{module}"), function)
        answer.send(part(Setting(device, tiny, data)))
    except Exception:
        answer.send({"error": traceback.format_exc()})


def machine(device: str) -> dict[str, Any]:
    """What it was measured on."""
    import torch

    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    return {
        "device": name,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "python": sys.version.split()[0],
    }


def main(arguments: list[str] | None = None) -> int:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="a rehearsal of all parts at tiny size")
    parser.add_argument(
        "--part", action="append", choices=tuple(PARTS), help="only this one (may be repeated)"
    )
    parser.add_argument("--out", type=Path, default=Path("results/bench/gpu.json"))
    parser.add_argument("--data", type=Path, help="a prepared data set: the folder with train.images.npy")
    parser.add_argument("--wheels", type=Path, help="a folder of wheels of pure Python to import from")
    options = parser.parse_args(arguments)
    if options.wheels:
        wheels = [str(path.resolve()) for path in sorted(options.wheels.glob("*-none-any.whl"))]
        sys.path += wheels
        # For the processes of the parts, too.
        os.environ["PYTHONPATH"] = os.pathsep.join([*wheels, *filter(None, [os.environ.get("PYTHONPATH")])])
    found: dict[str, Any] = {"machine": machine(options.device), "tiny": options.tiny}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    for name in options.part or PARTS:
        found[name] = measure(name, options.device, options.tiny, options.data)
        options.out.write_text(json.dumps(found, indent=2) + "\n")
        print(json.dumps({name: found[name]}), flush=True)
    wrong = [
        name
        for name in PARTS
        if name in found and ("error" in found[name] or not found[name].get("holds", True))
    ]
    print(f"wrong: {', '.join(wrong)}" if wrong else "all parts hold", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
