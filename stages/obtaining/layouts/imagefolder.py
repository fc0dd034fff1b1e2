"""Your own images: a folder per class, with image files of any format that Pillow reads, in it or in folders below.

The class folders lie in the data set's folder, or in its train/, val/ (or validation/, valid/) and test/, in small
letters or others. With all three, val/ is the official validation split; with train/ and val/ alone, val/ is the test
split, as ImageNet's is in the paper. Where there is no folder of test images `hold_out_test: {fraction, seed}` holds
out a class-balanced part by address. Files are in the order of their paths, class by class; hidden entries and files
that are no images do not count.
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

PARTS = {
    **{"train": "train", "training": "train"},
    **{"val": "val", "valid": "val", "validation": "val"},
    **{"test": "test", "testing": "test"},
}


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
    parts = {name: PARTS[name.lower()] for name in names if name.lower() in PARTS}
    found = sorted(set(parts.values()))
    if "train" not in found or (found == ["train"] and len(names) > 1):
        return {"train": "."}  # classes; one of them may be called so
    if len(parts) < len(names) or len(found) < len(parts):
        raise UserError(
            "it is not clear which folders are parts and which are classes",
            expected="a folder per class; or train/, val/ and test/, each at most once, and no other folder",
            found=", ".join(names[:6]),
            where=tree,
            remedy="move the other folders elsewhere",
        )
    return {part: name for name, part in parts.items()}


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
            for path in _files(tree, PurePosixPath(below, entry.name), declared, ()):
                samples.append((path, label)) if _is_image(path) else others.append(path)
        else:
            others.append(entry.name)
    official_lists.tell_others(others, "are no images, or lie in no folder of a class", declared)
    return samples


def _files(tree: Path, below: PurePosixPath, declared: Declaration, above: tuple[Path, ...]) -> list[str]:
    """All files below a folder, in the order of their names, folder by folder. `above`: where the way here led."""
    found: list[str] = []
    if (folder := (tree / below).resolve()) in above:
        raise UserError(
            "a link leads back to a folder above it",
            expected="folders without circles",
            found=folder,
            where=tree / below,
            remedy="remove the link",
        )
    here, hidden = official_lists.visible(tree / below)
    official_lists.tell_hidden(hidden, declared)
    for entry in here:
        path = below / entry.name
        if entry.is_dir():
            found += _files(tree, path, declared, (*above, folder))
        else:
            found.append(
                str(below / (official_lists.file_name(entry) if _is_image(entry.name) else entry.name))
            )
    return found


def _is_image(path: str) -> bool:
    return PurePosixPath(path).suffix.lower() in suffixes()


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
