"""Photographs are prepared as lists, read back in any order as they were, and never otherwise than they were."""

import shutil

import gin
import numpy as np
import pytest
import torch
from PIL import Image

from common import files
from common.errors import UserError
from simclr.views import Ragged
from stages import prepare
from stages.data import datasets, file_lists
from stages.data.loading import dataset
from stages.data.photographs import Photographs
from stages.obtaining import declarations
from stages.planning import fingerprint
from tests.stages import official, tiny


@pytest.fixture
def pets(tmp_path):
    """(declaration, expected, folder it was prepared into, root) of a data set of four photographs."""
    return prepared("oxford_pets", tmp_path)


def prepared(name, tmp_path):
    declared, expected = official.build(name, tmp_path / "root")
    folder = tmp_path / "out" / name
    prepare.prepare(declared, folder, tmp_path / "root")
    return declared, expected, folder, tmp_path / "root"


def photographs(folder, split="test"):
    return Photographs(datasets.load(folder, split)[0])


def test_the_prepared_folder_lists_files_and_holds_no_picture(pets):
    declared, expected, folder, root = pets
    assert sorted(path.name for path in folder.iterdir()) == [
        "manifest.json",
        "source.json",
        "test.files.txt",
        "test.labels.npy",
        "train.files.txt",
        "train.labels.npy",
    ]
    path = root / declared["folder"] / expected["test"][0][0]
    first = (folder / "test.files.txt").read_text().splitlines()[0]
    assert first == f"{files.sha256_file(path)} {path.stat().st_size} {expected['test'][0][0]}"
    assert str(root) not in (folder / "manifest.json").read_text()


@pytest.mark.parametrize("name", official.BUILDERS)
def test_every_data_set_is_prepared_and_loaded(name, tmp_path):
    declared, expected, folder, root = prepared(name, tmp_path)
    for split, samples in (("train+validation", expected["train"]), ("test", expected["test"])):
        found, labels = datasets.load(folder, split)
        assert labels.tolist() == [label for _, label in samples]
        assert found.names == [path for path, _ in samples]
        for image, (path, _) in zip(Photographs(found)[:], samples, strict=True):
            pixels = np.asarray(Image.open(root / declared["folder"] / path).convert("RGB"))
            assert torch.equal(image, torch.from_numpy(pixels.transpose(2, 0, 1).copy()))


@pytest.mark.parametrize("name", ["voc2007", "dtd", "fgvc_aircraft", "flowers102"])
def test_official_validation_is_what_the_lists_call_so(name, tmp_path):
    _, expected, folder, _ = prepared(name, tmp_path)
    train, validation = (datasets.load(folder, split) for split in ("train", "validation"))
    assert [entry.path for entry in validation[0].entries] == [expected["train"][-1][0]]
    assert [entry.path for entry in train[0].entries] == [path for path, _ in expected["train"][:-1]]
    assert train[1].tolist() == [label for _, label in expected["train"][:-1]]


def test_random_access_gives_the_asked_order_and_each_size(pets):
    images = photographs(pets[2], "train+validation")
    both = images[torch.tensor([1, 0, 1])]
    assert isinstance(both, Ragged) and len(both) == 3 and len(images) == 2
    assert torch.equal(both[0], both[2]) and torch.equal(both[1], images[:1][0])
    assert both[0].dtype == torch.uint8 and both[0].shape != both[1].shape
    assert [len(part) for part in images.split(1)] == [1, 1] and images.device == torch.device("cpu")


def test_reading_twice_gives_equal_bytes_whatever_the_threads(pets, monkeypatch):
    images = photographs(pets[2])
    first = images[:]
    monkeypatch.setattr("stages.data.kept.cores", lambda: 1)
    assert all(torch.equal(one, other) for one, other in zip(first, images[:], strict=True))


@pytest.mark.parametrize("mode", ["L", "CMYK", "P", "RGBA"])
def test_every_colour_model_becomes_three_channels(mode, tmp_path):
    kind = {"L": "JPEG", "CMYK": "JPEG", "P": "PNG", "RGBA": "PNG"}[mode]
    Image.new(mode, (6, 4)).save(tmp_path / "x", format=kind)
    entry = file_lists.Entry("x", (tmp_path / "x").stat().st_size, file_lists.UNKNOWN)
    assert Photographs(file_lists.FileList(tmp_path, (entry,)))[:][0].shape == (3, 4, 6)


