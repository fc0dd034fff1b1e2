"""Make the small CIFAR-10 that ships in the repository from the verified full set.

    python -m stages embed --full results/data/cifar10 --out data/cifar10_subset

It writes one lossless WebP sheet of tiles for each class and split, index.csv (which image of the full set each tile
is) and manifest.json. Images are chosen by address (seed and index), balanced over the classes, and keep the order of
the full set.
"""

from __future__ import annotations

import argparse
import io
import math
from pathlib import Path
from typing import Any

import numpy as np

from common import files
from common.errors import UserError, command
from stages.data import datasets, splits
from stages.obtaining.declarations import DECLARATIONS, read_declaration

INDEX = "index.csv"


@command
def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and write the subset."""
    parser = argparse.ArgumentParser(prog="python -m stages embed", description=__doc__.splitlines()[0])
    parser.add_argument("--full", required=True, type=Path, help="the prepared full data set")
    parser.add_argument("--out", required=True, type=Path, help="where the subset goes")
    parser.add_argument("--dataset", default="cifar10_subset", help="its name in params/datasets.yaml")
    parser.add_argument(
        "--declarations",
        default=DECLARATIONS,
        type=Path,
        help="the file that declares it (default: params/datasets.yaml)",
    )
    options = parser.parse_args(arguments)
    subset = read_declaration(options.dataset, options.declarations)
    full = read_declaration(subset["subset"]["of"], options.declarations)
    embed(options.full, options.out, subset, full)


def embed(folder: Path, out: Path, subset: dict[str, Any], full: dict[str, Any]) -> None:
    """Write the subset of the prepared data set in `folder` to `out`; prints what to declare."""
    check_channels(datasets.load(folder, "train+validation", mmap=True)[0], full["channels"])
    seed, index_rows, written, arrays = subset["subset"]["seed"], ["split,index,label"], {}, {}
    for split in datasets.STORED:
        images, labels = datasets.load(folder, "test" if split == "test" else "train+validation", mmap=True)
        chosen = choose(labels, subset["splits"][split]["size"], seed, split)
        index_rows += [f"{split},{index},{labels[index]}" for index in chosen]
        for label, title in enumerate(subset["classes"]):
            name = f"{split}_{title}.webp"
            written[name] = encode_sheet(images[chosen[labels[chosen] == label]])
        arrays[split] = {
            "images": datasets.array_sha256(images[chosen]),
            "labels": datasets.array_sha256(labels[chosen]),
        }
    written[INDEX] = ("\n".join(index_rows) + "\n").encode()
    for name, data in written.items():
        files.write_bytes(out / name, data, only_if_changed=True)
    hashes = {name: "sha256:" + files.sha256_bytes(data) for name, data in written.items()}
    of = {"name": full["name"], "splits": datasets.read_manifest(folder)["splits"]}
    files.write_json(out / "manifest.json", {"of": of, "seed": seed, "arrays": arrays, "files": hashes})
    total = sum(map(len, written.values()))
    print(f"{len(written)} files, {total:,} bytes in {out}; params/datasets.yaml must declare these arrays:")
    for split, declared in arrays.items():
        print(f"  {split}: images {declared['images']}, labels {declared['labels']}")


def choose(labels: np.ndarray, size: int, seed: int, split: str) -> np.ndarray:
    """Ascending indices of `size` images, the same number of each class."""
    classes = int(labels.max()) + 1
    if size % classes:
        raise UserError(
            "the subset cannot be balanced", expected=f"a multiple of {classes} images", found=size
        )
    counts = np.full(classes, size // classes)
    return splits.first_of_each_class(labels, counts, seed, f"embedded {split}")


def encode_sheet(images: np.ndarray) -> bytes:
    """Lossless WebP of uint8 (n, H, W, 3), tiled row by row in a near-square sheet; empty tiles are black.

    Method 6 is the smallest and slowest; decoding costs the same.
    """
    from PIL import Image

    n, height, width, channels = images.shape
    across = math.ceil(math.sqrt(n))
    down = math.ceil(n / across)
    tiles = np.zeros((down * across, height, width, channels), np.uint8)
    tiles[:n] = images
    sheet = tiles.reshape(down, across, height, width, channels).transpose(0, 2, 1, 3, 4)
    stream = io.BytesIO()
    picture = Image.fromarray(sheet.reshape(down * height, across * width, channels))
    picture.save(stream, format="WEBP", lossless=True, quality=100, method=6)
    return stream.getvalue()


def check_channels(images: np.ndarray, published: dict[str, list[float]]) -> None:
    """Compare the training set's channel means and deviations with the published ones, to 8 digits.

    From exact integer sums over (n, H, W, 3), in [0, 1]. UserError if any differs by more than 5e-9.
    """
    counts = [np.bincount(images[..., channel].reshape(-1), minlength=256) for channel in range(3)]
    values = np.arange(256) / 255
    mean = np.array([count @ values / count.sum() for count in counts])
    std = np.array(
        [math.sqrt(count @ values**2 / count.sum() - m**2) for count, m in zip(counts, mean, strict=True)]
    )
    for name, measured in (("mean", mean), ("std", std)):
        # Half a unit of the last published digit, and a little for rounding.
        if np.abs(measured - published[name]).max() > 5.1e-9:
            raise UserError(
                f"the channels do not have the published {name}",
                expected=published[name],
                found=measured.tolist(),
                remedy="prepare the full data set again",
            )
