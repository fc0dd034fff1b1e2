"""Oxford-IIIT Pets: annotations/{trainval,test}.txt with lines "Abyssinian_100 1 1 1", images/*.jpg."""

from __future__ import annotations

from pathlib import Path

from stages.data.records import Declaration
from stages.obtaining import official_lists
from stages.obtaining.official_lists import Listing, Sample


def listing(tree: Path, declared: Declaration) -> Listing:

    def samples(split: str) -> list[Sample]:
        path = tree / "annotations" / f"{split}.txt"
        return [
            (f"images/{name}.jpg", official_lists.number(label, path) - 1)
            for name, label, *_ in official_lists.rows(path, 4)
        ]

    return {"train": samples("trainval"), "test": samples("test")}
