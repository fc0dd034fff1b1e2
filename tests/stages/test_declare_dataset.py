"""Your own images: any folder of class folders becomes a data set that is pretrained and evaluated on."""

import numpy as np
import pytest
from PIL import Image

from common import files
from common.errors import UserError
from stages import prepare
from stages.__main__ import main
from stages.data import datasets
from stages.data.decoding import photograph
from stages.obtaining import declarations
from stages.planning import fingerprint
from tests.stages import tiny

COLOURS = ("blue", "green", "red")
FORMATS = ("png", "jpg", "bmp", "tif", "webp", "gif", "ppm")
YAML = "params/datasets.yaml"


def draw(folder, sizes=20, classes=COLOURS):
    """Small images of all sizes and formats, brighter in the channel that their class names."""
    rng = np.random.default_rng(list(folder.name.encode()))
    for label, name in enumerate(classes):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(sizes):
            height, width = rng.integers(9, 20, 2)
            pixels = rng.integers(0, 100, (height, width, 3), np.uint8)
            pixels[:, :, 2 - label % 3] += 120
            Image.fromarray(pixels).save(folder / name / f"{number:02d}.{FORMATS[number % len(FORMATS)]}")


@pytest.fixture
def mine(project):
    """60 images below data/mine, the current folder being a project."""
    draw(project / "data" / "mine")
    return project / "data" / "mine"


def declare(*more, status=0):
    assert main(["declare_dataset", "--folder", "data/mine", "--name", "mine", *more]) == status
    fingerprint.declaration_of.cache_clear()
    return files.read_yaml(YAML).get("mine")


def prepared(project, folder="out"):
    prepare.prepare(declarations.read_declaration("mine", YAML), project / folder, project / "data")
    return project / folder


def test_the_entry_says_what_the_folder_is(mine, capsys):
    entry = declare("--title", "My colours")
    assert entry["classes"] == list(COLOURS) and entry["title"] == "My colours"
    assert (entry["folder"], entry["layout"], entry["image"]) == ("mine", "imagefolder", None)
    assert {split: one["size"] for split, one in entry["splits"].items()} == {"train": 48, "test": 12}
    assert entry["hold_out_test"] == {"fraction": 0.2, "seed": 0}
    assert entry["validation"] == {"fraction": 0.1, "seed": 0}
    assert "3 classes, train 48, test 12" in capsys.readouterr().out


def test_every_other_byte_of_the_file_stays(mine, project):
    before = (project / YAML).read_text()
    declare()
    with_mine = (project / YAML).read_text()
    assert with_mine.startswith(before) and "# Data sets: what they are" in with_mine
    others = with_mine + "\n# of another one\nlast:\n" + with_mine[len(before) :].partition("mine:\n")[2]
    (project / YAML).write_text(others)
    draw(mine, 21)
    declare("--replace")
    again = (project / YAML).read_text()
    assert again.startswith(before) and "\n# of another one\nlast:\n" in again and again != others
    assert files.read_yaml(YAML)["last"] == {**files.read_yaml(YAML)["last"], "title": "mine"}


def test_it_is_prepared_and_every_format_is_read(mine, project):
    declare()
    folder = prepared(project)
    found = {split: datasets.load(folder, split) for split in datasets.SPLITS}
    assert {split: len(labels) for split, (_, labels) in found.items()} == {
        "train": 42,
        "validation": 6,
        "train+validation": 48,
        "test": 12,
    }
    names = {split: set(images.names) for split, (images, _) in found.items()}
    assert not names["test"] & names["train+validation"] and not names["train"] & names["validation"]
    for images, labels in found.values():
        for place, label in enumerate(labels):
            pixels = photograph(images, place).numpy().reshape(3, -1).mean(axis=1)
            assert pixels.argmax() == 2 - label and images.names[place].split("/")[0] == COLOURS[label]


