"""What a declaration expects of photographs: how many of each split, which labels, and what may be missing."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np

from common.errors import UserError
from stages.data.datasets import STORED, class_count
from stages.data.records import Declaration
from stages.obtaining.inspection import Surveyed, some
from stages.obtaining.official_lists import Listing

WHERE = "of {name} in params/datasets.yaml"
LONGEST_NAME = 255  # bytes, on the file systems in use
OWN = "imagefolder"  # the layout of images that came from no archive: what to do about them is another thing
DECLARE_AGAIN = (
    "bring back the files as they were; or, if this is how they are to be, declare them again: "
    "`python -m stages declare_dataset --name {name} --folder FOLDER --replace`"
)


def check(surveyed: dict[str, Surveyed], declared: Declaration, where: Path) -> None:
    """UserError unless both splits have the declared numbers and labels; prints what is left out."""
    sizes = {split: len(surveyed[split].entries) + len(surveyed[split].left_out) for split in STORED}
    check_sizes(sizes, declared, where)
    for split in STORED:
        check_labels(surveyed[split].labels, split, declared, where)
        _check_usable(surveyed[split], split, declared, where)
        _tell_empty_classes(surveyed[split].labels, split, declared)


def check_sizes(sizes: dict[str, int], declared: Declaration, tree: Path) -> None:
    """Both splits have as many images as declared."""
    for split in STORED:
        if sizes[split] != declared["splits"][split]["size"]:
            asked = ", ".join(f"{split}: {{size: {size}}}" for split, size in sizes.items())
            raise UserError(
                f"{split} has another number of images",
                expected=f"{declared['splits'][split]['size']:,}, as declared",
                found=f"{sizes[split]:,}",
                where=tree,
                remedy=DECLARE_AGAIN.format(**declared)
                if declared["layout"] == OWN
                else "use the whole official distribution; or, to work with the images that are there, write "
                f"`splits: {{{asked}}}` into the entry {WHERE.format(**declared)}. "
                "That is another data set, and its numbers are not comparable with the paper's",
            )


def _check_usable(surveyed: Surveyed, split: str, declared: Declaration, tree: Path) -> None:
    """UserError unless as many images remain as declared; where none is declared, prints what to declare."""
    usable, expected = len(surveyed.entries), declared["splits"][split].get("usable")
    if expected is not None and usable != expected:
        raise UserError(
            f"{split} has another number of usable images",
            expected=f"{expected:,}, as declared",
            found=f"{usable:,}; left out are {some(surveyed.left_out) or 'none'}",
            where=tree,
            remedy=f"restore what is missing, or write `usable: {usable}` for {split} {WHERE.format(**declared)}",
        )
    if surveyed.left_out:
        print(
            f"{declared['name']}: {split} does without {len(surveyed.left_out):,} images: {some(surveyed.left_out)}"
        )
        if expected is None and "skip" in (declared.get("absent"), declared.get("undecodable")):
            print(
                f"  Write `usable: {usable}` for {split} {WHERE.format(**declared)}: "
                "runs on another part of the set are then told apart."
            )


def check_paths(listing: Listing, tree: Path) -> None:
    """Every path lies below the tree, fits in a line of a list, and is named once, in one split."""
    where: dict[str, str] = {}
    for split in STORED:
        for path, _ in listing[split]:
            if problem := _problem_of(path):
                raise UserError(
                    "a photograph has a name that cannot be used",
                    expected="a path below the folder of the data set, UTF-8 without line breaks",
                    found=f"{path[:200]!a}: {problem}",
                    where=tree,
                    remedy="rename the file, or unpack the official lists again",
                )
            if path in where:
                raise UserError(
                    "the lists name a photograph twice",
                    expected="every photograph once, in train or in test",
                    found=f"{path} in {where[path]} and in {split}",
                    where=tree,
                    remedy="unpack the official lists again",
                )
            where[path] = split


def _problem_of(path: str) -> str:
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        return "it leads out of the folder"
    if any(len(part.encode("utf-8", "replace")) > LONGEST_NAME for part in PurePosixPath(path).parts):
        return "no file can be called so"
    if len(path.splitlines()) != 1 or path.encode("utf-8", "replace").decode() != path:
        return "no line of a list can hold it"
    return ""


def check_labels(labels: np.ndarray, split: str, declared: Declaration, tree: Path) -> None:
    """Every label is that of a class, and every class has a sample where its metric or training needs one."""
    classes = class_count(declared)
    if not len(labels):
        raise UserError(f"{split} has no image", expected="images", found="none", where=tree)
    if labels.ndim == 1 and not 0 <= labels.min() <= labels.max() < classes:
        raise UserError(
            f"{split} has labels outside the classes",
            expected=f"0 to {classes - 1}",
            found=f"{labels.min()} to {labels.max()}",
            where=tree,
        )
    empty = empty_classes(labels, declared)
    if not empty or (split == "test" and declared["metric"] == "top1"):
        return  # of images of fewer classes accuracy is defined all the same
    raise UserError(
        f"{split} has a class without a sample",
        expected=f"images of each of {classes} classes",
        found=f"none of {some(empty)}",
        where=tree,
        remedy="training needs an image of every class"
        if split == "train"
        else f"the metric {declared['metric']} needs a test image of every class",
    )


def empty_classes(labels: np.ndarray, declared: Declaration) -> list[str]:
    """The classes without a sample, by name or, where only their number is declared, by label."""
    classes = class_count(declared)
    counts = np.bincount(labels, minlength=classes) if labels.ndim == 1 else (labels == 1).sum(axis=0)
    names = declared["classes"] if isinstance(declared["classes"], list) else range(classes)
    return [str(names[i]) for i in np.flatnonzero(counts == 0)]


def _tell_empty_classes(labels: np.ndarray, split: str, declared: Declaration) -> None:
    if empty := empty_classes(labels, declared):
        print(f"{declared['name']}: {split} has no image of {len(empty)} classes: {some(empty)}")
