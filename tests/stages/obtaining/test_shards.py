"""Shards hold the same photographs in the same order as the official tree, and nobody reads a damaged one."""

import json
import shutil
import tarfile

import numpy as np
import pytest

from common import atomic, files
from common.errors import UserError
from stages import prepare
from stages.data import datasets
from stages.data.decoding import photograph
from stages.obtaining import shards, trees
from tests.stages import official


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data"


def packed(name, root):
    declared, _ = official.build(name, root)
    trees.pack(declared, root)
    return declared, shards.folder_of(declared, root)


def read(folder, split):
    images, labels = datasets.load(folder, split)
    return [images.read(place) for place in range(len(images))], labels.tolist(), images.names


@pytest.mark.parametrize("name", official.BUILDERS)
def test_a_set_in_shards_is_the_set(name, root, tmp_path):
    declared, _ = official.build(name, root)
    prepare.prepare(declared, tmp_path / "tree", root)
    whole = {split: read(tmp_path / "tree", split) for split in ("train+validation", "test")}
    trees.pack(declared, root)
    shutil.rmtree(root / declared["folder"])
    prepare.prepare(declared, tmp_path / "shards", root)
    assert {split: read(tmp_path / "shards", split) for split in whole} == whole
    for kept in ("manifest.json", "train.files.txt", "test.labels.npy"):
        assert (tmp_path / "shards" / kept).read_bytes() == (tmp_path / "tree" / kept).read_bytes()


@pytest.mark.parametrize("name", ["food101", "voc2007", "imagenet"])
def test_archives_are_plain_tars_of_keys_in_the_official_order(name, root):
    declared, folder = packed(name, root)
    manifest = datasets.read_manifest(folder)
    for split in datasets.STORED:
        labels = datasets.read_split_array(folder, manifest, split, "labels").tolist()
        paths = [line.split(" ", 2)[2] for line in (folder / f"{split}.files.txt").read_text().splitlines()]
        with tarfile.open(folder / f"{split}-000000.tar", "r:") as archive:
            members = archive.getmembers()
            assert len(members) == 2 * len(paths) and {member.mtime for member in members} == {0}
            for place, path in enumerate(paths):
                image, label = members[2 * place : 2 * place + 2]
                kind = "json" if name == "voc2007" else "cls"
                assert (image.name, label.name) == (f"{place:08d}.jpg", f"{place:08d}.{kind}")
                assert archive.extractfile(image).read() == (root / declared["folder"] / path).read_bytes()
                assert json.loads(archive.extractfile(label).read()) == labels[place]


def test_the_index_says_where_each_photograph_begins(root):
    declared, folder = packed("imagenet", root)  # whose lists have sizes alone; its shards have checksums
    listed = (folder / "train.files.txt").read_text().splitlines()
    for line, listed_line in zip((folder / "train.index.txt").read_text().splitlines(), listed, strict=True):
        sha256, archive, offset = line.split(" ")
        _, size, path = listed_line.split(" ", 2)
        data = (folder / archive).read_bytes()[int(offset) :][: int(size)]
        assert files.sha256_bytes(data) == sha256 == files.sha256_file(root / declared["folder"] / path)


