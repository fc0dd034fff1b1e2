"""Your own images: a folder per class, with image files of any format that Pillow reads, in it or in folders below.

The class folders lie in the data set's folder, or in its train/, val/ (or validation/, valid/) and test/. With all
three, val/ is the official validation split; with train/ and val/ alone, val/ is the test split, as ImageNet's is in
the paper. Where there is no folder of test images `hold_out_test: {fraction, seed}` holds out a class-balanced part by
address. Files are in the order of their paths, class by class; hidden entries and files that are no images do not
count.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np

from common.errors import UserError
from stages.data import splits
from stages.data.pictures import suffixes
from stages.data.records import Declaration
from stages.obtaining import official_lists
from stages.obtaining.official_lists import Classes, Listing, Sample

PARTS = {"train": "train", "val": "val", "validation": "val", "valid": "val", "test": "test"}


def listing(tree: Path, declared: Declaration) -> Listing:
    classes, parts = Classes(declared["classes"]), parts_of(tree)
    found = {part: _samples(tree, below, classes, declared) for part, below in parts.items()}
    if {"train", "val", "test"} <= found.keys():
        return {"train": found["train"] + found["val"], "test": found["test"]}
    if len(found) > 1:
        return {"train": found["train"], "test": found.get("test") or found["val"]}
    return _held_out(found["train"], tree, declared)


def parts_of(tree: Path) -> dict[str, str]:
    """The folder of each part below the tree: of train, and of val and test if they are there; "." if none has one."""
    names = [entry.name for entry in official_lists.visible(tree)[0] if entry.is_dir()]
    if "train" in names and set(names) <= PARTS.keys():
        return {PARTS[name]: name for name in names}
    return {"train": "."}


def class_names(tree: Path) -> list[str]:
    """The class folders of the training images, sorted: label i is the i-th."""
    return [
        entry.name for entry in official_lists.visible(tree / parts_of(tree)["train"])[0] if entry.is_dir()
    ]


def _samples(tree: Path, below: str, classes: Classes, declared: Declaration) -> list[Sample]:
    samples: list[Sample] = []
    others: list[str] = []
    for entry in official_lists.visible(tree / below)[0]:
        if entry.is_dir():
            label = classes.label(entry.name, tree / below)
            for path in _files(tree, PurePosixPath(below, entry.name), declared):
                is_image = PurePosixPath(path).suffix.lower() in suffixes()
                samples.append((path, label)) if is_image else others.append(path)
        else:
            others.append(entry.name)
    if others:
        print(
            f"{declared['name']}: {len(others):,} files do not count, as they are no images, first {others[0]}"
        )
    return samples


def _files(tree: Path, below: PurePosixPath, declared: Declaration) -> list[str]:
    """All files below a folder, in the order of their names, folder by folder."""
    found: list[str] = []
    here, hidden = official_lists.visible(tree / below)
    official_lists.tell_hidden(hidden, declared)
    for entry in here:
        path = below / entry.name
        found += _files(tree, path, declared) if entry.is_dir() else [_checked(str(path), tree)]
    return found


def _checked(path: str, tree: Path) -> str:
    """The path, if a line of a list can hold it."""
    if len(path.splitlines()) == 1 and path.encode("utf-8", "replace").decode() == path:
        return path
    raise UserError(
        "a file has a name that no list can hold",
        expected="UTF-8 without line breaks",
        found=ascii(path),
        where=tree,
        remedy="rename it",
    )


def _held_out(samples: list[Sample], tree: Path, declared: Declaration) -> Listing:
    if "hold_out_test" not in declared:
        raise UserError(
            "there are no test images",
            expected="a folder test/ or val/ beside train/, or a part to hold out",
            found="neither",
            where=tree,
            remedy=f"write `hold_out_test: {{fraction: 0.2, seed: 0}}` into the entry of {declared['name']} in "
            "params/datasets.yaml",
        )
    held = declared["hold_out_test"]
    labels = np.array([label for _, label in samples], dtype=np.int64)
    train, test = splits.hold_out(labels, held["fraction"], held["seed"], purpose="test images")
    return {"train": [samples[i] for i in train], "test": [samples[i] for i in test]}
