"""Whatever the source, the same arrays; whatever the damage, it is found, said and mended."""

import gzip
import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common import files
from stages import prepare
from stages.data import datasets
from stages.obtaining import arrays as obtaining_arrays
from stages.obtaining import declarations

RNG = np.random.default_rng(0)
IMAGES = {
    "train": RNG.integers(0, 256, (20, 4, 4, 3), np.uint8),
    "test": RNG.integers(0, 256, (10, 4, 4, 3), np.uint8),
}
LABELS = {split: np.arange(len(images)) % 2 for split, images in IMAGES.items()}
NAMES = {"train": ["one", "two"], "test": ["test"]}


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def write_source(folder: Path, kind: str, contents: dict[str, bytes], splits: dict[str, list[str]]) -> dict:
    for name, data in contents.items():
        files.write_bytes(folder / name, data)
    checks = {name: sha256(data) for name, data in contents.items()}
    return {"kind": "folder", "path": folder.name, "format": kind, "files": checks, "splits": splits}


def batches():
    """(name, images, labels) of files of ten images, in the official manner."""
    for split, names in NAMES.items():
        for k, name in enumerate(names):
            part = slice(10 * k, 10 * k + 10)
            yield name, IMAGES[split][part], LABELS[split][part]


def binary(root: Path) -> dict:
    contents = {
        f"{name}.bin": np.concatenate(
            [y[:, None].astype(np.uint8), x.transpose(0, 3, 1, 2).reshape(10, -1)], 1
        ).tobytes()
        for name, x, y in batches()
    }
    splits = {split: [f"{name}.bin" for name in names] for split, names in NAMES.items()}
    return write_source(root / "binary", "cifar_binary", contents, splits)


def sheets(root: Path) -> dict:
    contents = {f"{split}.json": json.dumps(labels.tolist()).encode() for split, labels in LABELS.items()}
    for name, x, _ in batches():
        stream = io.BytesIO()
        Image.fromarray(x.reshape(10, 16, 3)).save(stream, format="PNG")
        contents[f"{name}.png"] = stream.getvalue()
    splits = {split: [*(f"{name}.png" for name in names), f"{split}.json"] for split, names in NAMES.items()}
    return write_source(root / "sheets", "image_rows", contents, splits)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "root"


@pytest.fixture
def declared(root):
    hashes = {
        split: {
            "size": len(LABELS[split]),
            "images": datasets.array_sha256(IMAGES[split]),
            "labels": datasets.array_sha256(LABELS[split]),
        }
        for split in LABELS
    }
    return {
        "title": "Tiny",
        "classes": ["cat", "dog"],
        "image": [4, 4, 3],
        "metric": "top1",
        "splits": hashes,
        "validation": {"fraction": 0.2, "seed": 0},
        "sources": [binary(root), sheets(root)],
        "by_hand": "Draw it.\n",
    }


@pytest.fixture
def run(tmp_path, root, declared):
    """run() prepares the declared data set; returns the exit status."""

    def call(*more: str) -> int:
        files.write_yaml(tmp_path / "datasets.yaml", {"tiny": declared})
        where = [
            "--out",
            str(tmp_path / "out"),
            "--root",
            str(root),
            "--declarations",
            str(tmp_path / "datasets.yaml"),
        ]
        return prepare.main(["--dataset", "tiny", *where, *more])

    return call


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out" / "tiny"


def assert_whole(out):
    for split in datasets.STORED:
        images, labels = datasets.load(out, "train+validation" if split == "train" else split)
        np.testing.assert_array_equal(images, IMAGES[split], strict=True)
        np.testing.assert_array_equal(labels, LABELS[split], strict=True)


def test_arrays_manifest_and_source_are_left(run, out):
    assert run() == 0
    assert_whole(out)
    kinds = [f"{split}.{kind}.npy" for split in ("test", "train") for kind in ("images", "labels")]
    assert sorted(path.name for path in out.iterdir()) == ["manifest.json", "source.json", *kinds]
    assert files.read_json(out / "source.json") == {"source": "folder binary", "passed_over": []}
    manifest = datasets.read_manifest(out)
    assert manifest["classes"] == ["cat", "dog"]
    assert manifest["splits"]["train"]["images"]["shape"] == [20, 4, 4, 3]


def test_the_manifest_has_the_declared_hash(run, out, tmp_path):
    run()
    assert datasets.read_manifest(out)["sha256"] == declarations.declared_sha256(
        "tiny", tmp_path / "datasets.yaml"
    )


