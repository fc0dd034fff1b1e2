"""The store: a run is there whole or not at all, its damage is seen, and one process at a time makes it."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from common import files, seals
from common.errors import UserError
from stages.planning.plans import Run
from stages.running import driver, store
from stages.running.provenance import cause_of

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def run() -> Run:
    return Run("table_02", "smoke", "gradients", "loss1-seed0", 0, {"gradient_check.cases": 2}, {})


def sealed(results: Path, run: Run) -> Path:
    """A finished run with a file, a file in a folder, and what a killed writer left."""
    folder = store.partial_folder(results, run)
    files.write_json(folder / "metrics.json", {"max_error": 0.0})
    files.write_text(folder / "pictures" / "one.txt", "1")
    files.write_text(folder / ".curve.csv.1-aa.new.partial", "half")
    destination = store.store_folder(results, run)
    store.finish(folder, destination, cause_of(run), {"seconds": 1.5})
    return destination


def test_a_run_lies_under_what_decides_its_numbers(run, tmp_path):
    folder = store.store_folder(tmp_path, run)
    assert folder == tmp_path / "smoke" / "store" / "gradients" / run.fingerprint
    assert store.partial_folder(tmp_path, run) == folder.with_name(run.fingerprint + ".partial")


def test_finish_lists_every_file_but_the_record_and_moves_the_folder(run, tmp_path):
    folder = sealed(tmp_path, run)
    cause = json.loads((folder / "run.json").read_text())
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {"metrics.json", "pictures/one.txt", "record.json", "run.json"}
    assert cause == seals.sealed(
        {
            **cause_of(run),
            "layout": store.LAYOUT,
            "files": {
                name: files.sha256_file(folder / name) for name in ("metrics.json", "pictures/one.txt")
            },
        }
    )
    assert json.loads((folder / "record.json").read_text()) == {"seconds": 1.5}
    assert not store.partial_folder(tmp_path, run).exists()
    assert store.is_finished(folder, run) and store.read_run(folder) == cause


def test_a_kill_before_the_last_rename_leaves_no_run(run, tmp_path, monkeypatch):
    replace = os.replace

    def killed(source, destination):
        if Path(source).is_dir():
            raise KeyboardInterrupt
        replace(source, destination)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        sealed(tmp_path, run)
    assert not store.store_folder(tmp_path, run).exists()
    assert (store.partial_folder(tmp_path, run) / "run.json").exists()
    monkeypatch.undo()
    folder = sealed(tmp_path, run)  # over what the first attempt left
    assert store.is_finished(folder, run)
    assert store.read_run(folder)["files"].keys() == {"metrics.json", "pictures/one.txt"}


def test_a_kill_before_the_seal_keeps_the_checkpoint(run, tmp_path, monkeypatch):
    """All that a training costs lies in it until run.json stands."""
    folder = store.partial_folder(tmp_path, run)
    files.write_text(folder / store.CHECKPOINT, "state")
    write = files.write_json

    def killed(path, content):
        if path.name == store.RUN:
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(files, "write_json", killed)
    with pytest.raises(KeyboardInterrupt):
        store.finish(folder, store.store_folder(tmp_path, run), cause_of(run), {})
    assert (folder / store.CHECKPOINT).read_text() == "state"
    monkeypatch.undo()
    done = sealed(tmp_path, run)
    assert not (done / store.CHECKPOINT).exists() and store.CHECKPOINT not in store.read_run(done)["files"]


@pytest.mark.parametrize("moved", [False, True], ids=["before the rename", "after it"])
def test_a_kill_at_the_rename_costs_no_training(run, tmp_path, monkeypatch, moved):
    partial, stored = store.partial_folder(tmp_path, run), store.store_folder(tmp_path, run)
    files.write_text(partial / store.CHECKPOINT, "state")
    replace = os.replace

    def killed(source, destination):
        if moved or not Path(source).is_dir():
            replace(source, destination)
        if Path(source) == partial:
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        sealed(tmp_path, run)
    monkeypatch.undo()
    if not moved:
        assert (partial / store.CHECKPOINT).read_text() == "state"
        sealed(tmp_path, run)
    assert store.is_finished(stored, run) and driver.adopt(run, tmp_path)
    names = {"metrics.json", "pictures", "record.json", "run.json"}
    for folder in (stored, run.folder(tmp_path)):
        assert {path.name for path in folder.iterdir()} == names


@pytest.mark.parametrize("linked", [True, False])
def test_a_damaged_copy_in_the_store_is_replaced_by_that_of_the_sweep(run, tmp_path, linked):
    """Readers look into the store; what they tell a user to do must mend it."""
    stored, folder = sealed(tmp_path, run), run.folder(tmp_path)
    shutil.copytree(stored, folder, copy_function=os.link if linked else shutil.copy)
    (stored / "metrics.json").unlink()
    if not linked:
        (stored / "metrics.json").write_text("{}")
    assert driver.adopt(run, tmp_path) and store.is_finished(stored, run)
    assert store.is_linked(folder, stored) and driver.adopt(run, tmp_path)


def test_a_damaged_run_is_replaced(run, tmp_path):
    folder = sealed(tmp_path, run)
    (folder / "metrics.json").unlink()
    (folder / "stray.txt").write_text("not ours")
    assert sealed(tmp_path, run) == folder
    assert store.is_finished(folder, run) and not (folder / "stray.txt").exists()


@pytest.mark.parametrize("damage", ["truncated", "changed", "removed", "folder"])
def test_damage_to_a_listed_file_is_seen(run, tmp_path, damage):
    folder = sealed(tmp_path, run)
    path = folder / "metrics.json"
    text = path.read_text()
    path.unlink()
    if damage == "truncated":
        path.write_text(text[:-3])
    if damage == "changed":
        path.write_text(text.replace("0.0", "0.1"))
    if damage == "folder":
        path.mkdir()
    assert store.damaged_files(folder, json.loads((folder / "run.json").read_text())) == ["metrics.json"]
    assert not store.is_finished(folder, run)
    with pytest.raises(UserError) as caught:
        store.read_run(folder)
    text = str(caught.value)
    assert "a finished run is damaged" in text and "metrics.json missing or changed" in text
    assert str(folder) in text and "again" in text


def test_the_record_may_change(run, tmp_path):
    folder = sealed(tmp_path, run)
    (folder / "record.json").write_text("{}")
    assert store.is_finished(folder, run)


@pytest.mark.parametrize("text", ["", "{", '{"fingerprint"'])
def test_half_a_run_json_is_no_finished_run(run, tmp_path, text):
    folder = sealed(tmp_path, run)
    (folder / "run.json").write_text(text)
    assert not store.is_finished(folder, run)
    with pytest.raises(UserError, match="a file is damaged"):
        store.read_run(folder)


def test_nothing_is_no_finished_run(run, tmp_path):
    folder = store.store_folder(tmp_path, run)
    assert not store.is_finished(folder, run)
    with pytest.raises(UserError, match="a file is missing"):
        store.read_run(folder)


def test_another_run_in_its_place_is_not_this_run(run, tmp_path):
    folder = sealed(tmp_path, run)
    other = Run("table_02", "smoke", "gradients", "loss1-seed1", 1, run.bindings, {})
    assert store.is_finished(folder, run) and not store.is_finished(folder, other)


@pytest.mark.parametrize("layout", [0, store.LAYOUT + 1, None])
def test_a_run_of_another_layout_is_refused(run, tmp_path, layout):
    folder = sealed(tmp_path, run)
    cause = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(seals.sealed({**cause, "layout": layout})))
    with pytest.raises(UserError, match="results of another version") as caught:
        store.is_finished(folder, run)
    assert f"layout {layout}" in str(caught.value) and str(folder) in str(caught.value)


def test_every_changed_digit_of_run_json_makes_it_another_run(run, tmp_path):
    path = sealed(tmp_path, run) / "run.json"
    text = path.read_text()
    places = [place for place, character in enumerate(text) if character.isdigit()]
    for place in places[::7]:
        path.write_text(text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :])
        assert not store.is_finished(path.parent, run)
        with pytest.raises(UserError, match="changed after it was written"):
            store.read_run(path.parent)
    path.write_text(text)
    assert store.is_finished(path.parent, run)


def test_a_listed_file_is_read_as_it_was_written_or_not_at_all(run, tmp_path):
    folder = sealed(tmp_path, run)
    cause = store.read_run(folder)
    data = store.read_listed(folder, cause, "metrics.json")
    (folder / "metrics.json").write_bytes(data.replace(b"0.0", b"9.0"))
    with pytest.raises(UserError, match="a finished run is damaged"):
        store.read_listed(folder, cause, "metrics.json")


def test_where_locks_are_not_supported_everybody_gets_one_and_is_told(run, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(store.fcntl, "flock", refuse)
    with pytest.warns(UserWarning, match="no locks here"), store.locked(tmp_path / "run") as mine:
        assert mine


HOLD = "import sys; from pathlib import Path; from stages.running import store\n"
HOLD += "with store.locked(Path(sys.argv[1])) as mine: print(mine, flush=True); sys.stdin.read()"


def holder(folder: Path) -> subprocess.Popen:
    """Another process that holds the lock, or says that it cannot, until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    process.mine = process.stdout.readline().strip()
    return process


@pytest.mark.parametrize("end", ["ends", "is killed"])
def test_a_second_process_is_excluded_until_the_first_lets_go(tmp_path, end):
    folder = tmp_path / "store" / "abc"
    first = holder(folder)
    try:
        assert first.mine == "True"
        with store.locked(folder) as mine:
            assert not mine
        with store.locked(folder.with_name("abd")) as mine:
            assert mine, "another run has a lock of its own"
    finally:
        first.kill() if end == "is killed" else first.stdin.close()
        first.wait(30)
    with store.locked(folder) as mine:
        assert mine
        second = holder(folder)
        assert second.mine == "False"
        second.communicate(timeout=30)


def test_an_error_in_the_block_lets_go_of_the_lock(tmp_path):
    with pytest.raises(RuntimeError), store.locked(tmp_path / "abc") as mine:
        assert mine
        raise RuntimeError
    with store.locked(tmp_path / "abc") as mine:
        assert mine
