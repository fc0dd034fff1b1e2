"""Stanford Cars: devkit/cars_train_annos.mat, cars_test_annos_withlabels.mat, cars_{train,test}/*.jpg."""

from __future__ import annotations

from pathlib import Path

from stages.data.records import Declaration
from stages.obtaining import official_lists
from stages.obtaining.official_lists import Listing, Sample


def listing(tree: Path, declared: Declaration) -> Listing:

    def samples(split: str, path: Path) -> list[Sample]:
        rows = official_lists.records(path, "annotations", "fname", "class")
        return [(f"cars_{split}/{name}", official_lists.number(label, path) - 1) for name, label in rows]

    return {
        "train": samples("train", tree / "devkit" / "cars_train_annos.mat"),
        "test": samples("test", tree / "cars_test_annos_withlabels.mat"),
    }