def test_runs_pretrain_and_evaluate_on_them(mine, project):
    """Declared, prepared, pretrained, evaluated: the encoder tells three colours apart."""
    entry = declare()
    prepare.prepare_all(["mine"], tiny.RESULTS / "smoke" / "data", project / "data", YAML)
    here = {"dataset__name": "mine"}
    upstream = tiny.a_run("pretrain", Pretraining__batch_size=16, **here)
    tiny.work(upstream)
    run = tiny.a_run("linear_eval", upstream, linear_evaluation__epochs=30, **here)
    metrics = files.read_json(tiny.work(run) / "metrics.json")
    assert metrics["top1"] > 50
    cause = files.read_json(run.folder(tiny.RESULTS) / "run.json")
    assert cause["fingerprint"] == run.fingerprint
    before = fingerprint.data_hash("mine")
    Image.new("RGB", (9, 9)).save(mine / "red" / "01.jpg")
    assert declare("--replace")["splits"] != entry["splits"]
    assert fingerprint.data_hash("mine") != before  # other images, other runs


def test_a_folder_that_changed_is_refused_until_declared_again(mine, project):
    declare()
    prepared(project)
    Image.new("RGB", (9, 9)).save(mine / "red" / "01.jpg")
    with pytest.raises(UserError, match="not the declared ones") as caught:
        prepared(project, "other")
    assert "--replace" in caught.value.remedy
    (mine / "red" / "01.jpg").unlink()
    with pytest.raises(UserError, match="another number of images"):
        prepared(project, "other")
    declare("--replace")
    prepared(project, "other")


def test_own_splits_are_taken_as_they_are(project):
    mine = project / "data" / "mine"
    for part, size in (("train", 6), ("val", 2), ("test", 3)):
        draw(mine / part, size)
    entry = declare()
    assert entry["validation"] == {"official": 6} and "hold_out_test" not in entry
    folder = prepared(project)
    for split, part, size in (("train", "train", 18), ("validation", "val", 6), ("test", "test", 9)):
        images, _ = datasets.load(folder, split)
        assert len(images) == size and {name.split("/")[0] for name in images.names} == {part}


def test_without_a_test_folder_the_validation_images_are_the_test_split(project):
    for part, size in (("train", 6), ("val", 2)):
        draw(project / "data" / "mine" / part, size)
    assert declare()["splits"]["test"]["size"] == 6
    images, _ = datasets.load(prepared(project), "test")
    assert {name.split("/")[0] for name in images.names} == {"val"}


def test_folders_below_class_folders_hidden_entries_and_other_files(mine, capsys):
    (mine / "red" / "more").mkdir()
    (mine / "red" / "01.jpg").rename(mine / "red" / "more" / "a photograph.JPG")
    (mine / ".ipynb_checkpoints").mkdir()
    (mine / "red" / "._02.png").write_bytes(b"\0\5\26\7")
    (mine / "red" / "notes.txt").write_text("mine")
    (mine / "README").write_text("mine")
    entry = declare()
    assert sum(one["size"] for one in entry["splits"].values()) == 60
    said = capsys.readouterr().out
    assert "2 files do not count" in said and "1 hidden entries do not count" in said


def test_a_file_that_cannot_be_decoded_is_named_or_left_out_by_name(mine, project, capsys):
    before = (project / YAML).read_bytes()
    (mine / "green" / "03.tif").write_bytes(b"II*\0")
    declare(status=2)
    error = capsys.readouterr().err
    assert "green/03.tif" in error and "Traceback" not in error
    assert (project / YAML).read_bytes() == before
    entry = declare("--skip-undecodable")
    assert entry["undecodable"] == ["green/03.tif"]
    images, _ = datasets.load(prepared(project), "train+validation")
    assert "green/03.tif" not in images.names


