"""Data sets in miniature, in the layouts and file formats of their official distributions: two classes, few images.

Every builder lays its tree down below a folder and returns what a reader must find: {split: [(path, label)]}.
"""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.io import savemat

from common import files
from stages.obtaining import declarations

DECLARED = files.read_yaml(declarations.DECLARATIONS)
Expected = dict[str, list[tuple[str, Any]]]


def photograph(path: Path, kind: str = "JPEG") -> None:
    """A small image whose size and colours depend on its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = sum(map(ord, str(path.name))) + len(str(path.parent.name))
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (24 + seed % 7, 20 + seed % 11, 3), np.uint8)
    Image.fromarray(pixels).save(path, format=kind)


def photographs(tree: Path, expected: Expected) -> Expected:
    for samples in expected.values():
        for path, _ in samples:
            photograph(tree / path)
    return expected


def text(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def food101(tree: Path) -> Expected:
    text(tree / "meta" / "classes.txt", "apple_pie", "waffles")
    text(tree / "meta" / "train.txt", "apple_pie/12", "waffles/7", "apple_pie/3")
    text(tree / "meta" / "test.txt", "waffles/9", "apple_pie/4")
    train = [("images/apple_pie/12.jpg", 0), ("images/waffles/7.jpg", 1), ("images/apple_pie/3.jpg", 0)]
    return photographs(
        tree, {"train": train, "test": [("images/waffles/9.jpg", 1), ("images/apple_pie/4.jpg", 0)]}
    )


def birdsnap(tree: Path) -> Expected:
    rows = [("Wren/1.jpg", 2), ("Crow/8.jpg", 1), ("Wren/2.jpg", 2), ("Crow/5.jpg", 1)]
    body = [f"http://x/{path}\t0123\t{path}\t{label}\t1\t2\t3\t4" for path, label in rows]
    text(tree / "images.txt", "url\tmd5\tpath\tspecies_id\tbb_x1\tbb_y1\tbb_x2\tbb_y2", *body)
    text(tree / "test_images.txt", "path", "Crow/5.jpg", "Wren/1.jpg")
    train = [("images/Crow/8.jpg", 0), ("images/Wren/2.jpg", 1)]
    return photographs(tree, {"train": train, "test": [("images/Wren/1.jpg", 1), ("images/Crow/5.jpg", 0)]})


def sun397(tree: Path) -> Expected:
    text(tree / "ClassName.txt", "/a/abbey", "/c/church/indoor")
    lists = tree / "Partitions"
    text(lists / "Training_01.txt", "/c/church/indoor/sun_a.jpg", "/a/abbey/sun_b.jpg")
    text(lists / "Testing_01.txt", "/a/abbey/sun_c.jpg", "/c/church/indoor/sun_d.jpg")
    train = [("c/church/indoor/sun_a.jpg", 1), ("a/abbey/sun_b.jpg", 0)]
    return photographs(
        tree, {"train": train, "test": [("a/abbey/sun_c.jpg", 0), ("c/church/indoor/sun_d.jpg", 1)]}
    )


def annotations(*rows: tuple[str, int]) -> dict[str, np.ndarray]:
    """The struct array of the Stanford Cars lists."""
    kinds = [(name, object) for name in ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class", "fname")]
    found = np.zeros((1, len(rows)), dtype=kinds)
    for place, (name, label) in enumerate(rows):
        found[0, place] = (1, 2, 30, 40, label, name)
    return {"annotations": found}


def stanford_cars(tree: Path) -> Expected:
    (tree / "devkit").mkdir(parents=True)
    savemat(tree / "devkit" / "cars_train_annos.mat", annotations(("00001.jpg", 2), ("00002.jpg", 1)))
    savemat(tree / "cars_test_annos_withlabels.mat", annotations(("00001.jpg", 1), ("00002.jpg", 2)))
    train = [("cars_train/00001.jpg", 1), ("cars_train/00002.jpg", 0)]
    return photographs(
        tree, {"train": train, "test": [("cars_test/00001.jpg", 0), ("cars_test/00002.jpg", 1)]}
    )


def fgvc_aircraft(tree: Path) -> Expected:
    text(tree / "data" / "variants.txt", "707-320", "Falcon 2000")
    text(tree / "data" / "images_variant_train.txt", "0034309 Falcon 2000", "1025794 707-320")
    text(tree / "data" / "images_variant_val.txt", "0000001 707-320")
    text(tree / "data" / "images_variant_test.txt", "0000002 707-320", "0000003 Falcon 2000")
    train = [("data/images/0034309.jpg", 1), ("data/images/1025794.jpg", 0), ("data/images/0000001.jpg", 0)]
    test = [("data/images/0000002.jpg", 0), ("data/images/0000003.jpg", 1)]
    return photographs(tree, {"train": train, "test": test})


def annotation(image: str, objects: list[str]) -> str:
    """As in the official archive; of each object "<name> <difficult>". A part has a name, and is no object."""
    body = "".join(
        f"<object><name>{name}</name><pose>Left</pose><truncated>1</truncated><difficult>{difficult}</difficult>"
        "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox>"
        "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part></object>\n"
        for name, difficult in map(str.split, objects)
    )
    head = f"<folder>VOC2007</folder><filename>{image}.jpg</filename><segmented>0</segmented>"
    return f"<annotation>\n{head}\n{body}</annotation>"


def voc2007(tree: Path) -> Expected:
    """In 000003 the only cat is marked difficult, in 000002 one of two."""
    splits = {
        "train": {"000001": ["cat 0"], "000003": ["dog 0", "cat 1"]},
        "val": {"000002": ["cat 1", "dog 0", "cat 0"]},
        "test": {"000004": ["dog 0", "dog 1"], "000005": ["cat 0"]},
    }
    for split, images in splits.items():
        text(tree / "ImageSets" / "Main" / f"{split}.txt", *images)
        for image, objects in images.items():
            text(tree / "Annotations" / f"{image}.xml", annotation(image, objects))
    train = [("000001", [1, 0]), ("000003", [2, 1]), ("000002", [1, 1])]
    expected = {"train": train, "test": [("000004", [0, 1]), ("000005", [1, 0])]}
    return photographs(
        tree, {split: [(f"JPEGImages/{n}.jpg", row) for n, row in rows] for split, rows in expected.items()}
    )


def dtd(tree: Path) -> Expected:
    text(tree / "labels" / "train1.txt", "zigzagged/z_1.jpg", "banded/b_1.jpg")
    text(tree / "labels" / "val1.txt", "banded/b_2.jpg")
    text(tree / "labels" / "test1.txt", "banded/b_3.jpg", "zigzagged/z_2.jpg")
    train = [("images/zigzagged/z_1.jpg", 1), ("images/banded/b_1.jpg", 0), ("images/banded/b_2.jpg", 0)]
    test = [("images/banded/b_3.jpg", 0), ("images/zigzagged/z_2.jpg", 1)]
    return photographs(tree, {"train": train, "test": test})


def oxford_pets(tree: Path) -> Expected:
    text(tree / "annotations" / "trainval.txt", "Abyssinian_1 1 1 1", "beagle_2 2 2 1")
    text(tree / "annotations" / "test.txt", "beagle_3 2 2 1", "Abyssinian_4 1 1 1")
    train = [("images/Abyssinian_1.jpg", 0), ("images/beagle_2.jpg", 1)]
    return photographs(
        tree, {"train": train, "test": [("images/beagle_3.jpg", 1), ("images/Abyssinian_4.jpg", 0)]}
    )


def caltech101(tree: Path) -> Expected:
    """Four images a class, three of them for training: which ones is the address's choice."""
    folder = tree / "101_ObjectCategories"
    for name in ("accordion", "BACKGROUND_Google"):
        for number in range(1, 5):
            photograph(folder / name / f"image_{number:04d}.jpg")
    text(folder / "BACKGROUND_Google" / "tmp", "the official folder has such a file")

    def sample(label: int, number: int) -> tuple[str, int]:
        name = ("BACKGROUND_Google", "accordion")[label]
        return f"101_ObjectCategories/{name}/image_{number:04d}.jpg", label

    tests = ((0, 1), (1, 3))  # the last of each class in the addressed order 7 4 1 3 2 0 5 6
    train = [sample(label, k) for label in (0, 1) for k in range(1, 5) if (label, k) not in tests]
    return {"train": train, "test": [sample(*one) for one in tests]}


