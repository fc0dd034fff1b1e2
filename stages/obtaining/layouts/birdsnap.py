"""Birdsnap: images.txt (tab-separated, with "path" and "species_id" from 1), test_images.txt, images/<path>.

The official download script puts images into download/images; both places are looked at.
"""

from __future__ import annotations

from pathlib import Path

from common.errors import UserError
from stages.data.records import Declaration
from stages.obtaining import official_lists
from stages.obtaining.official_lists import Listing


def listing(tree: Path, declared: Declaration) -> Listing:
    folder = next((name for name in ("images", "download/images") if (tree / name).is_dir()), "images")
    rows = official_lists.columns(tree / "images.txt", "path", "species_id")
    of = {path: official_lists.number(species, tree / "images.txt") - 1 for path, species in rows}
    test = set(official_lists.lines(tree / "test_images.txt")[1:])
    if not test <= of.keys():
        raise UserError(
            "a test image is not among the images",
            expected="a path in images.txt",
            found=min(test - of.keys()),
            where=tree / "test_images.txt",
        )
    samples = {name: (f"{folder}/{name}", label) for name, label in of.items()}
    return {
        "train": [sample for name, sample in samples.items() if name not in test],
        "test": [sample for name, sample in samples.items() if name in test],
    }