def test_every_source_gives_the_same_bytes(run, out, declared):
    run()
    first = {path.name: path.read_bytes() for path in out.iterdir() if path.name != "source.json"}
    declared["sources"].reverse()
    for path in out.iterdir():
        path.unlink()
    run()
    assert files.read_json(out / "source.json")["source"] == "folder sheets"
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.name != "source.json"} == first


def test_sources_that_fail_are_told_and_passed_over(run, out, root, capsys):
    path = root / "binary" / "two.bin"
    path.write_bytes(path.read_bytes()[:-1])
    assert run() == 0
    assert_whole(out)
    printed = capsys.readouterr().out
    assert "not from folder binary" in printed
    assert "wrong checksum" in printed
    assert str(path) in printed
    assert "prepared in" in printed
    (passed,) = files.read_json(out / "source.json")["passed_over"]
    assert "wrong checksum" in passed["reason"]


def test_whole_outputs_are_kept(run, out, capsys):
    run()
    times = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    assert run() == 0
    assert "already prepared" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == times


@pytest.mark.parametrize("name", ["train.images.npy", "test.labels.npy", "manifest.json"])
@pytest.mark.parametrize(
    "damage", [lambda d: d[:-1], lambda d: d[:-1] + bytes([d[-1] ^ 1]), lambda d: b"", None]
)
def test_damaged_outputs_are_made_again_and_the_others_kept(run, out, name, damage):
    run()
    path, other = out / name, out / "train.labels.npy"
    before, time = path.read_bytes(), other.stat().st_mtime_ns
    path.unlink() if damage is None else path.write_bytes(damage(before))
    assert run() == 0
    assert path.read_bytes() == before
    assert other.stat().st_mtime_ns == time
    assert_whole(out)


def test_a_leftover_of_a_killed_writer_is_removed(run, out):
    files.write_text(out / ".train.images.npy.1-ab.new.partial", "half")
    run()
    assert not list(out.glob(".*"))


def test_another_validation_split_changes_the_manifest_and_no_array(run, out, declared):
    run()
    old, time = datasets.read_manifest(out), (out / "train.images.npy").stat().st_mtime_ns
    declared["validation"] = {"fraction": 0.4, "seed": 0}
    run()
    new = datasets.read_manifest(out)
    assert new["splits"] == old["splits"]
    assert new["sha256"] != old["sha256"]
    assert len(datasets.load(out, "validation")[1]) == 8
    assert (out / "train.images.npy").stat().st_mtime_ns == time


def test_outputs_of_an_older_declaration_are_not_kept(run, out, declared, capsys):
    run()
    declared["splits"]["train"]["images"] = "0" * 64
    assert run() == 2
    assert "not as declared" in capsys.readouterr().out


def fault_size(declared):
    declared["splits"]["test"]["size"] = 11


def fault_classes(declared):
    declared["classes"] = ["cat"]
    declared["splits"]["train"]["labels"] = None


def fault_hash(declared):
    declared["splits"]["test"]["labels"] = "0" * 64


def fault_shape(declared):
    declared["image"] = [4, 2, 3]


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (fault_size, "another size"),
        (fault_classes, "outside the classes"),
        (fault_hash, "not the declared ones"),
        (fault_shape, "truncated"),
    ],
)
def test_arrays_that_are_not_the_declared_ones_are_refused(fault, says, run, out, declared, capsys):
    fault(declared)
    assert run() == 2
    printed = capsys.readouterr()
    assert says in printed.out
    assert "no source has the data set tiny" in printed.err
    assert not (out / "manifest.json").exists()


def test_no_source_at_all_says_what_to_do_by_hand(run, declared, capsys):
    declared["sources"] = [{**source, "path": "elsewhere"} for source in declared["sources"]]
    assert run() == 2
    error = capsys.readouterr().err
    assert error.count("no such folder") == 2
    assert "what to do: Draw it." in error
    assert "Traceback" not in error


def test_arrays_without_a_declared_checksum_are_taken_and_told(run, out, declared, capsys):
    declared["splits"]["test"]["images"] = None
    assert run() == 0
    assert datasets.array_sha256(IMAGES["test"]) in capsys.readouterr().out
    assert_whole(out)


def test_an_unknown_name_suggests_the_nearest(tmp_path, run, capsys):
    run()
    where = ["--out", str(tmp_path), "--declarations", str(tmp_path / "datasets.yaml")]
    assert prepare.main(["--dataset", "tony", *where]) == 2
    assert "did you mean `tiny`?" in capsys.readouterr().err