def flowers102(tree: Path) -> Expected:
    tree.mkdir(parents=True)
    savemat(tree / "imagelabels.mat", {"labels": np.array([[1, 2, 2, 1, 1]], np.uint8)})
    ids = {"trnid": [[3, 1]], "valid": [[4]], "tstid": [[5, 2]]}
    savemat(tree / "setid.mat", {name: np.array(value, np.uint16) for name, value in ids.items()})
    train = [("jpg/image_00003.jpg", 1), ("jpg/image_00001.jpg", 0), ("jpg/image_00004.jpg", 0)]
    return photographs(
        tree, {"train": train, "test": [("jpg/image_00005.jpg", 0), ("jpg/image_00002.jpg", 1)]}
    )


def imagenet(tree: Path) -> Expected:
    train = [("train/n01/n01_10.JPEG", 0), ("train/n01/n01_9.JPEG", 0), ("train/n02/n02_1.JPEG", 1)]
    test = [("val/n01/ILSVRC2012_val_00000002.JPEG", 0), ("val/n02/ILSVRC2012_val_00000001.JPEG", 1)]
    return photographs(tree, {"train": train, "test": test})


BUILDERS: dict[str, Callable[[Path], Expected]] = {
    builder.__name__: builder
    for builder in (
        food101,
        birdsnap,
        sun397,
        stanford_cars,
        fgvc_aircraft,
        voc2007,
        dtd,
        oxford_pets,
        caltech101,
        flowers102,
        imagenet,
    )
}
SMALLER = {
    "voc2007": {"classes": ["cat", "dog"], "validation": {"official": 1}},
    "caltech101": {"training_images": {"each": 3, "seed": 0}},
    "fgvc_aircraft": {"validation": {"official": 1}},
    "dtd": {"validation": {"official": 1}},
    "flowers102": {"validation": {"official": 1}},
}


def build(name: str, root: Path) -> tuple[dict[str, Any], Expected]:
    """Lay the data set down below root; returns its declaration with miniature numbers, and what is to be found."""
    declared = {"name": name, **copy.deepcopy(DECLARED[name])}
    expected = BUILDERS[name](root / declared["folder"])
    sizes = {split: {"size": len(samples)} for split, samples in expected.items()}
    return {**declared, "classes": 2, "splits": sizes, **SMALLER.get(name, {})}, expected
