"""A run that is not whole any more takes away what says that it is there: cheaply, and whatever was done to it."""

import os
import shutil

import pytest

from common import receipts
from stages import check, pretrain  # noqa: F401 (gin then knows its names)
from stages.planning import plans
from stages.running import looking, lost, store
from tests.stages import tiny


@pytest.fixture
def runs(project):
    """Two finished runs of one sweep, with their index and its receipt."""
    tiny.declare_only(project, {"table_05": tiny.TWO_PRETRAININGS})
    plan = plans.resolve("table_05", "smoke")
    plans.write_plan(plan)
    for run in plan.runs("pretrain"):
        tiny.seal(run, {"loss": 1.0})
    tiny.sweep(plan, "pretrain")
    receipts.write(tiny.RESULTS / "smoke", "runs", [index(plan)])
    return plan.runs("pretrain")


def index(plan):
    return plan.index_path(tiny.RESULTS, "pretrain")


def discard(**how):
    return lost.discard_indices(tiny.RESULTS, "smoke", **how)


def places(run):
    return store.store_folder(tiny.RESULTS, run), run.folder(tiny.RESULTS)


def remove(run):
    for folder in places(run):
        shutil.rmtree(folder)


def cut(run):
    with open(places(run)[0] / "metrics.json", "r+b") as file:  # in place: its links have it too
        file.truncate(3)


def change_a_byte_and_keep_its_time(run):
    path = places(run)[0] / "metrics.json"
    times = path.stat()
    with open(path, "r+b") as file:
        file.write(b"[")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def remove_a_file(run):
    for folder in places(run):
        (folder / "metrics.json").unlink()


def put_a_folder_there(run):
    remove_a_file(run)
    for folder in places(run):
        (folder / "metrics.json").mkdir()


def put_another_run_there(run):
    other = next(path for path in places(run)[0].parent.iterdir() if path.is_dir() and path != places(run)[0])
    for folder in places(run):
        shutil.rmtree(folder)
        shutil.copytree(other, folder)


HARM = (
    remove,
    cut,
    change_a_byte_and_keep_its_time,
    remove_a_file,
    put_a_folder_there,
    put_another_run_there,
)


def test_whole_runs_keep_their_index(runs):
    assert discard() == discard() == discard(read_all=True) == []
    assert receipts.discard_broken(tiny.RESULTS / "smoke") == []


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("looks_before", [0, 2])
def test_a_lost_run_takes_its_index_and_its_receipt_away(runs, harm, looks_before):
    for _ in range(looks_before):
        assert discard() == []
    harm(runs[1])
    assert discard() == ["pretrain table_05"]
    assert receipts.discard_broken(tiny.RESULTS / "smoke") == ["runs"]
    assert discard() == []


def test_a_look_that_changes_nothing_names_what_is_lost(runs):
    results = tiny.RESULTS / "smoke"
    assert looking.untrue(tiny.RESULTS, "smoke") == []
    remove(runs[1])
    index(plans.resolve("table_05", "smoke")).with_name("more.json").write_text("{}")
    receipts.write(results, "tidy", [results / "index/table_05/trained/more.json"])
    (results / "index/table_05/trained/more.json").write_text("[]")
    before = {path: path.stat().st_mtime_ns for path in results.rglob("*")}
    assert looking.untrue(tiny.RESULTS, "smoke") == ["the runs of pretrain table_05", "tidy"]
    assert {path: path.stat().st_mtime_ns for path in results.rglob("*")} == before


@pytest.mark.parametrize("place", [0, 1], ids=["store", "sweep"])
def test_a_run_that_lies_in_one_of_its_two_places_is_not_lost(runs, place):
    shutil.rmtree(places(runs[0])[place])
    assert discard() == []


def test_a_run_whose_copy_in_the_store_is_cut_is_lost_though_that_of_its_sweep_is_whole(runs):
    """Readers would find the cut one, and nothing would mend it."""
    path = places(runs[0])[0] / "metrics.json"
    path.unlink()
    path.write_text("{")
    assert discard() == ["pretrain table_05"]


def test_only_what_changed_since_it_was_known_to_be_whole_is_read(runs, monkeypatch):
    read = []
    monkeypatch.setattr(store, "_is", lambda path, digest: read.append(path.name) or True)
    results = tiny.RESULTS / "smoke"
    newer = max(path.stat().st_ctime_ns for path in results.rglob("*")) + 10**9
    for path in results.glob("index/*/*/*.json"):
        os.utime(path, ns=(newer, newer))
    assert discard() == [] and read == []
    assert discard(read_all=True) == [] and read == ["metrics.json"] * 2


def test_what_came_from_elsewhere_is_read_once(runs, monkeypatch):
    """A copy has new times of change under an index of old time."""
    for path in (tiny.RESULTS / "smoke").glob("index/*/*/*.json"):
        os.utime(path, ns=(1, 1))
    read = []
    whole = store._is
    monkeypatch.setattr(store, "_is", lambda path, digest: read.append(path) or whole(path, digest))
    assert discard() == [] and len(read) == 2
    stamp = tiny.RESULTS / "smoke" / lost.STAMP
    later = stamp.stat().st_mtime_ns + 10**9  # as if time had passed: files of the test are of one tick
    os.utime(stamp, ns=(later, later))
    read.clear()
    assert discard() == [] and read == []


def test_a_run_that_is_known_by_evidence_need_not_lie_here(runs):
    path = next((tiny.RESULTS / "smoke").glob("index/*/*/*.json"))
    digest = store.files.sha256_file(places(runs[0])[1] / store.RUN)
    path.write_text(path.read_text().replace(digest, "evidence"))
    remove(runs[0])
    assert discard() == []


def test_an_index_that_is_none_is_left_to_its_receipt(runs):
    path = next((tiny.RESULTS / "smoke").glob("index/*/*/*.json"))
    path.write_text("[1]")
    assert discard() == [] and receipts.discard_broken(tiny.RESULTS / "smoke") == ["runs"]


def test_check_names_the_sweep(runs, capsys):
    change_a_byte_and_keep_its_time(runs[0])
    assert check.main(["--scale", "smoke"]) == 2
    assert "the runs of pretrain table_05" in capsys.readouterr().err