def test_a_folder_outside_is_declared_by_its_whole_path(project, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    draw(elsewhere, 5)
    assert main(["declare_dataset", "--folder", str(elsewhere), "--name", "mine"]) == 0
    assert files.read_yaml(YAML)["mine"]["folder"] == str(elsewhere)
    assert len(datasets.load(prepared(project), "test")[1]) == 3


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--name", "My Set"], "small letters"),
        (["--name", "../x"], "small letters"),
        (["--name", "imagenet"], "is called `imagenet` already"),
        (["--name", "imagenet", "--replace"], "is called `imagenet` already"),
        (["--folder", "data/none"], "no such folder"),
        (["--folder", "data/mine/red"], "two or more folders"),
        (["--folder", "data"], "two or more folders"),
        (["--test-fraction", "0.99"], "no image left"),
    ],
)
def test_what_cannot_be_declared_is_refused_and_nothing_written(mine, project, words, says, capsys):
    before = (project / YAML).read_bytes()
    assert declare(*words, status=2) is None
    error = capsys.readouterr().err
    assert says in error and "Traceback" not in error
    assert (project / YAML).read_bytes() == before


@pytest.mark.parametrize(
    "others", [("train", "test", "notes"), ("train", "val", "valid"), ("Train", "train", "test")]
)
def test_parts_beside_other_folders_are_not_taken_for_classes(project, others, capsys):
    for one in others:
        draw(project / "data" / "mine" / one, 3)
    declare(status=2)
    assert "which folders are parts" in capsys.readouterr().err


def test_parts_may_be_called_otherwise_and_a_class_may_be_called_train(project):
    mine = project / "data" / "mine"
    for part in ("Training", "Testing"):
        draw(mine / part, 4)
    assert declare()["classes"] == list(COLOURS)
    (mine / "Testing").rename(mine / "bus")
    assert declare("--replace")["classes"] == ["Training", "bus"]


def test_links_that_go_in_a_circle_are_refused(mine, capsys):
    (mine / "red" / "loop").symlink_to("..")
    declare(status=2)
    assert "leads back" in capsys.readouterr().err
    (mine / "red" / "loop").unlink()
    (mine / "red" / "x.png").symlink_to("/nowhere")
    declare(status=2)
    assert "a link to nothing" in capsys.readouterr().err


def test_what_to_do_about_own_images_is_not_that_of_an_archive(mine, project, capsys):
    (mine / "red" / "00.png").write_bytes(b"x")
    declare(status=2)
    error = capsys.readouterr().err
    assert "--skip-undecodable" in error and "official" not in error
    (mine / "red" / "00.png").unlink()
    declare()
    (mine / "red" / "07.png").unlink()
    with pytest.raises(UserError, match="another number") as caught:
        prepared(project)
    assert "--replace" in caught.value.remedy and "official" not in caught.value.remedy


@pytest.mark.parametrize(
    "words", [("--seed", "-1"), ("--test-fraction", "nan"), ("--validation-fraction", "-1")]
)
def test_numbers_that_prepare_would_refuse_are_not_written(mine, project, words, capsys):
    before = (project / YAML).read_bytes()
    with pytest.raises(SystemExit):
        declare(*words)
    assert words[1] in capsys.readouterr().err and (project / YAML).read_bytes() == before


def test_an_unknown_class_in_the_test_folder_is_named(project, capsys):
    for part in ("train", "test"):
        draw(project / "data" / "mine" / part, 4)
    draw(project / "data" / "mine" / "test", 1, ["violet"])
    declare(status=2)
    assert "violet" in capsys.readouterr().err


def test_class_names_may_be_anything_that_folders_are_called(project):
    names = ["no", "1", "null", "café", "a: b", "# c", "2020-01-01", "'q'"]
    draw(project / "data" / "mine", 4, names)
    assert declare()["classes"] == sorted(names)
    prepared(project)


def test_a_name_that_no_line_can_hold_is_refused(mine, capsys):
    (mine / "red" / "01.jpg").rename(mine / "red" / "0\n1.jpg")
    declare(status=2)
    assert r"red/0\n1.jpg" in capsys.readouterr().err
