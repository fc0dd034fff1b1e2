"""Prepared arrays are read back whole or not at all, and declarations are complete."""

import copy
import hashlib
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common import files
from common.errors import UserError
from stages.data import datasets
from stages.obtaining import declarations, layouts
from stages.obtaining.formats import FORMATS
from stages.obtaining.sources import KINDS

DECLARED = files.read_yaml(declarations.DECLARATIONS)
CHECK = re.compile(r"(gunzip-)?sha256:[0-9a-f]{64}|md5:[0-9a-f]{32}")


def stored(array):
    return {"dtype": array.dtype.name, "shape": list(array.shape), "sha256": datasets.array_sha256(array)}


@pytest.fixture
def folder(tmp_path):
    """30 training and 6 test images of 3 classes; pixel values are the image's index."""
    splits = {}
    for split, n in (("train", 30), ("test", 6)):
        images = np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None, None], (n, 2, 2, 3))
        arrays = {"images": images, "labels": np.arange(n) % 3}
        files.write_arrays(tmp_path, {f"{split}.{kind}": array for kind, array in arrays.items()})
        splits[split] = {"size": n, **{kind: stored(array) for kind, array in arrays.items()}}
    about = {"name": "tiny", "title": "Tiny", "classes": 3, "metric": "top1", "splits": splits}
    files.write_json(tmp_path / "manifest.json", about)
    declare_validation(tmp_path, {"fraction": 0.2, "seed": 0})
    return tmp_path


def declare_validation(folder, value):
    manifest = files.read_json(folder / "manifest.json")
    sha256 = datasets.manifest_sha256(manifest["splits"], value)
    files.write_json(folder / "manifest.json", {**manifest, "validation": value, "sha256": sha256})


def test_splits_are_disjoint_balanced_and_together_everything(folder):
    train, validation, both, test = (datasets.load(folder, split) for split in datasets.SPLITS)
    assert np.bincount(train[1]).tolist() == [8, 8, 8]
    assert np.bincount(validation[1]).tolist() == [2, 2, 2]
    assert sorted([*train[0][:, 0, 0, 0], *validation[0][:, 0, 0, 0]]) == both[0][:, 0, 0, 0].tolist()
    assert (len(both[1]), len(test[1])) == (30, 6)
    for images, labels in (train, validation, both, test):
        assert np.array_equal(images[:, 0, 0, 0] % 3, labels)
        assert (images.dtype, labels.dtype) == (np.uint8, np.int64)


def test_an_official_validation_split_is_the_end_of_train(folder):
    declare_validation(folder, {"official": 4})
    assert datasets.load(folder, "validation")[0][:, 0, 0, 0].tolist() == [26, 27, 28, 29]
    assert datasets.load(folder, "train")[0][:, 0, 0, 0].tolist() == list(range(26))


def test_a_limit_keeps_a_balanced_part_of_training_images_only(folder):
    assert np.bincount(datasets.load(folder, "train", limit=12)[1]).tolist() == [4, 4, 4]
    assert np.bincount(datasets.load(folder, "train+validation", limit=3)[1]).tolist() == [1, 1, 1]
    assert len(datasets.load(folder, "train", limit=1000)[1]) == 24
    assert len(datasets.load(folder, "validation", limit=3)[1]) == 6
    assert len(datasets.load(folder, "test", limit=3)[1]) == 6


def test_a_memory_map_reads_the_same_and_cannot_be_written(folder):
    images, labels = datasets.load(folder, "test", mmap=True)
    assert isinstance(images, np.memmap)
    np.testing.assert_array_equal(images, datasets.load(folder, "test")[0])
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0
    assert len(labels) == 6


def test_a_flipped_byte_is_found_and_named(folder):
    path = folder / "train.images.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match="damaged") as caught:
        datasets.load(folder, "train")
    assert caught.value.where == str(path)
    assert caught.value.expected.startswith("sha256 ")
    assert caught.value.found.startswith("sha256 ")
    assert "stages prepare" in caught.value.remedy
    datasets.load(folder, "train", verify=False)
    datasets.load(folder, "test")


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_a_truncated_array_is_named(folder, mmap, keep):
    path = folder / "test.images.npy"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match="cannot be read") as caught:
        datasets.load(folder, "test", mmap=mmap)
    assert caught.value.where == str(path)


def test_an_array_of_another_shape_is_named(folder):
    files.write_array(folder / "test.labels.npy", np.arange(7))
    with pytest.raises(UserError, match="not the one that was prepared") as caught:
        datasets.load(folder, "test", verify=False)
    assert "[6]" in caught.value.expected
    assert "[7]" in caught.value.found


def test_a_pickle_in_place_of_an_array_is_not_opened(folder):
    np.save(folder / "test.labels.npy", np.array([{}] * 6), allow_pickle=True)
    with pytest.raises(UserError, match="cannot be read"):
        datasets.load(folder, "test")


@pytest.mark.parametrize("make", [False, True])
def test_a_missing_data_set_says_how_to_prepare_it(tmp_path, make):
    folder = tmp_path / "cifar10"
    if make:
        folder.mkdir()
    with pytest.raises(UserError, match="no prepared data set") as caught:
        datasets.load(folder, "train")
    assert caught.value.where == str(folder)
    assert "stages prepare" in caught.value.remedy


