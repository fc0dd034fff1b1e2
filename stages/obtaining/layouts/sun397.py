"""SUN397, first split: ClassName.txt, {Training,Testing}_01.txt (in Partitions/ or beside it), a/abbey/*.jpg.

The lists have lines "/a/abbey/sun_aaalbzqrimafwbiv.jpg"; a class is the folder, "/c/church/indoor" too.
"""

from __future__ import annotations

from pathlib import Path

from stages.data.records import Declaration
from stages.obtaining import official_lists
from stages.obtaining.official_lists import Listing, Sample


def listing(tree: Path, declared: Declaration) -> Listing:
    classes = official_lists.Classes(official_lists.lines(tree / "ClassName.txt"))
    parts = tree / "Partitions" if (tree / "Partitions").is_dir() else tree

    def samples(part: str) -> list[Sample]:
        path = parts / f"{part}_01.txt"
        return [
            (name.lstrip("/"), classes.label(name.rsplit("/", 1)[0], path))
            for name in official_lists.lines(path)
        ]

    return {"train": samples("Training"), "test": samples("Testing")}
