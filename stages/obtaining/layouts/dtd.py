"""DTD, first split: labels/{train,val,test}1.txt with lines "banded/banded_0002.jpg", images/<class>/*.jpg."""

from __future__ import annotations

from pathlib import Path

from stages.data.records import Declaration
from stages.obtaining import official_lists
from stages.obtaining.official_lists import Listing


def listing(tree: Path, declared: Declaration) -> Listing:
    names = {
        split: official_lists.lines(tree / "labels" / f"{split}1.txt") for split in ("train", "val", "test")
    }
    classes = official_lists.Classes(sorted({name.split("/")[0] for part in names.values() for name in part}))
    of = {
        split: [(f"images/{name}", classes[name.split("/")[0]]) for name in part]
        for split, part in names.items()
    }
    return {"train": of["train"] + of["val"], "test": of["test"]}