def test_the_embedded_source_is_never_overwritten(capsys):
    manifest = datasets.REPOSITORY / "data" / "cifar10_subset" / "manifest.json"
    before = manifest.read_bytes()
    assert prepare.main(["--dataset", "cifar10_subset", "--out", str(datasets.REPOSITORY / "data")]) == 2
    assert "choose another --out" in capsys.readouterr().err
    assert manifest.read_bytes() == before


@pytest.mark.parametrize("arguments", [["--dataset", "digits"], ["--dataset", "digits", "--scale", "smoke"]])
def test_a_command_line_that_says_too_little_or_too_much_is_refused(arguments):
    with pytest.raises(SystemExit) as caught:
        prepare.main(arguments)
    assert caught.value.code == 2


def test_a_scale_names_what_is_missing_and_goes_on(tmp_path, root, declared, capsys):
    files.write_yaml(tmp_path / "d.yaml", {"tiny": declared, "gone": {**declared, "sources": []}})
    prepare.prepare_all(["gone", "tiny"], tmp_path / "data", root, tmp_path / "d.yaml")
    sha256_of_tiny = datasets.read_manifest(tmp_path / "data" / "tiny")["sha256"]
    assert files.read_json(tmp_path / "data" / "manifest.json") == {
        "prepared": {"tiny": sha256_of_tiny},
        "missing": ["gone"],
    }
    assert "missing: gone" in capsys.readouterr().out


def test_a_scale_of_which_nothing_can_be_had_fails(tmp_path, root, declared, monkeypatch, capsys):
    files.write_yaml(tmp_path / "d.yaml", {"gone": {**declared, "sources": []}})
    monkeypatch.setattr(prepare, "planned", lambda scale: ["gone"])
    where = ["--results", str(tmp_path), "--declarations", str(tmp_path / "d.yaml")]
    assert prepare.main(["--scale", "smoke", *where]) == 2
    assert "Draw it." in capsys.readouterr().err
    assert not (tmp_path / "smoke" / "data" / "manifest.json").exists()


def test_fashion_mnist_is_read_from_its_four_files(tmp_path, root):
    arrays = {
        "train": (IMAGES["train"][..., :1], LABELS["train"]),
        "test": (IMAGES["test"][..., :1], LABELS["test"]),
    }
    contents = {}
    for split, (images, labels) in arrays.items():
        for kind, array in (("images", images[..., 0]), ("labels", labels.astype(np.uint8))):
            head = b"\0\0\x08" + bytes([array.ndim]) + np.array(array.shape, ">u4").tobytes()
            contents[f"{split}-{kind}.gz"] = head + array.tobytes()
    splits = {split: [f"{split}-images.gz", f"{split}-labels.gz"] for split in arrays}
    source = write_source(root / "fashion", "idx", contents, splits)
    for name, data in contents.items():
        (root / "fashion" / name).write_bytes(gzip.compress(data))
        source["files"][name] = "gunzip-" + source["files"][name]
    sizes = {split: {"size": len(labels)} for split, (_, labels) in arrays.items()}
    found = obtaining_arrays.read_source(source, {"image": [4, 4, 1], "classes": 2, "splits": sizes}, root)
    for split, (images, labels) in arrays.items():
        np.testing.assert_array_equal(found[split][0], images, strict=True)
        np.testing.assert_array_equal(found[split][1], labels, strict=True)


@pytest.mark.parametrize("name", ["cifar10_subset", "digits"])
def test_what_needs_no_download_is_prepared_without_importing_torch(name, tmp_path):
    program = (
        "import sys\nfrom stages.prepare import main\n"
        "status = main(sys.argv[1:])\nassert not {'torch', 'sklearn'} & set(sys.modules)\n"
        "sys.exit(status)"
    )
    command = [sys.executable, "-c", program, "--dataset", name, "--out", tmp_path, "--root", tmp_path]
    subprocess.run(command, check=True, timeout=60, cwd=datasets.REPOSITORY)
    assert datasets.read_manifest(tmp_path / name)["sha256"] == declarations.declared_sha256(name)


def test_a_temporary_copy_of_an_experiment_reads_the_downloads_of_its_project(tmp_path, monkeypatch):
    """`dvc exp run --temp` works in .dvc/tmp/exps/standalone/<name>, a queue without `standalone`."""
    monkeypatch.chdir(tmp_path)
    assert prepare.downloads() == Path("data")
    for name in ("tmpx1", "standalone/tmpx2"):
        copy = tmp_path / ".dvc" / "tmp" / "exps" / name
        copy.mkdir(parents=True)
        monkeypatch.chdir(copy)
        assert prepare.downloads() == tmp_path.resolve() / "data"
