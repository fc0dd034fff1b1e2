"""Data sets as people have them: hidden files, loose validation images, damaged and missing photographs."""

import os
import re
import shutil

import numpy as np
import pytest
from scipy.io import savemat

from common import files
from common.errors import UserError
from stages import prepare
from stages.data import datasets
from stages.obtaining import verification
from tests.stages import official


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data"


def tree_of(declared, root):
    return root / declared["folder"]


def listed(declared, root):
    """{split: [(path, label)]} as surveyed."""
    found = verification.survey(declared, root, {})
    return {
        split: [(entry.path, label) for entry, label in zip(one.entries, one.labels.tolist(), strict=True)]
        for split, one in found.items()
    }


def refused(declared, root) -> UserError:
    with pytest.raises(UserError) as caught:
        verification.survey(declared, root, {})
    return caught.value


@pytest.mark.parametrize("name", ["imagenet", "caltech101"])
def test_hidden_entries_do_not_count(name, root, capsys):
    declared, expected = official.build(name, root)
    tree = tree_of(declared, root)
    photograph = tree / expected["train"][0][0]
    above = photograph.parents[1]
    for folder in (".ipynb_checkpoints", "__MACOSX"):
        (above / folder).mkdir()
        (above / folder / photograph.name).write_bytes(photograph.read_bytes())
    (above / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    for hidden in ("._" + photograph.name, "Thumbs.db", ".hidden" + photograph.suffix):
        (photograph.parent / hidden).write_bytes(b"\0\5\26\7")
    assert listed(declared, root) == expected
    said = capsys.readouterr().out
    assert "hidden entries do not count" in said and str(above) in said


def test_a_folder_with_the_name_of_a_photograph_is_refused_by_name(root):
    declared, _ = official.build("imagenet", root)
    folder = tree_of(declared, root) / "train" / "n01" / "dir.JPEG"
    folder.mkdir()
    error = refused(declared, root)
    assert error.where == str(folder) and "name of a photograph" in error.problem


def test_what_is_no_file_is_told_as_what_it_is(root):
    declared, expected = official.build("imagenet", root)
    path = tree_of(declared, root) / expected["train"][0][0]
    path.unlink()
    path.symlink_to("/nowhere")
    assert refused(declared, root).found == "a link to nothing"
    path.unlink()
    os.mkfifo(path)
    assert refused(declared, root).found == "neither file nor folder"


def test_files_of_other_names_do_not_count_and_are_told(root, capsys):
    declared, expected = official.build("imagenet", root)
    path = tree_of(declared, root) / expected["train"][0][0]
    path.rename(path.with_suffix(".jpeg"))
    assert refused(declared, root).problem == "train has another number of images"
    said = capsys.readouterr().out
    assert (
        f"1 files do not count, as they are not called *.JPEG in a folder of a class, first {path.parent}"
        in said
    )


@pytest.mark.parametrize("part", ["train", "val"])
def test_a_part_that_is_missing_or_was_not_unpacked_says_how_to_get_it(part, root):
    declared, _ = official.build("imagenet", root)
    folder = tree_of(declared, root) / part
    shutil.rmtree(folder)
    error = refused(declared, root)
    assert (error.where, error.found) == (str(folder), "no such folder") and "image-net.org" in error.remedy
    official.text(folder / "n01.tar")
    assert refused(declared, root).found == "0, but n01.tar and the like"


def test_validation_images_that_were_sorted_in_part_are_refused(root):
    declared, expected = official.build("imagenet", root)
    path = tree_of(declared, root) / expected["test"][0][0]
    path.rename(tree_of(declared, root) / "val" / path.name)
    error = refused(declared, root)
    assert "loose" in error.problem and error.found.startswith(path.name) and error.where.endswith("val")


@pytest.mark.parametrize(
    ("name", "listed", "lines", "says"),
    [
        (
            "food101",
            "meta/test.txt",
            ["waffles/7", "apple_pie/4"],
            "images/waffles/7.jpg in train and in test",
        ),
        ("food101", "meta/train.txt", ["waffles/7", "waffles/7", "apple_pie/3"], "in train and in train"),
        ("food101", "meta/test.txt", ["waffles/9", "apple_pie/../../../x"], "leads out of the folder"),
        ("food101", "meta/test.txt", ["waffles/9", f"apple_pie/{'x' * 300}"], "no file can be called so"),
        ("voc2007", "ImageSets/Main/test.txt", ["/000004"], "/000004"),
        ("birdsnap", "images.txt", ["path\tspecies_id", "Wren/1.jpg"], "['Wren/1.jpg'], line 2"),
        ("birdsnap", "images.txt", [], "nothing"),
        ("birdsnap", "images.txt", ["path\tspecies_id", f"Wren/1.jpg\t{'9' * 5000}"], "9" * 80),
    ],
)
def test_lists_that_cannot_be_right_are_refused(name, listed, lines, says, root):
    declared, _ = official.build(name, root)
    official.text(tree_of(declared, root) / listed, *lines)
    assert says in refused(declared, root).found


def test_bytes_that_are_no_image_are_told_by_their_number(root):
    declared, expected = official.build("food101", root)
    (tree_of(declared, root) / expected["train"][0][0]).write_bytes(b"<html>")
    assert refused(declared, root).found == "cannot identify image file of 6 bytes"


def test_a_stray_class_folder_is_named(root):
    declared, _ = official.build("imagenet", root)
    (tree_of(declared, root) / "train" / "notes").mkdir()
    error = refused(declared, root)
    assert error.found == "3, of which these hold no photograph: notes"


def flatten(tree, expected):
    """Validation images as their archive unpacks: loose, of which the classes are then listed elsewhere."""
    for path, _ in expected["test"]:
        (tree / path).rename(tree / "val" / path.rsplit("/", 1)[-1])
    for folder in ("n01", "n02"):
        (tree / "val" / folder).rmdir()
    return [(f"val/{path.rsplit('/', 1)[-1]}", label) for path, label in expected["test"]]


def devkit(folder, truth):
    """ILSVRC2012_IDs count otherwise than sorted WordNet ids do; inner nodes of the hierarchy have children."""
    official.text(folder / "ILSVRC2012_validation_ground_truth.txt", *map(str, truth))
    kinds = [("ILSVRC2012_ID", object), ("WNID", object), ("num_children", object)]
    synsets = np.array([(1, "n02", 0), (2, "n01", 0), (3, "n00", 2)], dtype=kinds)
    savemat(folder / "meta.mat", {"synsets": synsets.reshape(-1, 1)})


@pytest.mark.parametrize("place", ["ILSVRC2012_devkit_t12/data", ".", "val"])
def test_loose_validation_images_are_read_with_the_devkit(place, root):
    declared, expected = official.build("imagenet", root)
    tree = tree_of(declared, root)
    test = flatten(tree, expected)
    devkit(tree / place, [1, 2])  # image 1 is of n02, image 2 of n01
    assert listed(declared, root)["test"] == test
    assert [label for _, label in test] == [0, 1]


def test_loose_validation_images_are_read_with_other_official_lists(root):
    declared, expected = official.build("imagenet", root)
    tree = tree_of(declared, root)
    test = flatten(tree, expected)
    rows = ["ILSVRC2012_val_00000001,n02 1 2 3 4 n02 5 6 7 8", "ILSVRC2012_val_00000002,n01 1 2 3 4"]
    official.text(tree / "LOC_val_solution.csv", "ImageId,PredictionString", *rows)
    assert listed(declared, root)["test"] == test
    (tree / "LOC_val_solution.csv").unlink()
    for number, name in ((1, "n02"), (2, "n01")):
        path = tree / "Annotations" / "CLS-LOC" / "val" / f"ILSVRC2012_val_{number:08d}.xml"
        official.text(path, official.annotation(path.stem, [f"{name} 0"]))
    assert listed(declared, root)["test"] == test


def test_loose_validation_images_without_a_list_say_what_to_do(root):
    declared, expected = official.build("imagenet", root)
    tree = tree_of(declared, root)
    flatten(tree, expected)
    error = refused(declared, root)
    assert error.where == str(tree / "val") and "devkit" in error.remedy and "sort" in error.remedy
    devkit(tree, [1])
    error = refused(declared, root)
    assert "ILSVRC2012_val_00000002.JPEG" in error.found and error.where.endswith("ground_truth.txt")
    devkit(tree, [1, 7])
    assert refused(declared, root).found == "7"
    (tree / "meta.mat").unlink()
    assert refused(declared, root).where == str(tree / "meta.mat")


def test_a_jpeg_that_is_cut_is_found_where_only_sizes_are_recorded(root):
    declared, expected = official.build("imagenet", root)
    path = tree_of(declared, root) / expected["train"][1][0]
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    assert refused(declared, root).where == str(path)
    path.write_bytes(whole + b"some cameras write after the end")
    verification.survey(declared, root, {})


@pytest.mark.parametrize("name", ["stanford_cars", "flowers102"])
def test_a_missing_matlab_file_is_called_missing(name, root):
    declared, _ = official.build(name, root)
    path = next(tree_of(declared, root).rglob("*.mat"))
    path.unlink()
    error = refused(declared, root)
    assert error.where == str(path) and error.found == "No such file or directory"
    savemat(path, {"other": 1})
    assert refused(declared, root).found.startswith("none called ")


def test_a_declared_undecodable_photograph_is_left_out_and_named(root, tmp_path, capsys):
    declared, expected = official.build("sun397", root)
    bad = expected["test"][0][0]
    official.photograph(tree_of(declared, root) / "a/abbey/sun_e.jpg")
    with open(tree_of(declared, root) / "Partitions" / "Testing_01.txt", "a") as lines:
        lines.write("/a/abbey/sun_e.jpg\n")
    declared["splits"]["test"]["size"] = 3
    (tree_of(declared, root) / bad).write_bytes(b"GIF89a that nobody decodes")
    error = refused(declared, root)
    assert error.where.endswith(bad) and f"undecodable: [{bad}]" in error.remedy
    for undecodable in ([bad, "z/not/listed.jpg"], "skip"):
        prepare.prepare({**declared, "undecodable": undecodable}, tmp_path / "out", root)
        manifest = datasets.read_manifest(tmp_path / "out")
        assert manifest["splits"]["test"]["left_out"] == [bad] and manifest["splits"]["test"]["size"] == 2
        assert "left_out" not in manifest["splits"]["train"]
        images, labels = datasets.load(tmp_path / "out", "test")
        assert bad not in images.names and len(labels) == len(images) == 2
    said = capsys.readouterr().out
    assert f"test does without 1 images: {bad}" in said and "usable: 2" in said
    assert refused({**declared, "undecodable": ["a/other.jpg"]}, root).where.endswith(bad)


def test_the_two_of_sun_are_declared():
    assert official.DECLARED["sun397"]["undecodable"] == [
        "c/church/outdoor/sun_bhenjvsvrtumjuri.jpg",
        "t/track/outdoor/sun_aophkoiosslinihb.jpg",
    ]


def test_many_undecodable_photographs_are_named_at_once(root):
    declared, expected = official.build("food101", root)
    paths = [path for path, _ in expected["train"][:2]]
    for path in paths:
        (tree_of(declared, root) / path).write_bytes(b"")
    error = refused(declared, root)
    assert error.where.endswith(paths[0]) and paths[1] in error.found


def test_what_is_left_is_held_to_what_is_declared_as_usable(root):
    declared, expected = official.build("food101", root)
    (tree_of(declared, root) / expected["train"][0][0]).unlink()
    declared = {**declared, "absent": "skip"}
    declared["splits"]["train"]["usable"] = 2
    assert len(verification.survey(declared, root, {})["train"].entries) == 2
    declared["splits"]["train"]["usable"] = 3
    error = refused(declared, root)
    assert error.found.startswith("2; left out are ") and "usable: 2" in error.remedy


def test_official_validation_shrinks_by_what_is_left_out_of_it(root, tmp_path):
    declared, _ = official.build("dtd", root)
    extra = "banded/b_9.jpg"
    official.photograph(tree_of(declared, root) / "images" / extra)
    official.text(tree_of(declared, root) / "labels" / "val1.txt", extra, "banded/b_2.jpg")
    declared["splits"]["train"]["size"], declared["validation"] = 4, {"official": 2}
    (tree_of(declared, root) / "images" / extra).unlink()
    prepare.prepare({**declared, "absent": "skip"}, tmp_path / "out", root)
    assert datasets.load(tmp_path / "out", "validation")[0].names == ["images/banded/b_2.jpg"]
    assert len(datasets.load(tmp_path / "out", "train")[0]) == 2


def birdsnap_without(root, *gone):
    declared, expected = official.build("birdsnap", root)
    for path in gone:
        (tree_of(declared, root) / "images" / path).unlink()
    return declared, expected


def test_birdsnap_as_it_can_be_had_is_told_how_to_go_on(root):
    declared, _ = birdsnap_without(root, "Wren/1.jpg")
    error = refused(declared, root)
    assert error.found == "1 are not there: images/Wren/1.jpg" and "`absent: skip`" in error.remedy
    assert "`absent: skip`" in declared["by_hand"]


def test_birdsnap_without_all_test_images_of_a_class_is_usable(root, tmp_path, capsys):
    declared, expected = birdsnap_without(root, "Wren/1.jpg")
    prepare.prepare({**declared, "absent": "skip"}, tmp_path / "out", root)
    images, labels = datasets.load(tmp_path / "out", "test")
    assert images.names == [expected["test"][1][0]] and labels.tolist() == [0]
    assert datasets.read_manifest(tmp_path / "out")["splits"]["test"]["left_out"] == ["images/Wren/1.jpg"]
    assert "test has no image of 1 classes: 1" in capsys.readouterr().out


def test_birdsnap_with_shorter_lists_and_the_sizes_that_the_message_asks_for(root):
    declared, _ = birdsnap_without(root, "Wren/1.jpg")
    for name in ("images.txt", "test_images.txt"):
        path = tree_of(declared, root) / name
        path.write_text("".join(line for line in path.open() if "Wren/1.jpg" not in line))
    error = refused(declared, root)
    assert "train: {size: 2}, test: {size: 1}" in error.remedy
    assert not re.search(r"who must do|that are there\b.*declares", error.remedy)
    declared["splits"] = {"train": {"size": 2}, "test": {"size": 1}}
    assert len(listed(declared, root)["test"]) == 1


def test_a_class_without_a_training_image_or_one_that_a_metric_needs_is_refused(root):
    declared, _ = birdsnap_without(root, "Wren/2.jpg")
    error = refused({**declared, "absent": "skip"}, root)
    assert "train has a class" in error.problem and error.remedy
    declared, expected = official.build("oxford_pets", root)
    (tree_of(declared, root) / expected["test"][0][0]).unlink()
    error = refused({**declared, "absent": "skip"}, root)
    assert "test has a class" in error.problem and "mean_per_class" in error.remedy


def test_a_changed_photograph_is_never_left_out(root, tmp_path):
    declared, expected = official.build("food101", root)
    declared["undecodable"] = "skip"
    prepare.prepare(declared, tmp_path / "out", root)
    path, other = (tree_of(declared, root) / expected["train"][k][0] for k in (0, 1))
    path.write_bytes(other.read_bytes())
    with pytest.raises(UserError, match="has changed") as caught:
        prepare.prepare(declared, tmp_path / "out", root, verify=True)
    assert caught.value.where == str(path)


def test_a_manifest_of_another_shape_or_with_a_changed_digit_is_refused(root, tmp_path):
    declared, _ = official.build("food101", root)
    prepare.prepare(declared, tmp_path / "out", root)
    manifest = datasets.read_manifest(tmp_path / "out")
    smaller = {**manifest["splits"], "test": {**manifest["splits"]["test"], "size": 1}}
    changed = [
        [],
        {},
        {**manifest, "splits": []},
        {**manifest, "splits": smaller},
        {**manifest, "validation": {"fraction": 0.2, "seed": 0}},
        {name: value for name, value in manifest.items() if name != "classes"},
    ]
    for one in changed:
        files.write_json(tmp_path / "out" / "manifest.json", one)
        with pytest.raises(UserError, match="manifest is not one") as caught:
            datasets.load(tmp_path / "out", "test")
        assert caught.value.where.endswith("manifest.json") and "prepare" in caught.value.remedy
    prepare.prepare(declared, tmp_path / "out", root)
    assert datasets.read_manifest(tmp_path / "out") == manifest
