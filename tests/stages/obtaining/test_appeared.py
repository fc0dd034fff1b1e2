"""A data set that is missing is tried again when something comes to lie where it is looked for, and not before."""

import errno
import os
import shutil
import sys
from pathlib import Path

import pytest

from common import files, receipts
from stages import prepare, repro
from stages.data.datasets import REPOSITORY
from stages.obtaining.appeared import may_have_come
from stages.obtaining.declarations import read_declaration
from tests.stages import official

DATA = Path("results/smoke/data")
MANIFEST = DATA / "manifest.json"
STAMP = Path("results/smoke/data.stamp")


@pytest.fixture
def unpacked(tmp_path, monkeypatch) -> Path:
    """In the current folder digits can be had, fashion_mnist by network alone, dtd not yet: its tree lies elsewhere."""
    monkeypatch.chdir(tmp_path)
    Path("params").symlink_to(REPOSITORY / "params")  # scales are read there
    declared, _ = official.build("dtd", tmp_path / "elsewhere")
    sets = {name: read_declaration(name) for name in ("digits", "fashion_mnist")} | {"dtd": declared}
    sources = sets["fashion_mnist"]["sources"]  # without the folder of the whole machine
    sets["fashion_mnist"]["sources"] = [one for one in sources if not Path(one.get("path", "")).is_absolute()]
    for each in sets.values():
        each.pop("name")
    files.write_yaml("datasets.yaml", sets)
    monkeypatch.setattr(prepare, "planned", lambda scale: sorted(sets))
    return tmp_path / "elsewhere" / declared["folder"]


def prepared(*more: str) -> int:
    return prepare.main(["--scale", "smoke", "--declarations", "datasets.yaml", *more])


def missing() -> list[str]:
    return files.read_json(MANIFEST)["missing"]


def test_what_cannot_be_had_is_not_tried_at_every_call(unpacked, capsys):
    assert prepared() == 0
    assert missing() == ["dtd", "fashion_mnist"]
    assert "missing: dtd, fashion_mnist. What needs them stays partial" in capsys.readouterr().out
    assert not may_have_come(DATA)


def test_a_tree_that_was_unpacked_is_found_though_its_files_are_old(unpacked):
    prepared()
    for path in [unpacked, *unpacked.rglob("*")]:
        os.utime(path, (1_000_000_000, 1_000_000_000))
    shutil.copytree(unpacked, "data/dtd")  # keeps times, as tar does
    assert may_have_come(DATA)
    assert prepared() == 0 and missing() == ["fashion_mnist"]
    assert not may_have_come(DATA)


def test_a_tree_that_was_refused_is_tried_again_when_it_changes(unpacked):
    shutil.copytree(unpacked, "data/dtd")
    listed = Path("data/dtd/labels/train1.txt")
    whole = listed.read_text()
    listed.write_text("nobody/knows.jpg\n")
    prepared()
    assert "dtd" in missing() and not may_have_come(DATA)
    listed.write_text(whole)
    assert may_have_come(DATA)
    prepared()
    assert missing() == ["fashion_mnist"]


@pytest.mark.parametrize("place", ["data/fashion-mnist", "results/smoke/data/fashion_mnist/manifest.json"])
def test_files_of_a_source_and_a_set_that_was_prepared_alone_are_found(unpacked, place):
    prepared()
    Path(place).parent.mkdir(parents=True, exist_ok=True)
    Path(place).write_text("")
    assert may_have_come(DATA)


def test_a_shard_or_an_archive_that_was_brought_is_found(unpacked):
    sets = files.read_yaml("datasets.yaml")
    sets["fashion_mnist"] = {**read_declaration("cifar100"), "name": "fashion_mnist"}
    del sets["fashion_mnist"]["name"]
    files.write_yaml("datasets.yaml", sets)
    for place in ("data/cifar-100-binary.tar.gz", "data/dtd.shards"):
        prepared()
        Path(place).parent.mkdir(exist_ok=True)
        Path(place).write_text("")
        assert may_have_come(DATA), place


def test_nothing_is_looked_for_where_nothing_is_missing(unpacked, monkeypatch):
    monkeypatch.setattr(prepare, "planned", lambda scale: ["digits"])
    prepared()
    STAMP.unlink()
    assert missing() == [] and not may_have_come(DATA)


@pytest.mark.parametrize("damage", [b"\xff", b"[]", b"{}", b"[" * 5000, b'{"missing": 1}'])
@pytest.mark.parametrize("path", [MANIFEST, STAMP])
def test_a_damaged_note_is_made_again(unpacked, path, damage):
    prepared()
    path.write_bytes(damage)
    assert may_have_come(DATA)
    assert prepared() == 0 and missing() == ["dtd", "fashion_mnist"]
    assert not may_have_come(DATA)


def test_a_manifest_that_came_without_the_note_is_made_again(unpacked):
    """As by `dvc pull`: what is missing there may be here."""
    prepared()
    STAMP.unlink()
    assert may_have_come(DATA)


@pytest.mark.parametrize(
    "refusal", [OSError(errno.ENOSPC, "No space left on device"), PermissionError(errno.EACCES, "no")]
)
def test_a_full_disk_is_no_missing_data_set(unpacked, monkeypatch, capsys, refusal):
    """The same command goes on when there is room; until then no engine takes the step for done."""

    def refuse(handle: int) -> None:
        raise refusal

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", refuse)
        assert prepared() == 2
    said = capsys.readouterr()
    assert "error: " in said.err and "missing: digits" not in said.out and not MANIFEST.exists()
    assert prepared() == 0 and missing() == ["dtd", "fashion_mnist"]


def test_dvc_is_called_after_the_look_of_snakemake(unpacked, monkeypatch):
    """Engines know files alone: the manifest goes, and the receipts, between which and its makers none is remade."""
    prepared()
    receipts.write(DATA.parent, "runs/figure_08", [MANIFEST])
    Path("data/fashion-mnist").mkdir(parents=True)
    monkeypatch.setattr(repro.scales, "default", lambda: "smoke")
    called = []
    monkeypatch.setattr(os, "execv", lambda program, words: called.append(words))
    assert repro.main(["--quiet"]) == 0
    assert called == [[sys.executable, "-m", "dvc", "repro", "--quiet"]]
    assert not MANIFEST.exists() and not list((DATA.parent / receipts.PLACE).rglob("*.json"))
