"""Every data set is read from its official layout, and a broken tree is refused by the name of what is wrong."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from common.errors import UserError
from simclr.labels import UNJUDGED
from stages.obtaining import layouts, verification
from tests.stages import official

NAMES = list(official.BUILDERS)
BY_LISTS = [name for name in NAMES if name not in ("caltech101", "imagenet")]
OFFICIAL_VALIDATION = {
    "fgvc_aircraft": "data/images/0000001.jpg",
    "voc2007": "JPEGImages/000002.jpg",
    "dtd": "images/banded/b_2.jpg",
    "flowers102": "jpg/image_00004.jpg",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data"


def refused(declared: dict, root: Path) -> UserError:
    with pytest.raises(UserError) as caught:
        verification.survey(declared, root, {})
    return caught.value


def tree_of(declared: dict, root: Path) -> Path:
    return root / declared["folder"]


@pytest.mark.parametrize("name", NAMES)
def test_the_official_tree_gives_paths_and_labels_in_order(name, root):
    declared, expected = official.build(name, root)
    found = verification.survey(declared, root, {})
    for split, samples in expected.items():
        entries, labels, *_ = found[split]
        assert [entry.path for entry in entries] == [path for path, _ in samples]
        assert labels.tolist() == [label for _, label in samples]
        assert labels.dtype == np.int64
        assert all(entry.size == (tree_of(declared, root) / entry.path).stat().st_size for entry in entries)


@pytest.mark.parametrize(("name", "path"), OFFICIAL_VALIDATION.items())
def test_official_validation_images_are_the_last_of_train(name, path, root):
    declared, _ = official.build(name, root)
    entries, *_ = verification.survey(declared, root, {})["train"]
    assert [entry.path for entry in entries[-declared["validation"]["official"] :]] == [path]


def test_every_layout_is_tested():
    assert {official.DECLARED[name]["layout"] for name in NAMES} == set(layouts.known()) - {"imagefolder"}


@pytest.mark.parametrize("name", BY_LISTS)
def test_a_missing_list_is_named(name, root):
    declared, _ = official.build(name, root)
    lists = [path for path in tree_of(declared, root).rglob("*") if path.suffix in (".txt", ".mat", ".xml")]
    assert len(lists) >= 2
    for path in lists:
        content = path.read_bytes()
        path.unlink()
        error = refused(declared, root)
        assert error.where == str(path) and "missing" in error.problem
        path.write_bytes(content)
    verification.survey(declared, root, {})


@pytest.mark.parametrize("name", ["stanford_cars", "flowers102"])
def test_a_damaged_matlab_file_is_named(name, root):
    declared, _ = official.build(name, root)
    path = next(tree_of(declared, root).rglob("*.mat"))
    path.write_bytes(path.read_bytes()[:150])
    assert refused(declared, root).where == str(path)


@pytest.mark.parametrize("name", ["caltech101", "imagenet"])
def test_a_missing_class_folder_is_told(name, root):
    declared, expected = official.build(name, root)
    folder = (tree_of(declared, root) / expected["test"][0][0]).parent
    folder.rename(root / "elsewhere")
    error = refused(declared, root)
    assert error.where == str(folder.parent) and (error.expected, error.found) == ("2", "1")


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_folder_says_how_to_obtain_the_data_set(name, root):
    declared = {"name": name, **official.DECLARED[name]}
    error = refused(declared, root)
    assert error.where == str(tree_of(declared, root)) and error.remedy == declared["by_hand"].strip()


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("name", NAMES)
def test_another_number_of_images_is_refused(name, split, root):
    declared, _ = official.build(name, root)
    declared["splits"][split]["size"] += 1
    error = refused(declared, root)
    assert error.problem == f"{split} has another number of images" and error.where == str(
        tree_of(declared, root)
    )


@pytest.mark.parametrize("name", BY_LISTS)
def test_a_missing_photograph_is_named(name, root):
    declared, expected = official.build(name, root)
    path = tree_of(declared, root) / expected["test"][1][0]
    path.unlink()
    error = refused(declared, root)
    assert error.where == str(path) and error.found.startswith("1 are not there")


@pytest.mark.parametrize("content", [b"", b"not an image"])
@pytest.mark.parametrize("name", NAMES)
def test_an_unreadable_photograph_is_named(name, content, root):
    declared, expected = official.build(name, root)
    path = tree_of(declared, root) / expected["train"][0][0]
    path.write_bytes(content)
    assert refused(declared, root).where == str(path)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "imagenet"])
def test_a_photograph_that_ends_too_early_is_named(name, root):
    """Its header is whole. ImageNet's files are not read to their ends."""
    declared, expected = official.build(name, root)
    path = tree_of(declared, root) / expected["test"][0][0]
    path.write_bytes(path.read_bytes()[:-30])
    assert refused(declared, root).where == str(path)