def test_equal_photographs_give_equal_bytes_in_many_archives(root, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_BYTES", 1500)
    declared, folder = packed("caltech101", root)
    names = sorted(path.name for path in folder.glob("*.tar"))
    assert len(names) > 3 and names[0] == "test-000000.tar"
    _, again = packed("caltech101", tmp_path / "again")
    for path in folder.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes(), path.name
    prepare.prepare(declared, tmp_path / "out", root)
    contents, _, paths = read(tmp_path / "out", "train+validation")
    assert contents == [(root / declared["folder"] / path).read_bytes() for path in paths]
    chosen = datasets.load(tmp_path / "out", "train+validation")[0][np.array([4, 0])]
    assert [chosen.read(place) for place in (0, 1)] == [contents[4], contents[0]]
    assert photograph(chosen, 0).shape[0] == 3


def test_what_is_whole_is_kept(root, capsys):
    declared, folder = packed("food101", root)
    times = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    trees.pack(declared, root)
    assert "there and whole" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == times


def test_other_photographs_are_packed_anew(root, tmp_path):
    declared, _ = packed("food101", root)
    path = root / declared["folder"] / "images/waffles/7.jpg"
    official.photograph(path, "PNG")
    trees.pack(declared, root)
    prepare.prepare(declared, tmp_path / "out", root)
    contents, _, _ = read(tmp_path / "out", "train+validation")
    assert path.read_bytes() in contents


def test_a_killed_packing_leaves_no_shards(root, tmp_path, monkeypatch):
    declared, _ = official.build("food101", root)
    whole_file = atomic.whole_file

    def dies(path, needed=None):
        if path.name == "test-000000.tar":
            raise KeyboardInterrupt
        return whole_file(path, needed)

    monkeypatch.setattr(atomic, "whole_file", dies)
    with pytest.raises(KeyboardInterrupt):
        trees.pack(declared, root)
    monkeypatch.undo()
    assert not shards.are_in(shards.folder_of(declared, root))
    prepare.prepare(declared, tmp_path / "out", root)  # from the tree
    assert "shards" not in files.read_json(tmp_path / "out" / "source.json")
    trees.pack(declared, root)
    assert shards.are_in(shards.folder_of(declared, root))


def damage_end(path):
    path.write_bytes(path.read_bytes()[:-512])


def damage_inside(path):
    data = bytearray(path.read_bytes())
    data[700] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(("damage", "at_once"), [(damage_end, True), (damage_inside, False)])
def test_a_damaged_archive_is_named(root, tmp_path, damage, at_once):
    declared, folder = packed("food101", root)
    prepare.prepare(declared, tmp_path / "out", root)
    archive = folder / "test-000000.tar"
    damage(archive)
    with pytest.raises(UserError, match="archive of photographs is missing or damaged") as caught:
        prepare.prepare(declared, tmp_path / "out", root, verify=not at_once)
    assert caught.value.where == str(archive) and "--shards" in caught.value.remedy
    images, _ = datasets.load(tmp_path / "out", "test")
    if not at_once:
        with pytest.raises(UserError, match="has changed") as caught:
            images.read(0)
        assert caught.value.where == f"{archive} ({images.names[0]})"


def test_a_missing_archive_is_named_when_it_is_read(root, tmp_path):
    declared, folder = packed("food101", root)
    prepare.prepare(declared, tmp_path / "out", root)
    (folder / "test-000000.tar").unlink()
    with pytest.raises(UserError, match="archive of photographs is missing") as caught:
        datasets.load(tmp_path / "out", "test")[0].read(0)
    assert caught.value.where == str(folder / "test-000000.tar")


@pytest.mark.parametrize("name", ["test.index.txt", "train.files.txt", "train.labels.npy"])
def test_a_damaged_list_of_shards_is_refused(root, tmp_path, name):
    declared, folder = packed("food101", root)
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[:-2] + bytes([data[-2] ^ 1]) + data[-1:])
    with pytest.raises(UserError, match="damaged") as caught:
        prepare.prepare(declared, tmp_path / "out", root)
    assert caught.value.where == str(folder / name)


def test_shards_of_another_declaration_are_refused(root, tmp_path):
    declared, folder = packed("food101", root)
    declared["splits"]["test"]["size"] = 3
    with pytest.raises(UserError, match="another number of images"):
        prepare.prepare(declared, tmp_path / "out", root)
    with pytest.raises(UserError, match="of another data set") as caught:
        prepare.prepare({**declared, "classes": 3}, tmp_path / "out", root)
    assert caught.value.where == str(folder)


def test_the_command_packs_and_prepares(root, tmp_path, capsys):
    declared, _ = official.build("food101", root)
    files.write_yaml(tmp_path / "d.yaml", {"food101": declared})
    words = ["--dataset", "food101", "--root", str(root), "--declarations", str(tmp_path / "d.yaml")]
    assert prepare.main([*words, "--shards"]) == 0
    assert prepare.main([*words, "--shards", "--out", str(tmp_path / "out")]) == 0
    assert files.read_json(tmp_path / "out" / "food101" / "source.json")["source"] == "shards food-101.shards"
    no_photographs = ["--dataset", "digits", "--root", str(root), "--shards"]
    assert prepare.main(no_photographs) == 2
    assert "only photographs" in capsys.readouterr().err
