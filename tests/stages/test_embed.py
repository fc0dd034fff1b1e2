"""The embedded subset is balanced, lossless and the same every time; the committed one is small and whole."""

import numpy as np
import pytest

from common import files
from common.errors import UserError
from stages import embed
from stages.data import datasets
from stages.obtaining import arrays, declarations

RNG = np.random.default_rng(0)
COMMITTED = datasets.REPOSITORY / "data" / "cifar10_subset"
CLASSES = ["cat", "dog", "frog"]


def channels(images):
    values = images.reshape(-1, 3) / 255
    return {"mean": values.mean(0).round(8).tolist(), "std": values.std(0).round(8).tolist()}


@pytest.fixture
def full(tmp_path):
    """A prepared set of 30 + 12 images of 3 classes, and its declaration."""
    about = {
        "title": "Full",
        "classes": CLASSES,
        "metric": "top1",
        "validation": {"fraction": 0.2, "seed": 0},
    }
    splits = {}
    for split, n in (("train", 30), ("test", 12)):
        pair = {
            "images": RNG.integers(0, 256, (n, 4, 4, 3), np.uint8),
            "labels": RNG.permutation(np.arange(n) % 3),
        }
        files.write_arrays(tmp_path / "full", {f"{split}.{kind}": array for kind, array in pair.items()})
        splits[split] = {"size": n} | {
            kind: {"dtype": a.dtype.name, "shape": list(a.shape), "sha256": datasets.array_sha256(a)}
            for kind, a in pair.items()
        }
    sha256 = datasets.manifest_sha256(splits, about["validation"])
    manifest = {"name": "full", **about, "splits": splits, "sha256": sha256}
    files.write_json(tmp_path / "full" / "manifest.json", manifest)
    images, _ = datasets.load(tmp_path / "full", "train+validation")
    return {"name": "full", **about, "image": [4, 4, 3], "channels": channels(images)}


@pytest.fixture
def subset(full):
    sizes = {"train": {"size": 15}, "test": {"size": 6}}
    return {**full, "name": "small", "subset": {"of": "full", "seed": 0}, "splits": sizes}


def test_the_subset_is_balanced_and_comes_back_without_loss(full, subset, tmp_path):
    embed.embed(tmp_path / "full", tmp_path / "small", subset, full)
    source = {
        "kind": "folder",
        "path": "small",
        "format": "class_sheets",
        "splits": {"train": ["index.csv", "train"], "test": ["index.csv", "test"]},
    }
    found = arrays.read_source(source, subset, tmp_path)
    rows = [line.split(",") for line in (tmp_path / "small" / "index.csv").read_text().splitlines()[1:]]
    for split, of, each in (("train", "train+validation", 5), ("test", "test", 2)):
        images, labels = datasets.load(tmp_path / "full", of)
        index = [int(position) for where, position, _ in rows if where == split]
        assert index == sorted(index)
        np.testing.assert_array_equal(found[split][0], images[index])
        np.testing.assert_array_equal(found[split][1], labels[index])
        assert np.bincount(found[split][1]).tolist() == [each] * 3
        manifest = files.read_json(tmp_path / "small" / "manifest.json")
        assert manifest["arrays"][split]["images"] == datasets.array_sha256(found[split][0])


def test_the_same_set_and_seed_give_the_same_bytes(full, subset, tmp_path):
    for name in ("a", "b"):
        embed.embed(tmp_path / "full", tmp_path / name, subset, full)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
    other = {**subset, "subset": {"of": "full", "seed": 1}}
    embed.embed(tmp_path / "full", tmp_path / "b", other, full)
    assert (tmp_path / "a" / "index.csv").read_bytes() != (tmp_path / "b" / "index.csv").read_bytes()


def test_a_full_set_that_is_not_the_published_one_is_refused(full, subset, tmp_path):
    for name in ("mean", "std"):
        wrong = {**full["channels"], name: [value + 1e-7 for value in full["channels"][name]]}
        with pytest.raises(UserError, match=f"published {name}"):
            embed.embed(tmp_path / "full", tmp_path / "small", subset, {**full, "channels": wrong})
    assert not (tmp_path / "small").exists()


def test_a_size_that_cannot_be_balanced_is_refused():
    with pytest.raises(UserError, match="balanced"):
        embed.choose(np.arange(9) % 3, 4, 0, "train")


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1000], lambda data: b"RIFF" + data[5:], lambda data: b""]
)
def test_a_damaged_sheet_is_named(full, subset, tmp_path, damage):
    embed.embed(tmp_path / "full", tmp_path / "small", subset, full)
    path = tmp_path / "small" / "test_dog.webp"
    path.write_bytes(damage(path.read_bytes()))
    source = {
        "kind": "folder",
        "path": "small",
        "format": "class_sheets",
        "splits": {"train": ["index.csv", "train"], "test": ["index.csv", "test"]},
    }
    with pytest.raises(UserError, match="wrong checksum") as caught:
        arrays.read_source(source, subset, tmp_path)
    assert caught.value.where == str(path)


def test_the_committed_subset_is_small_and_all_there():
    manifest = files.read_json(COMMITTED / "manifest.json")
    names = {path.name for path in COMMITTED.iterdir()}
    assert names == {*manifest["files"], "manifest.json"}
    assert sum(path.stat().st_size for path in COMMITTED.iterdir()) < 12e6
    for name, check in manifest["files"].items():
        assert "sha256:" + files.sha256_file(COMMITTED / name) == check


def test_the_committed_subset_is_of_the_declared_full_set_and_declares_what_it_holds():
    manifest = files.read_json(COMMITTED / "manifest.json")
    full, small = declarations.read_declaration("cifar10"), declarations.read_declaration("cifar10_subset")
    for split in datasets.STORED:
        for kind in ("images", "labels"):
            assert manifest["of"]["splits"][split][kind]["sha256"] == full["splits"][split][kind]
            assert manifest["arrays"][split][kind] == small["splits"][split][kind]


def test_the_committed_index_is_balanced_and_within_the_full_set():
    rows = [line.split(",") for line in (COMMITTED / "index.csv").read_text().splitlines()[1:]]
    for split, size, whole in (("train", 4000, 50000), ("test", 1000, 10000)):
        index = np.array([int(position) for where, position, _ in rows if where == split])
        labels = np.array([int(label) for where, _, label in rows if where == split])
        assert np.all(np.diff(index) > 0)
        assert index[0] >= 0
        assert index[-1] < whole
        assert np.bincount(labels).tolist() == [size // 10] * 10
