"""Photographs per second: decoded, cropped twice and batched, ours beside torchvision's, and with a training.

All on real photographs of 512 px: pieces of those that scikit-learn ships, and the embedded data set enlarged, written
as JPEG. A loader has one process of one thread that reads ahead, so its rate is that of a core. Rounds interleave.

  loading   `Photographs.ahead`, and ImageFolder with a DataLoader and two RandomResizedCrops
  training  the same network on the same batch again and again; then on what the loader gives. The two overlap where
            the latter takes at most a tenth longer than the slower of loading and training alone.

    python -m tests.bench.photographs                 # both, in about two minutes; each is said as soon as it is known
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from simclr.encoder import resnet
from simclr.heads import projection_head
from simclr.lars import Lars
from simclr.losses.nt_xent import nt_xent
from simclr.training import Pretraining
from simclr.views import Begin, Update, ViewPolicy
from simclr.views.standard import ColorDistortion, GaussianBlur, RandomCrop, RandomFlip
from stages.data.file_lists import UNKNOWN, Entry, FileList
from stages.data.photographs import Photographs
from tests.bench.contenders import Contender, interleaved, ratio
from tests.bench.findings import Finding, line

SIDE, CLASSES = 512, 10
DISTINCT, COPIES = 200, 5  # an epoch of copies is long, and soon written
EMBEDDED, TILE = Path("data/cifar10_subset"), 32
# side of the views, images of a batch, depth of the network that trains (CIFAR stem)
SIZE, BATCH, DEPTH = 64, 32, 8
AHEAD = 3  # batches before a clock starts: more than the two that lie ready after a pause
LEAST, OVERLAP = 1.5, 0.9
Measure = Callable[[], float]


def write_photographs(folder: Path, distinct: int = DISTINCT, copies: int = COPIES) -> None:
    """JPEGs below a folder for each class: half of them enlarged pieces of photographs, half CIFAR-10's."""
    from sklearn.datasets import load_sample_images

    large = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    sheets = [Image.open(path).convert("RGB") for path in sorted(EMBEDDED.glob("train_*.webp"))]
    draw = np.random.default_rng(0)
    for i in range(distinct):
        source = large[i // 2 % 2] if i % 2 else sheets[i // 2 % len(sheets)]
        side = int(draw.integers(200, 420)) if i % 2 else TILE
        x, y = (int(draw.integers(0, whole - side + 1)) for whole in source.size)
        x, y = (x, y) if i % 2 else (x // TILE * TILE, y // TILE * TILE)
        first = folder / f"{i % CLASSES}" / f"{i:06}-0.jpg"
        first.parent.mkdir(exist_ok=True)
        piece = source.crop((x, y, x + side, y + side)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        piece.save(first, quality=90)
        for copy in range(1, copies):
            shutil.copyfile(first, first.with_name(f"{i:06}-{copy}.jpg"))


def photographs(folder: str) -> Photographs:
    """What `write_photographs` wrote, read ahead by one process."""
    torch.set_num_threads(1)
    paths = sorted(Path(folder).rglob("*.jpg"))
    entries = tuple(Entry(str(path.relative_to(folder)), path.stat().st_size, UNKNOWN) for path in paths)
    return Photographs(FileList(Path(folder), entries), workers=1)


def rate(batches: Iterator[object], seconds: float) -> Measure:
    """What measures a round: images a second of an endless iterator, in so many seconds."""
    for _ in range(AHEAD):
        next(batches)

    def measure() -> float:
        for _ in range(AHEAD):
            next(batches)
        start, count = time.perf_counter(), 0
        while (taken := time.perf_counter() - start) < seconds or not count:
            next(batches)
            count += 1
        return count * BATCH / taken

    return measure


class TwoCrops:
    """torchvision's random crops of one photograph, as its users write them: (2, 3, size, size)."""

    def __init__(self, size: int) -> None:
        from torchvision import transforms

        crop = transforms.RandomResizedCrop(size, interpolation=transforms.InterpolationMode.BICUBIC)
        self.make = transforms.Compose([crop, transforms.ToTensor()])

    def __call__(self, image: Image.Image) -> Tensor:
        return torch.stack([self.make(image), self.make(image)])


def torchvisions(folder: str, seconds: float) -> Measure:
    """Two crops of each photograph by torchvision's loader, epoch after epoch."""
    from torchvision.datasets import ImageFolder

    torch.set_num_threads(1)
    # A worker that is started anew in every epoch would be idle meanwhile.
    options: dict[str, Any] = {"multiprocessing_context": "spawn", "persistent_workers": True}
    loader = DataLoader(
        ImageFolder(folder, TwoCrops(SIZE)), BATCH, num_workers=1, shuffle=True, drop_last=True, **options
    )

    def batches() -> Iterator[Tensor]:
        while True:
            yield from (crops for crops, _ in loader)

    return rate(batches(), seconds)


def ours(folder: str, seconds: float) -> Measure:
    """Two begun views of each photograph by `Photographs.ahead`."""
    images, policy = photographs(folder), ViewPolicy(size=SIZE, ops=(RandomCrop(),))

    def asked() -> Iterator[Update]:
        order = torch.Generator().manual_seed(0)
        while True:
            drawn = torch.randperm(len(images), generator=order)
            yield from (
                Update(epoch=0, index=rows, rows=rows)
                for rows in drawn[: len(images) // BATCH * BATCH].split(BATCH)
            )

    return rate(images.ahead(asked(), partial(policy.begin, seed=0)), seconds)


class Again:
    """A collection whose every update has the views of its first one: what a training costs without its loading."""

    def __init__(self, images: Photographs) -> None:
        self.images, self.device = images, images.device

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Tensor) -> Tensor:
        return self.images[index]

    def split(self, size: int) -> Iterator[Tensor]:
        """As the photographs themselves."""
        return self.images.split(size)

    def ahead(self, updates: Iterator[Update], begin: Begin) -> Iterator[Tensor]:
        """The first update's views, as often as there are updates."""
        first = next(updates)
        views = begin(self.images[first.rows], first.index, first.epoch)
        yield views
        yield from (views for _ in updates)


def training(folder: str, seconds: float, loads: bool) -> Measure:
    """A pretraining of a ResNet with the CIFAR stem; without `loads` it has one batch, again and again."""
    images = photographs(folder)
    encoder = resnet(depth=DEPTH, stem="cifar")
    pretraining = Pretraining(
        images if loads else Again(images),
        seed=0,
        batch_size=BATCH,
        epochs=10**6,
        base_lr=0.3,
        loss=partial(nt_xent, temperature=0.5),
        views=ViewPolicy(
            size=SIZE, ops=(RandomCrop(), RandomFlip(), ColorDistortion(strength=0.5), GaussianBlur())
        ),
        encoder=encoder,
        head=projection_head(encoder.feature_dim),
        optimizer=partial(Lars, weight_decay=1e-6),
    )
    return rate(iter(pretraining.step, None), seconds)


def loading(rounds: int, seconds: float) -> list[Finding]:
    """Images a second of our loader, beside torchvision's."""
    with tempfile.TemporaryDirectory() as folder:
        write_photographs(Path(folder))
        found = interleaved(
            {
                "our images/s": _contender("ours", folder, seconds),
                "torchvision's images/s": _contender("torchvisions", folder, seconds),
            },
            rounds,
        )
    measured = {name: statistics.median(rates) for name, rates in found.items()}
    what = f"photographs of {SIDE} px to two crops of {SIZE} px, against torchvision's loader"
    return [Finding(what, ratio(*found.values()), "x", LEAST, None, measured)]


def overlapping(rounds: int, seconds: float) -> list[Finding]:
    """Training on photographs beside the slower of the two alone, round by round."""
    with tempfile.TemporaryDirectory() as folder:
        write_photographs(Path(folder))
        contenders = {
            "loading alone, images/s": _contender("ours", folder, seconds),
            "training alone, images/s": _contender("training", folder, seconds, loads=False),
            "end to end, images/s": _contender("training", folder, seconds, loads=True),
        }
        found = interleaved(contenders, rounds)
    load, train, together = found.values()
    measured = {name: statistics.median(rates) for name, rates in found.items()}
    value = ratio(together, [min(pair) for pair in zip(load, train, strict=True)])
    what = "pretraining on photographs, against the slower of loading and training"
    return [Finding(what, value, "x", OVERLAP, None, measured)]


def _contender(name: str, folder: str, seconds: float, **more: Any) -> Contender:
    return Contender(f"tests.bench.photographs:{name}", {"folder": folder, "seconds": seconds, **more})


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="of one contender in one round")
    options = parser.parse_args()
    for part in (loading, overlapping):
        for each in part(options.rounds, options.seconds):
            print(line(vars(each) | {"met": each.met}), each.measured, sep="\n  ", flush=True)


if __name__ == "__main__":
    main()