def test_a_prepared_set_is_kept_and_only_new_files_are_hashed(pets, capsys, monkeypatch):
    declared, _, folder, root = pets
    times = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    monkeypatch.setattr("stages.obtaining.inspection.picture", None)  # nothing may be decoded again
    prepare.prepare(declared, folder, root)
    assert "already prepared" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == times


def test_a_long_survey_goes_by_parts_and_says_how_far_it_is(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("stages.obtaining.inspection.CHUNK", 2)
    _, expected, folder, _ = prepared("caltech101", tmp_path)
    assert [entry.path for entry in datasets.load(folder, "train+validation")[0].entries] == [
        path for path, _ in expected["train"]
    ]
    assert "caltech101: 4 of 6 photographs looked at" in capsys.readouterr().out


def test_the_same_tree_elsewhere_gives_the_same_manifest(pets, tmp_path):
    declared, _, folder, root = pets
    shutil.move(root, tmp_path / "moved")
    prepare.prepare(declared, tmp_path / "again", tmp_path / "moved")
    for name in ("manifest.json", "train.files.txt", "test.labels.npy"):
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_another_file_or_validation_changes_the_manifests_hash(pets):
    declared, expected, folder, root = pets
    hashes = {datasets.read_manifest(folder)["sha256"]}
    official.photograph(root / declared["folder"] / expected["train"][0][0], "PNG")
    for validation in (declared["validation"], {"fraction": 0.2, "seed": 0}):
        prepare.prepare({**declared, "validation": validation}, folder, root)
        hashes.add(datasets.read_manifest(folder)["sha256"])
    assert len(hashes) == 3


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "has changed"),
        (lambda data: data + b"x", "has changed"),
        (None, "missing"),
    ],
)
def test_a_photograph_that_changed_after_preparing_is_named(pets, damage, says):
    declared, expected, folder, root = pets
    path = root / declared["folder"] / expected["test"][1][0]
    path.write_bytes(damage(path.read_bytes())) if damage else path.unlink()
    images = photographs(folder)
    images[:1]
    with pytest.raises(UserError, match=says) as caught:
        images[torch.tensor([0, 1])]
    assert caught.value.where == str(path)


def damaged_within(tmp_path):
    """ImageNet, of which only sizes are recorded, prepared; then a photograph that is damaged and as long as before."""
    declared, expected = official.build("imagenet", tmp_path)
    path = tmp_path / declared["folder"] / expected["test"][0][0]
    official.photograph(path, "PNG")
    prepare.prepare(declared, tmp_path / "out", tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[:200] + bytes(100) + data[300:])
    return declared, path


def test_a_damaged_photograph_is_named_when_it_is_read(tmp_path):
    _, path = damaged_within(tmp_path)
    with pytest.raises(UserError, match="cannot be read") as caught:
        photographs(tmp_path / "out")[:]
    assert caught.value.where == str(path) and "restore it" in caught.value.remedy


def test_verify_reads_every_photograph_to_its_end(tmp_path):
    declared, path = damaged_within(tmp_path)
    prepare.prepare(declared, tmp_path / "out", tmp_path)  # of known files only sizes are asked for
    with pytest.raises(UserError, match="cannot be read") as caught:
        prepare.prepare(declared, tmp_path / "out", tmp_path, verify=True)
    assert caught.value.where == str(path)


def test_verify_compares_with_what_was_recorded(pets):
    declared, expected, folder, root = pets
    prepare.prepare(declared, folder, root, verify=True)
    path = root / declared["folder"] / expected["train"][1][0]
    data = path.read_bytes()
    for value in range(256):  # until another picture of the same size comes out
        path.write_bytes(data[:-40] + bytes([value]) + data[-39:])
        if path.read_bytes() != data:
            break
    before = (folder / "train.files.txt").read_bytes()
    with pytest.raises(UserError, match="has changed") as caught:
        prepare.prepare(declared, folder, root, verify=True)
    assert caught.value.where == str(path)
    assert (folder / "train.files.txt").read_bytes() == before


def test_where_only_sizes_are_recorded_another_size_is_named(tmp_path):
    declared, expected, folder, root = prepared("imagenet", tmp_path)
    assert (folder / "train.files.txt").read_text().startswith("- ")
    path = root / declared["folder"] / expected["test"][0][0]
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(UserError, match="has changed") as caught:
        photographs(folder)[:]
    assert caught.value.where == str(path)


