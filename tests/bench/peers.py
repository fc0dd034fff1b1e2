"""The peer as a contender, in the environment of requirements/bench.txt: lightly's SimCLR as its examples write it.

Its transform on PIL images in a DataLoader, its projection head and loss, SGD; around ResNet-18 as lightly's and
torchvision's users change it for CIFAR-10, or around our ResNet-8, which they have not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import nn

from tests.bench.training import IMAGES


class Views(torch.utils.data.Dataset):
    """Two transformed views of each picture."""

    def __init__(self, pictures: list, transform: Callable) -> None:
        self.pictures, self.transform = pictures, transform

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple:
        a, b = self.transform(self.pictures[index])
        return a, b


def lightly(
    network: str,
    size: int,
    batch: int,
    precision: str,
    workers: int,
    threads: int,
    channels_last: bool,
    seconds: float,
) -> Callable[[], float]:
    """Measures image pairs per second. channels_last: the memory format of ours, which its examples do not ask for."""
    from lightly.loss import NTXentLoss
    from lightly.models.modules import SimCLRProjectionHead

    torch.set_num_threads(threads)
    encoder, dim = NETWORKS[network]()
    if channels_last:
        encoder = encoder.to(memory_format=torch.channels_last)
    head, loss = SimCLRProjectionHead(dim, dim, 128 if dim > 256 else 64), NTXentLoss(0.5)
    optimizer = torch.optim.SGD([*encoder.parameters(), *head.parameters()], lr=0.1, momentum=0.9)
    batches = endless(size, batch, workers)

    def step() -> None:
        a, b = next(batches)
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            value = loss(head(encoder(a)), head(encoder(b)))
        value.backward()
        optimizer.step()

    step()

    def measure() -> float:
        # What its workers made while others were measured does not count, where it would count much: of steps that are
        # mostly views. And they must not work while others are measured.
        for _ in range(2 * workers + 1 if network == "resnet8" else 1):
            step()
        start, done = time.perf_counter(), 0
        while done < 2 or time.perf_counter() - start < seconds:
            step()
            done += 1
        found = done * batch / (time.perf_counter() - start)
        time.sleep(0.3 if workers == 0 else 1.5)
        return found

    return measure


def endless(size: int, batch: int, workers: int) -> Iterator[tuple]:
    """Batches of two views from lightly's transform, epoch after epoch."""
    from lightly.transforms import SimCLRTransform
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, 32, 32, 3), dtype=np.uint8)
    pictures = [Image.fromarray(image) for image in pixels]
    views = Views(pictures, SimCLRTransform(input_size=size, cj_strength=0.5, gaussian_blur=0.0))
    loader = torch.utils.data.DataLoader(
        views, batch, shuffle=True, num_workers=workers, drop_last=True, persistent_workers=workers > 0
    )
    while True:
        yield from loader


def resnet18() -> tuple[nn.Module, int]:
    """torchvision's, with the CIFAR stem."""
    import torchvision

    network = torchvision.models.resnet18()
    network.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    network.maxpool, network.fc = nn.Identity(), nn.Identity()
    return network, 512


def resnet8() -> tuple[nn.Module, int]:
    """Ours, as lightly has none so small."""
    from simclr.encoder import resnet

    network = resnet(8, stem="cifar", base_channels=16)
    return network, network.feature_dim


NETWORKS = {"resnet18": resnet18, "resnet8": resnet8}
