"""ImageNet: train/<WordNet id>/*.JPEG; label i is the i-th of the sorted WordNet ids.

The official validation images are the test split, as in the paper: val/<WordNet id>/*.JPEG, or val/*.JPEG as their
archive unpacks, if one of these says which image is of which class (below the data set's folder):

- the devkit's ILSVRC2012_validation_ground_truth.txt and meta.mat, in ILSVRC2012_devkit_t12/data/ or beside val/
- LOC_val_solution.csv, with lines "ILSVRC2012_val_00000001,n01751748 111 108 230 270"
- Annotations/CLS-LOC/val/ILSVRC2012_val_00000001.xml, with object/name

Both forms of val/ give the same images in the same order, by class and then by name.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from common.errors import UserError
from stages.data.records import Declaration
from stages.obtaining import official_lists
from stages.obtaining.official_lists import Classes, Listing, Sample

SUFFIX = ".JPEG"
TRUTH = "ILSVRC2012_validation_ground_truth.txt"
DEVKIT = ("ILSVRC2012_devkit_t12/data", "devkit/data", ".", "val")
SOLUTION = "LOC_val_solution.csv"
ANNOTATIONS = "Annotations/CLS-LOC/val"


def listing(tree: Path, declared: Declaration) -> Listing:
    train = official_lists.folders(tree, "train", SUFFIX, declared)
    here = official_lists.visible(tree / "val")[0]
    loose = [entry.name for entry in here if entry.name.endswith(SUFFIX) and entry.is_file()]
    if not loose:
        return {"train": train, "test": official_lists.folders(tree, "val", SUFFIX, declared)}
    if sorted_too := [entry.name for entry in here if entry.is_dir()]:
        raise UserError(
            "some validation images lie loose, others in folders",
            expected="all of them in val/, or each in the folder of its class",
            found=f"{loose[0]} and {len(loose) - 1:,} more beside {sorted_too[0]}/",
            where=tree / "val",
            remedy="finish the sorting, or move all of them back to val/",
        )
    classes = Classes(sorted({path.split("/")[1] for path, _ in train}))
    return {"train": train, "test": _flat(tree, loose, classes)}


def _flat(tree: Path, names: list[str], classes: Classes) -> list[Sample]:
    """The images that lie in val/ itself, with the classes that an official list gives them."""
    of, where = _truth(tree, names)
    if unknown := [name for name in names if name not in of]:
        raise UserError(
            "a list of validation images is incomplete",
            expected=f"a class for each of {len(names):,} images",
            found=f"none for {len(unknown):,}, first {unknown[0]}",
            where=where,
        )
    return sorted(
        ((f"val/{name}", classes.label(of[name], where)) for name in names), key=lambda one: (one[1], one[0])
    )


def _truth(tree: Path, names: list[str]) -> tuple[dict[str, str], Path]:
    """{file name: WordNet id} from the first official list that is there, and which list that is."""
    places: list[tuple[Path, Callable[[Path, list[str]], dict[str, str]]]] = [
        *((tree / folder / TRUTH, _by_devkit) for folder in DEVKIT),
        (tree / SOLUTION, _by_solution),
        (tree / ANNOTATIONS, _by_annotations),
    ]
    for path, read in places:
        if path.exists():
            return read(path, names), path
    raise UserError(
        "the validation images lie loose in val/, and no list says of which class each is",
        expected=f"val/<WordNet id>/*{SUFFIX}, or a list of their classes",
        found=f"val/{names[0]} and {len(names) - 1:,} more, without a list",
        where=tree / "val",
        remedy=f"unpack ILSVRC2012_devkit_t12.tar.gz in {tree}: its {TRUTH} and meta.mat are read. Or sort the images: "
        "torchvision.datasets.ImageNet(FOLDER, split='val') does so from the official archives",
    )


def _by_devkit(path: Path, names: list[str]) -> dict[str, str]:
    """Line i has the ILSVRC2012_ID of the image number i; meta.mat says which WordNet id that is."""
    meta = path.with_name("meta.mat")
    synsets = official_lists.records(meta, "synsets", "ILSVRC2012_ID", "WNID", "num_children")
    wordnet = {
        official_lists.number(one, meta): str(name)
        for one, name, children in synsets
        if official_lists.number(children, meta) == 0
    }
    truth = [official_lists.number(line, path) for line in official_lists.lines(path)]
    if unknown := sorted(set(truth) - wordnet.keys()):
        raise UserError(
            "a list names an unknown class",
            expected="an ILSVRC2012_ID of meta.mat",
            found=unknown[0],
            where=path,
        )
    return {f"ILSVRC2012_val_{number:08d}{SUFFIX}": wordnet[label] for number, label in enumerate(truth, 1)}


def _by_solution(path: Path, names: list[str]) -> dict[str, str]:
    rows = [line.partition(",") for line in official_lists.lines(path)[1:]]
    return {f"{image}{SUFFIX}": boxes.split()[0] for image, _, boxes in rows if boxes.split()}


def _by_annotations(path: Path, names: list[str]) -> dict[str, str]:
    things = (
        (name, official_lists.xml(path / name.replace(SUFFIX, ".xml")).find("object")) for name in names
    )
    return {name: thing.findtext("name", "").strip() for name, thing in things if thing is not None}
