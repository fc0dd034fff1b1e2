"""Real photographs as files: those that scikit-learn ships, cut and written as cameras and data sets write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

from common import files
from stages.data.file_lists import Entry, FileList


def file_list(folder: Path, count: int, longer_side: int = 160) -> FileList:
    """`count` JPEGs and PNGs of many sizes, each a different piece of a photograph, with their checksums."""
    folder.mkdir(parents=True, exist_ok=True)
    sources = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    draw = np.random.default_rng(0)
    for i in range(count):
        width, height = draw.integers(longer_side // 2, longer_side, 2)
        x, y = draw.integers(0, 640 - width), draw.integers(0, 427 - height)
        piece = sources[i % 2].crop((x, y, x + width, y + height))
        name = folder / f"{i:05}.{'png' if i % 5 == 4 else 'jpg'}"
        piece.save(name, **({} if i % 5 == 4 else {"quality": 90}))
    return listed(folder)


def listed(folder: Path) -> FileList:
    """The files of a folder, by name, as `prepare` lists them."""
    paths = sorted(path for path in folder.iterdir())
    return FileList(folder, tuple(Entry(p.name, p.stat().st_size, files.sha256_file(p)) for p in paths))