@pytest.mark.parametrize("name", ["test.files.txt", "test.labels.npy"])
def test_a_damaged_list_is_refused_and_made_again(pets, name):
    declared, _, folder, root = pets
    before = (folder / name).read_bytes()
    (folder / name).write_bytes(before[:-1] + bytes([before[-1] ^ 3]))
    with pytest.raises(UserError, match="damaged") as caught:
        datasets.load(folder, "test")
    assert caught.value.where == str(folder / name)
    prepare.prepare(declared, folder, root)
    assert (folder / name).read_bytes() == before


def test_nothing_is_written_for_a_broken_tree(tmp_path):
    declared, expected = official.build("dtd", tmp_path)
    (tmp_path / declared["folder"] / expected["train"][0][0]).unlink()
    with pytest.raises(UserError):
        prepare.prepare(declared, tmp_path / "out", tmp_path)
    assert not (tmp_path / "out").exists()


def test_a_scale_goes_on_without_photographs_that_are_missing(tmp_path, capsys):
    declared, _ = official.build("oxford_pets", tmp_path / "root")
    gone = declarations.read_declaration("stanford_cars")
    files.write_yaml(tmp_path / "d.yaml", {"oxford_pets": declared, "stanford_cars": gone})
    prepare.prepare_all(
        ["stanford_cars", "oxford_pets"], tmp_path / "data", tmp_path / "root", tmp_path / "d.yaml"
    )
    said = files.read_json(tmp_path / "data" / "manifest.json")
    assert said["missing"] == ["stanford_cars"] and list(said["prepared"]) == ["oxford_pets"]
    printed = capsys.readouterr().out
    assert all(line.strip() in printed for line in gone["by_hand"].splitlines())


def test_a_run_is_given_photographs_and_labels(tmp_path):
    _, expected, folder, _ = prepared("voc2007", tmp_path)
    images, labels = dataset(folder.parent, "test", torch.device("cpu"), "voc2007")
    assert isinstance(images, Photographs) and len(images) == 2
    assert labels.dtype == torch.int64 and labels.tolist() == [label for _, label in expected["test"]]


def test_a_limit_keeps_a_balanced_part_of_the_photographs(tmp_path):
    _, _, folder, _ = prepared("caltech101", tmp_path)
    gin.bind_parameter("dataset.limit", 2)
    images, labels = dataset(folder.parent, "train+validation", torch.device("cpu"), "caltech101")
    assert len(images) == 2 and labels.tolist() == [0, 1]
    assert [name.rsplit("/", 2)[1] for name, *_ in images.files.entries] == ["BACKGROUND_Google", "accordion"]


def test_the_data_hash_has_the_layout_and_its_code(project, monkeypatch):
    path = project / "params" / "datasets.yaml"
    declared = files.read_yaml(path)

    def now(**changes):
        files.write_yaml(path, {**declared, "voc2007": {**declared["voc2007"], **changes}})
        fingerprint.declaration_of.cache_clear()
        return fingerprint.data_hash("voc2007")

    before, digits = now(), fingerprint.data_hash("digits")
    assert now(title="Another", by_hand="-", disk="1 GB", folder="elsewhere") == before
    others = {now(difficult="absent"), now(layout="dtd"), now(validation={"official": 9})}
    monkeypatch.setattr(fingerprint, "module_hash", lambda module: "0")
    assert len({before, *others, now()}) == 5
    assert fingerprint.data_hash("digits") == digits


def test_stages_train_and_evaluate_on_photographs(project):
    """From the official tree to accuracies: pretraining crops each photograph, evaluation its centre."""
    declared, _ = official.build("oxford_pets", project / "data")
    path = project / "params" / "datasets.yaml"
    files.write_yaml(path, {"oxford_pets": declared})
    fingerprint.declaration_of.cache_clear()
    prepare.prepare_all(["oxford_pets"], tiny.RESULTS / "smoke" / "data", project / "data", path)
    here = {"dataset__name": "oxford_pets"}
    upstream = tiny.a_run("pretrain", Pretraining__batch_size=2, **here)
    tiny.work(upstream)
    run = tiny.a_run("linear_eval", upstream, linear_evaluation__batch_size=2, **here)
    metrics = files.read_json(tiny.work(run) / "metrics.json")
    assert metrics["top1"] in (0, 50, 100) and metrics["top5"] == 100