@pytest.mark.parametrize("name", NAMES)
def test_a_class_without_a_sample_is_told(name, root):
    declared, _ = official.build(name, root)
    tree = tree_of(declared, root)
    if name == "voc2007":
        declared["classes"] = ["cat", "dog", "emu"]
    else:
        declared["classes"] = 3
    for folder in {"caltech101": ["101_ObjectCategories"], "imagenet": ["train", "val"]}.get(name, []):
        (tree / folder / "z_empty").mkdir()
    error = refused(declared, root)
    assert "class without a sample" in error.problem and error.where == str(tree)
    assert error.found == ("none of emu" if name == "voc2007" else "none of 2")


@pytest.mark.parametrize(
    ("name", "path", "line", "says"),
    [
        ("food101", "meta/train.txt", "sushi/1", "unknown class"),
        ("sun397", "Partitions/Testing_01.txt", "/m/moon/sun_x.jpg", "unknown class"),
        ("fgvc_aircraft", "data/images_variant_val.txt", "0000009", "cut short"),
        ("fgvc_aircraft", "data/images_variant_val.txt", "0000009 Zeppelin", "unknown class"),
        ("oxford_pets", "annotations/test.txt", "beagle_9 two 2 1", "not a number"),
        ("birdsnap", "test_images.txt", "Emu/1.jpg", "not among the images"),
        ("voc2007", "ImageSets/Main/val.txt", "000009", "missing"),
    ],
)
def test_a_line_that_cannot_be_is_refused_with_its_list(name, path, line, says, root):
    declared, _ = official.build(name, root)
    with open(tree_of(declared, root) / path, "a") as file:
        file.write(line + "\n")
    error = refused(declared, root)
    assert says in error.problem
    where = "Annotations/000009.xml" if name == "voc2007" else path
    assert error.where == str(tree_of(declared, root) / where)


def test_a_label_beyond_the_classes_is_refused(root):
    declared, _ = official.build("oxford_pets", root)
    declared["classes"] = 1
    assert "outside the classes" in refused(declared, root).problem


def test_difficult_objects_count_as_declared(root):
    declared, _ = official.build("voc2007", root)
    for word, expected in (("present", [1, 1]), ("absent", [0, 1]), ("ignored", [UNJUDGED, 1])):
        _, labels, *_ = verification.survey({**declared, "difficult": word}, root, {})["train"]
        assert labels.tolist() == [[1, 0], expected, [1, 1]]
    error = refused({**declared, "difficult": "hidden"}, root)
    assert error.found == "hidden" and "ignored" in error.expected


def test_the_official_treatment_of_difficult_objects_is_the_declared_one():
    assert official.DECLARED["voc2007"]["difficult"] == "ignored"


def test_a_class_with_nothing_but_difficult_objects_has_no_sample(root):
    declared, _ = official.build("voc2007", root)
    for image, objects in (("000001", ["dog 0", "cat 1"]), ("000002", ["dog 0", "cat 1"])):
        official.text(
            tree_of(declared, root) / "Annotations" / f"{image}.xml", official.annotation(image, objects)
        )
    assert refused(declared, root).found == "none of cat"


BOMB = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;&b;">]><annotation>&c;</annotation>'


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "cannot be read"),
        (b"<annotation><object>", "cannot be read"),
        (BOMB.encode(), "cannot be read"),
        (BOMB.encode("utf-16"), "cannot be read"),
        (BOMB.encode("utf-16-le"), "cannot be read"),
        (b"<annotation>" + b" " * 1_000_000 + b"</annotation>", "cannot be read"),
        (official.annotation("000003", ["emu 0"]).encode(), "unknown class"),
        (b"<annotation><object><difficult>0</difficult></object></annotation>", "unknown class"),
        (b"<annotation><object><name>cat</name></object></annotation>", "not a number"),
    ],
)
def test_an_annotation_that_cannot_be_is_refused_by_name(content, says, root):
    declared, _ = official.build("voc2007", root)
    path = tree_of(declared, root) / "Annotations" / "000003.xml"
    path.write_bytes(content)
    error = refused(declared, root)
    assert says in error.problem and error.where == str(path)


