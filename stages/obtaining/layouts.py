"""Which photographs the official distribution of a data set has in which split, with which label.

Every layout takes the folder that the official archives unpack to and the declaration, and returns, for "train" (with
validation, which comes last where it is official) and "test", pairs of (path below the folder, label) in the official
order. A label is an int, or a list of 0, 1 and UNJUDGED where an image has several. Only lists and annotations are
read here, no photograph. UserError, naming the list, if it is missing or says what it cannot say.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from common.errors import UserError
from simclr.labels import UNJUDGED
from stages.data import splits
from stages.obtaining import official_lists
from stages.obtaining.official_lists import Sample

Listing = dict[str, list[Sample]]
DIFFICULT = {"ignored": UNJUDGED, "present": 1, "absent": 0}


def food101(tree: Path, declared: dict[str, Any]) -> Listing:
    """Food-101: meta/classes.txt, meta/{train,test}.txt with lines "apple_pie/1005649", images/<class>/*.jpg."""
    classes = official_lists.Classes(official_lists.lines(tree / "meta" / "classes.txt"))

    def samples(split: str) -> list[Sample]:
        path = tree / "meta" / f"{split}.txt"
        return [
            (f"images/{name}.jpg", classes.label(name.split("/")[0], path))
            for name in official_lists.lines(path)
        ]

    return {"train": samples("train"), "test": samples("test")}


def birdsnap(tree: Path, declared: dict[str, Any]) -> Listing:
    """Birdsnap: images.txt (tab-separated, with "path" and "species_id" from 1), test_images.txt, images/<path>.

    The official download script puts images into download/images; both places are looked at.
    """
    folder = next((name for name in ("images", "download/images") if (tree / name).is_dir()), "images")
    header, *rows = (line.split("\t") for line in official_lists.lines(tree / "images.txt"))
    path, species = (
        official_lists.column(header, name, tree / "images.txt") for name in ("path", "species_id")
    )
    of = {row[path]: official_lists.number(row[species], tree / "images.txt") - 1 for row in rows}
    test = set(official_lists.lines(tree / "test_images.txt")[1:])
    if not test <= of.keys():
        raise UserError(
            "a test image is none of the images",
            expected="a path in images.txt",
            found=min(test - of.keys()),
            where=tree / "test_images.txt",
        )
    samples = {name: (f"{folder}/{name}", label) for name, label in of.items()}
    return {
        "train": [sample for name, sample in samples.items() if name not in test],
        "test": [sample for name, sample in samples.items() if name in test],
    }


def sun397(tree: Path, declared: dict[str, Any]) -> Listing:
    """SUN397, first split: ClassName.txt, {Training,Testing}_01.txt (in Partitions/ or beside it), a/abbey/*.jpg.

    The lists have lines "/a/abbey/sun_aaalbzqrimafwbiv.jpg"; a class is the folder, "/c/church/indoor" too.
    """
    classes = official_lists.Classes(official_lists.lines(tree / "ClassName.txt"))
    parts = tree / "Partitions" if (tree / "Partitions").is_dir() else tree

    def samples(part: str) -> list[Sample]:
        path = parts / f"{part}_01.txt"
        return [
            (name.lstrip("/"), classes.label(name.rsplit("/", 1)[0], path))
            for name in official_lists.lines(path)
        ]

    return {"train": samples("Training"), "test": samples("Testing")}


def stanford_cars(tree: Path, declared: dict[str, Any]) -> Listing:
    """Stanford Cars: devkit/cars_train_annos.mat, cars_test_annos_withlabels.mat, cars_{train,test}/*.jpg."""

    def samples(split: str, path: Path) -> list[Sample]:
        rows = np.atleast_1d(official_lists.matlab(path, "annotations"))
        if not {"fname", "class"} <= set(rows.dtype.names or ()):
            raise UserError(
                "annotations without labels",
                expected="fields fname and class",
                found=", ".join(rows.dtype.names or ("no fields",)),
                where=path,
                remedy="the file cars_test_annos_withlabels.mat has them for the test images",
            )
        return [(f"cars_{split}/{row['fname']}", int(row["class"]) - 1) for row in rows]

    return {
        "train": samples("train", tree / "devkit" / "cars_train_annos.mat"),
        "test": samples("test", tree / "cars_test_annos_withlabels.mat"),
    }


def aircraft(tree: Path, declared: dict[str, Any]) -> Listing:
    """FGVC Aircraft, variants: data/variants.txt, data/images_variant_{train,val,test}.txt, data/images/*.jpg.

    The lists have lines "1025794 707-320". The banner at an image's foot stays, as in torchvision.
    """
    data = tree / "data"
    classes = official_lists.Classes(official_lists.lines(data / "variants.txt"))

    def samples(split: str) -> list[Sample]:
        path = data / f"images_variant_{split}.txt"
        return [
            (f"data/images/{name}.jpg", classes.label(variant, path))
            for name, variant in official_lists.rows(path, 2)
        ]

    return {"train": samples("train") + samples("val"), "test": samples("test")}


def voc2007(tree: Path, declared: dict[str, Any]) -> Listing:
    """VOC 2007 classification: ImageSets/Main/{train,val,test}.txt, Annotations/*.xml, JPEGImages/*.jpg.

    An annotation has object/name and object/difficult (0 or 1). Where all objects of a class are marked difficult,
    declared["difficult"] says what their image counts as: "ignored" (UNJUDGED), "present" or "absent".
    """
    classes = official_lists.Classes(declared["classes"])
    if declared["difficult"] not in DIFFICULT:
        raise UserError(
            "nobody knows what difficult objects count as",
            expected=" | ".join(DIFFICULT),
            found=declared["difficult"],
            where=f"difficult of {declared['name']} in params/datasets.yaml",
        )
    doubtful = DIFFICULT[declared["difficult"]]

    def labels(image: str) -> list[int]:
        path = tree / "Annotations" / f"{image}.xml"
        row = [0] * len(classes)
        for thing in official_lists.xml(path).findall("object"):
            label = classes.label(thing.findtext("name", "").strip(), path)
            difficult = official_lists.number(thing.findtext("difficult", "").strip(), path)
            row[label] = (row[label] or doubtful) if difficult else 1
        return row

    def samples(split: str) -> list[Sample]:
        images = official_lists.lines(tree / "ImageSets" / "Main" / f"{split}.txt")
        return [(f"JPEGImages/{image}.jpg", labels(image)) for image in images]

    return {"train": samples("train") + samples("val"), "test": samples("test")}


def dtd(tree: Path, declared: dict[str, Any]) -> Listing:
    """DTD, first split: labels/{train,val,test}1.txt with lines "banded/banded_0002.jpg", images/<class>/*.jpg."""
    names = {
        split: official_lists.lines(tree / "labels" / f"{split}1.txt") for split in ("train", "val", "test")
    }
    classes = official_lists.Classes(sorted({name.split("/")[0] for part in names.values() for name in part}))
    of = {
        split: [(f"images/{name}", classes[name.split("/")[0]]) for name in part]
        for split, part in names.items()
    }
    return {"train": of["train"] + of["val"], "test": of["test"]}


def oxford_pets(tree: Path, declared: dict[str, Any]) -> Listing:
    """Oxford-IIIT Pets: annotations/{trainval,test}.txt with lines "Abyssinian_100 1 1 1", images/*.jpg."""

    def samples(split: str) -> list[Sample]:
        path = tree / "annotations" / f"{split}.txt"
        return [
            (f"images/{name}.jpg", official_lists.number(label, path) - 1)
            for name, label, *_ in official_lists.rows(path, 4)
        ]

    return {"train": samples("trainval"), "test": samples("test")}


def caltech101(tree: Path, declared: dict[str, Any]) -> Listing:
    """Caltech-101: 101_ObjectCategories/<class>/*.jpg; BACKGROUND_Google is a class.

    There is no official split: of every class as many images as declared["training_images"] says, chosen by address,
    are for training, and the others for the test.
    """
    samples = official_lists.folders(tree, "101_ObjectCategories", ".jpg", declared)
    labels = np.array([label for _, label in samples])
    each, seed = declared["training_images"]["each"], declared["training_images"]["seed"]
    train = splits.first_of_each_class(labels, np.full(labels.max() + 1, each), seed, "caltech101 train")
    test = np.setdiff1d(np.arange(len(labels)), train)
    return {"train": [samples[i] for i in train], "test": [samples[i] for i in test]}


def flowers102(tree: Path, declared: dict[str, Any]) -> Listing:
    """Oxford 102 Flowers: setid.mat (trnid, valid, tstid), imagelabels.mat (labels from 1), jpg/image_00001.jpg."""
    labels = np.atleast_1d(official_lists.matlab(tree / "imagelabels.mat", "labels"))

    def samples(name: str) -> list[Sample]:
        numbers = np.atleast_1d(official_lists.matlab(tree / "setid.mat", name)).astype(int)
        if len(numbers) and not 1 <= numbers.min() <= numbers.max() <= len(labels):
            raise UserError(
                "a split names an image without a label",
                expected=f"1 to {len(labels)}",
                found=f"{numbers.min()} to {numbers.max()}",
                where=tree / "setid.mat",
            )
        return [(f"jpg/image_{i:05d}.jpg", int(labels[i - 1]) - 1) for i in numbers]

    return {"train": samples("trnid") + samples("valid"), "test": samples("tstid")}


def imagenet(tree: Path, declared: dict[str, Any]) -> Listing:
    """ImageNet: {train,val}/<WordNet id>/*.JPEG; the official validation images are the test split, as in the paper."""
    return {
        split: official_lists.folders(tree, name, ".JPEG", declared)
        for split, name in (("train", "train"), ("test", "val"))
    }


LAYOUTS: dict[str, Callable[[Path, dict[str, Any]], Listing]] = {
    layout.__name__: layout
    for layout in (
        food101,
        birdsnap,
        sun397,
        stanford_cars,
        aircraft,
        voc2007,
        dtd,
        oxford_pets,
        caltech101,
        flowers102,
        imagenet,
    )
}
