"""Image pairs per second of pretraining, end to end: views, both forwards, loss, backward, LARS.

The network and settings are the recipe of scale reduced (ResNet-8, 16 px, batch 256) on as many one-thread processes as
the driver would start. Prints one line a process and their sum, as JSON. `--against-lightly` also times lightly's
SimCLR (its transforms in two loader workers, its projection head and loss, the same network), if it is installed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time

import torch

from simclr.training import Pretraining
from stages.planning.plans import read_plan
from stages.running.driver import default_jobs
from stages.running.job import bind

WARM_UP = 5
IMAGES = 10_000


def ours(steps: int, threads: int) -> float:
    """Pairs per second of one process."""
    run = next(run for run in read_plan("table_05", "reduced").runs("pretrain") if run.seed == 0)
    import stages.pretrain  # noqa: F401 - registers what the recipe binds

    bind(run)
    torch.set_num_threads(threads)
    images = torch.randint(0, 256, (IMAGES, 3, 32, 32), dtype=torch.uint8, generator=torch.manual_seed(0))
    training = Pretraining(images, seed=0)
    for _ in range(WARM_UP):
        training.step()
    start = time.perf_counter()
    for _ in range(steps):
        training.step()
    return steps * training.pairs_per_step / (time.perf_counter() - start)


def lightlys(steps: int, threads: int) -> float:
    """Pairs per second of lightly's transform, head and loss around the same encoder, as its examples write it."""
    import numpy as np
    from lightly.loss import NTXentLoss
    from lightly.models.modules import SimCLRProjectionHead
    from lightly.transforms import SimCLRTransform
    from PIL import Image

    from simclr.encoder import resnet

    torch.set_num_threads(threads)
    pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, 32, 32, 3), dtype=np.uint8)
    pictures = [Image.fromarray(image) for image in pixels]
    transform = SimCLRTransform(input_size=16, cj_strength=0.5, gaussian_blur=0.0)
    views = [(picture, transform) for picture in pictures]
    loader = torch.utils.data.DataLoader(Views(views), 256, shuffle=True, num_workers=2, drop_last=True)
    encoder = resnet(8, stem="cifar").to(memory_format=torch.channels_last)
    head, loss = SimCLRProjectionHead(encoder.feature_dim, encoder.feature_dim, 64), NTXentLoss(0.5)
    optimizer = torch.optim.SGD([*encoder.parameters(), *head.parameters()], lr=0.1, momentum=0.9)
    done, start = 0, 0.0
    for a, b in loader:
        if done == WARM_UP:
            start = time.perf_counter()
        optimizer.zero_grad()
        loss(head(encoder(a)), head(encoder(b))).backward()
        optimizer.step()
        done += 1
        if done == min(steps, len(loader) - WARM_UP) + WARM_UP:
            break
    return (done - WARM_UP) * 256 / (time.perf_counter() - start)


class Views(torch.utils.data.Dataset):
    """Two transformed views of each picture."""

    def __init__(self, pairs: list) -> None:
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple:
        picture, transform = self.pairs[index]
        a, b = transform(picture)
        return a, b


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--processes", type=int, default=default_jobs())
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--against-lightly", action="store_true")
    options = parser.parse_args()
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        rates = pool.starmap(ours, [(options.steps, options.threads)] * options.processes)
    result = {
        "processes": options.processes,
        "threads": options.threads,
        "each": rates,
        "pairs_per_second": sum(rates),
    }
    if options.against_lightly:
        result["lightly_pairs_per_second"] = lightlys(min(options.steps, 30), options.processes)
    print(
        json.dumps({k: [round(x) for x in v] if isinstance(v, list) else round(v) for k, v in result.items()})
    )


if __name__ == "__main__":
    main()
