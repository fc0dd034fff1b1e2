"""Food-101: meta/classes.txt, meta/{train,test}.txt with lines "apple_pie/1005649", images/<class>/*.jpg."""

from __future__ import annotations

from pathlib import Path

from stages.data.records import Declaration
from stages.obtaining import official_lists
from stages.obtaining.official_lists import Listing, Sample


def listing(tree: Path, declared: Declaration) -> Listing:
    classes = official_lists.Classes(official_lists.lines(tree / "meta" / "classes.txt"))

    def samples(split: str) -> list[Sample]:
        path = tree / "meta" / f"{split}.txt"
        return [
            (f"images/{name}.jpg", classes.label(name.split("/")[0], path))
            for name in official_lists.lines(path)
        ]

    return {"train": samples("train"), "test": samples("test")}