def test_cars_without_test_labels_are_refused_by_the_name_of_the_list(root):
    declared, _ = official.build("stanford_cars", root)
    path = tree_of(declared, root) / "cars_test_annos_withlabels.mat"
    rows = np.zeros((1, 2), dtype=[("bbox_x1", object), ("fname", object)])
    rows["fname"], rows["bbox_x1"] = "00001.jpg", 1
    savemat(path, {"annotations": rows})
    error = refused(declared, root)
    assert error.where == str(path) and error.found == "annotations without class"


def test_birdsnaps_download_folder_is_found_too(root):
    declared, expected = official.build("birdsnap", root)
    tree = tree_of(declared, root)
    (tree / "download").mkdir()
    (tree / "images").rename(tree / "download" / "images")
    entries, *_ = verification.survey(declared, root, {})["test"]
    assert [entry.path for entry in entries] == [f"download/{path}" for path, _ in expected["test"]]


def test_lists_of_sun_may_lie_beside_the_class_names(root):
    declared, _ = official.build("sun397", root)
    tree = tree_of(declared, root)
    for path in (tree / "Partitions").iterdir():
        path.rename(tree / path.name)
    (tree / "Partitions").rmdir()
    verification.survey(declared, root, {})


def test_caltech_takes_as_many_of_each_class_as_declared(root):
    declared, _ = official.build("caltech101", root)
    declared["training_images"] = {"each": 2, "seed": 1}
    declared["splits"] = {"train": {"size": 4}, "test": {"size": 4}}
    found = verification.survey(declared, root, {})
    assert np.bincount(found["train"][1]).tolist() == [2, 2]
    paths = [{entry.path for entry in found[split][0]} for split in ("train", "test")]
    assert not paths[0] & paths[1] and len(paths[0] | paths[1]) == 8


def test_a_photograph_in_another_format_than_its_suffix_is_read(root):
    declared, expected = official.build("sun397", root)
    path = tree_of(declared, root) / expected["train"][0][0]
    stream = io.BytesIO()
    Image.new("P", (5, 4)).save(stream, format="GIF")
    path.write_bytes(stream.getvalue())
    verification.survey(declared, root, {})


def by_torchvision(name, root, tree):
    """{split: [(path, label)]} as torchvision's own reader finds them in the same tree."""
    from torchvision import datasets as theirs

    train = {"oxford_pets": ["trainval"], "stanford_cars": ["train"]}.get(name, ["train", "val"])
    if name == "stanford_cars":
        savemat(tree / "devkit" / "cars_meta.mat", {"class_names": np.array([["Ford", "Audi"]], object)})
    if name == "dtd":  # torchvision unpacks the archive's dtd/ below another dtd/
        (root / "nested" / "dtd").mkdir(parents=True)
        (root / "nested" / "dtd" / "dtd").symlink_to(tree)
        root, tree = root / "nested", root / "nested" / "dtd" / "dtd"
    reader = {
        "stanford_cars": theirs.StanfordCars,
        "oxford_pets": theirs.OxfordIIITPet,
        "fgvc_aircraft": theirs.FGVCAircraft,
        "dtd": theirs.DTD,
    }[name]
    return {
        split: [sample for part in parts for sample in samples_of(reader(root, split=part), tree)]
        for split, parts in {"train": train, "test": ["test"]}.items()
    }


def samples_of(reader, tree):
    """(path below the tree, label) of torchvision's data sets, which have no public name for these."""
    if hasattr(reader, "_samples"):
        pairs = reader._samples
    else:
        pairs = zip(getattr(reader, "_image_files", None) or reader._images, reader._labels, strict=True)
    return [(str(Path(path).relative_to(tree)), label) for path, label in pairs]


@pytest.mark.parametrize("name", ["stanford_cars", "oxford_pets", "fgvc_aircraft", "dtd"])
def test_torchvision_finds_the_same(name, root):
    declared, _ = official.build(name, root)
    found = verification.survey(declared, root, {})
    theirs = by_torchvision(name, root, tree_of(declared, root))
    for split, samples in theirs.items():
        entries, labels, *_ = found[split]
        assert [(entry.path, label) for entry, label in zip(entries, labels, strict=True)] == samples