anything = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
anything |= st.lists(anything, max_size=2) | st.dictionaries(st.text(max_size=5), anything, max_size=2)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_stands_in_a_manifest_it_is_read_or_refused(folder, data):
    """Any node replaced by anything, or removed."""
    manifest = files.read_json(folder / "manifest.json")
    whole, node = copy.deepcopy(manifest), manifest
    while True:
        key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        if not (isinstance(node[key], dict | list) and node[key]) or data.draw(st.booleans()):
            break
        node = node[key]
    if data.draw(st.booleans()):
        del node[key]
    else:
        node[key] = data.draw(anything)
    files.write_json(folder / "manifest.json", manifest)
    try:
        images, labels = datasets.load(folder, data.draw(st.sampled_from(datasets.SPLITS)))
        assert len(images) == len(labels)
    except UserError as error:
        assert error.where
    finally:
        files.write_json(folder / "manifest.json", whole)


def test_an_unknown_split_is_refused(folder):
    with pytest.raises(UserError, match="no such split") as caught:
        datasets.load(folder, "val")
    assert "validation" in caught.value.expected


def test_an_unknown_data_set_gets_the_nearest_name():
    with pytest.raises(UserError, match="did you mean `cifar10`") as caught:
        declarations.read_declaration("cifar_10")
    assert "datasets.yaml" in caught.value.where


def test_array_sha256_is_what_the_declarations_say_it_is():
    x = np.arange(6, dtype=np.int64).reshape(2, 3)
    assert datasets.array_sha256(x) == hashlib.sha256(b"<i8 (2, 3)\n" + x.astype("<i8").tobytes()).hexdigest()


def test_array_sha256_depends_on_content_type_and_shape_but_not_on_layout():
    x = np.arange(6, dtype=np.int64).reshape(2, 3)
    same = [x, np.asfortranarray(x), x.astype(">i8"), np.concatenate([x, x], 1)[:, :3]]
    assert len({datasets.array_sha256(array) for array in same}) == 1
    other = [x, x.T, x.reshape(-1), x.astype(np.int32), x.view(np.uint64), x + 1]
    assert len({datasets.array_sha256(array) for array in other}) == len(other)


def test_the_declared_hash_changes_with_any_array_and_with_the_validation_split():
    base = declarations.read_declaration("digits")
    other_array = {**base, "splits": {**base["splits"], "test": {**base["splits"]["test"], "images": "0"}}}
    other_validation = {**base, "validation": {"fraction": 0.1, "seed": 1}}
    hashes = {datasets.combined_sha256(one) for one in (base, other_array, other_validation)}
    assert len(hashes) == 3
    assert declarations.declared_sha256("digits") in hashes


@pytest.mark.parametrize("name", DECLARED)
def test_every_declaration_is_complete(name):
    declared = DECLARED[name]
    assert declared.keys() >= {
        "title",
        "classes",
        "image",
        "metric",
        "splits",
        "validation",
        "by_hand",
    }
    assert declared.keys() >= ({"layout", "folder", "disk"} if declared["image"] is None else {"sources"})
    assert declared["metric"] in {"top1", "mean_per_class", "map11"}
    assert datasets.class_count(declared) > 1
    assert set(declared["validation"]) in ({"fraction", "seed"}, {"official"})
    for split in datasets.STORED:
        sums = set() if declared["image"] is None else {"images", "labels"}
        assert declared["splits"][split].keys() == {"size"} | sums


# Appendix B.8: classes, training (with validation) and test images, metric, official validation images
TRANSFER = {
    "food101": (101, 75_750, 25_250, "top1", None),
    "cifar10": (10, 50_000, 10_000, "top1", None),
    "cifar100": (100, 50_000, 10_000, "top1", None),
    "birdsnap": (500, 47_386, 2_443, "top1", None),
    "sun397": (397, 19_850, 19_850, "top1", None),
    "stanford_cars": (196, 8_144, 8_041, "top1", None),
    "fgvc_aircraft": (100, 6_667, 3_333, "mean_per_class", 3_333),
    "voc2007": (20, 5_011, 4_952, "map11", 2_510),
    "dtd": (47, 3_760, 1_880, "top1", 1_880),
    "oxford_pets": (37, 3_680, 3_669, "mean_per_class", None),
    "caltech101": (102, 3_060, 6_084, "mean_per_class", None),
    "flowers102": (102, 2_040, 6_149, "mean_per_class", 1_020),
}


@pytest.mark.parametrize("name", TRANSFER)
def test_the_transfer_sets_are_those_of_the_paper(name):
    declared = DECLARED[name]
    sizes = [declared["splits"][split]["size"] for split in datasets.STORED]
    found = (
        datasets.class_count(declared),
        *sizes,
        declared["metric"],
        declared["validation"].get("official"),
    )
    assert found == TRANSFER[name]


@pytest.mark.parametrize("name", DECLARED)
def test_every_source_can_be_opened_by_some_code_and_every_file_has_a_checksum(name):
    if "layout" in DECLARED[name]:
        assert DECLARED[name]["layout"] in layouts.known()
        return
    for source in DECLARED[name]["sources"]:
        assert source["kind"] in KINDS
        assert source["format"] in FORMATS
        assert set(source["splits"]) == set(datasets.STORED)
        covered = CHECK.fullmatch(source.get("check", ""))  # by its archive's checksum
        assert all(CHECK.fullmatch(check) if check else covered for check in source.get("files", {}).values())
        assert {names[0] for names in source["splits"].values()} <= set(source.get("files", ["index.csv"]))
