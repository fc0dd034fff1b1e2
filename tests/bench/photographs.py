"""Photographs per second: decoded, cropped twice and batched, ours beside torchvision's, and with a training.

All in one run, on real photographs of 512 px: pieces of those that scikit-learn ships, and the embedded data set
enlarged, written as JPEG. Both loaders run in `--workers` processes of one thread and start before the clock does.

  loading   `Photographs.ahead`, and ImageFolder with a DataLoader and two RandomResizedCrops; images a second and core
  training  the same network on the same batch again and again; then on what the loader gives. The two overlap where
            the latter takes at most a tenth longer than the slower of loading and training alone.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

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
from simclr.views import Begin, ImageCollection, Update, ViewPolicy
from simclr.views.standard import ColorDistortion, GaussianBlur, RandomCrop, RandomFlip
from stages.data.file_lists import UNKNOWN, Entry, FileList
from stages.data.photographs import Photographs

SIDE, CLASSES = 512, 10
EMBEDDED, TILE = Path("data/cifar10_subset"), 32
WARM_UP = 6  # batches before the clock starts: more than are read ahead


def write_photographs(folder: Path, count: int) -> FileList:
    """`count` JPEGs below a folder for each class, half of them enlarged pieces of photographs, half CIFAR-10's."""
    from sklearn.datasets import load_sample_images

    large = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    sheets = [Image.open(path).convert("RGB") for path in sorted(EMBEDDED.glob("train_*.webp"))]
    draw, entries = np.random.default_rng(0), []
    for i in range(count):
        source = large[i // 2 % 2] if i % 2 else sheets[i // 2 % len(sheets)]
        side = int(draw.integers(200, 420)) if i % 2 else TILE
        x, y = (int(draw.integers(0, whole - side + 1)) for whole in source.size)
        x, y = (x, y) if i % 2 else (x // TILE * TILE, y // TILE * TILE)
        path = folder / f"{i % CLASSES}" / f"{i:06}.jpg"
        path.parent.mkdir(exist_ok=True)
        piece = source.crop((x, y, x + side, y + side)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        piece.save(path, quality=90)
        entries.append(Entry(str(path.relative_to(folder)), path.stat().st_size, UNKNOWN))
    return FileList(folder, tuple(entries))


class TwoCrops:
    """torchvision's random crops of one photograph, as its users write them: (2, 3, size, size)."""

    def __init__(self, size: int) -> None:
        from torchvision import transforms

        crop = transforms.RandomResizedCrop(size, interpolation=transforms.InterpolationMode.BICUBIC)
        self.make = transforms.Compose([crop, transforms.ToTensor()])

    def __call__(self, image: Image.Image) -> Tensor:
        return torch.stack([self.make(image), self.make(image)])


def torchvisions(folder: Path, size: int, batch: int, workers: int) -> Iterator[Tensor]:
    """Batches of two crops from torchvision's loader, epoch after epoch."""
    from torchvision.datasets import ImageFolder

    options = {
        "shuffle": True,
        "drop_last": True,
        "multiprocessing_context": "spawn",
        "persistent_workers": True,
    }
    loader = DataLoader(ImageFolder(folder, TwoCrops(size)), batch, num_workers=workers, **options)
    while True:
        yield from (crops for crops, _ in loader)


def ours(images: Photographs, size: int, batch: int, steps: int) -> Iterator[Tensor]:
    """Batches of two begun views."""
    policy, order = ViewPolicy(size=size, ops=(RandomCrop(),)), torch.Generator().manual_seed(0)
    drawn = (torch.randperm(len(images), generator=order)[:batch] for _ in range(steps))
    return images.ahead(
        (Update(step, rows, rows) for step, rows in enumerate(drawn)), partial(policy.begin, seed=0)
    )


def rate(batches: Iterable, images: int, steps: int) -> float:
    """Images a second over `steps` batches, after the first WARM_UP of them."""
    batches = iter(batches)
    for _ in range(WARM_UP):
        next(batches)
    start = time.perf_counter()
    for _ in range(steps):
        next(batches)
    return steps * images / (time.perf_counter() - start)


class Again:
    """A collection whose every update has the views of its first one: what a training costs without its loading."""

    def __init__(self, images: Photographs) -> None:
        self.images, self.device = images, images.device

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Tensor) -> Tensor:
        return self.images[index]

    def split(self, size: int) -> Iterator[Tensor]:
        return self.images.split(size)

    def ahead(self, updates: Iterator[Update], begin: Begin) -> Iterator[Tensor]:
        """The first update's views, as often as there are updates."""
        first = next(updates)
        views = begin(self.images[first.rows], first.index, first.epoch)
        yield views
        yield from (views for _ in updates)


def updates(images: ImageCollection, size: int, batch: int, depth: int) -> Iterator[object]:
    """A pretraining of a ResNet with the CIFAR stem, an update at a time."""
    operators = (RandomCrop(), RandomFlip(), ColorDistortion(strength=0.5), GaussianBlur())
    encoder = resnet(depth=depth, stem="cifar")
    training = Pretraining(
        images,
        seed=0,
        batch_size=batch,
        epochs=10**6,
        base_lr=0.3,
        loss=partial(nt_xent, temperature=0.5),
        views=ViewPolicy(size=size, ops=operators),
        encoder=encoder,
        head=projection_head(encoder.feature_dim),
        optimizer=partial(Lars, weight_decay=1e-6),
    )
    while True:
        yield training.step()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=int, default=2_000)
    parser.add_argument("--size", type=int, default=64, help="side of the views in pixels")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=40, help="batches that are timed")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--depth", type=int, default=8, help="of the network that trains")
    options = parser.parse_args()
    torch.set_num_threads(1)
    size, batch, steps = options.size, options.batch, options.steps
    with tempfile.TemporaryDirectory() as folder:
        files = write_photographs(Path(folder), options.photographs)
        images = Photographs(files, workers=options.workers)
        theirs = rate(torchvisions(Path(folder), size, batch, options.workers), batch, steps)
        loading = rate(ours(images, size, batch, WARM_UP + steps), batch, steps)
        training = rate(updates(Again(images), size, batch, options.depth), batch, steps)
        together = rate(updates(images, size, batch, options.depth), batch, steps)
    found = {
        "torchvision_images_per_second_and_core": theirs / options.workers,
        "images_per_second_and_core": loading / options.workers,
        "times_torchvision": loading / theirs,
        "training_alone": training,
        "end_to_end": together,
        "of_the_slower_alone": together / min(loading, training),
    }
    print(json.dumps(vars(options) | {name: round(value, 2) for name, value in found.items()}))


if __name__ == "__main__":
    main()
