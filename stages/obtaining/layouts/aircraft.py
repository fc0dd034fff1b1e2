"""FGVC Aircraft, variants: data/variants.txt, data/images_variant_{train,val,test}.txt, data/images/*.jpg.

The lists have lines "1025794 707-320". The banner at an image's foot stays, as in torchvision.
"""

from __future__ import annotations

from pathlib import Path

from stages.data.records import Declaration
from stages.obtaining import official_lists
from stages.obtaining.official_lists import Listing, Sample


def listing(tree: Path, declared: Declaration) -> Listing:
    data = tree / "data"
    classes = official_lists.Classes(official_lists.lines(data / "variants.txt"))

    def samples(split: str) -> list[Sample]:
        path = data / f"images_variant_{split}.txt"
        return [
            (f"data/images/{name}.jpg", classes.label(variant, path))
            for name, variant in official_lists.rows(path, 2)
        ]

    return {"train": samples("train") + samples("val"), "test": samples("test")}
