"""A changed byte or a cut in any file of a finished run is repaired, refused by name, or does no harm to what is shown.

Faults are real: bytes on disk, with the file's time kept. Two forms: the readers of every link, which are all made to
read it (30 files always, `TRUST_DAMAGES=300` is the long form), and the user's own command.
"""

import importlib
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from multiprocessing import forkserver
from pathlib import Path

import pytest

from tests.small_copy import Clone, ran
from tests.trusted import tiny

DAMAGES = int(os.environ.get("TRUST_DAMAGES", "30"))
COMMANDS = max(4, DAMAGES // 10)  # through the engine itself
STEPS = ("stages.run", "stages.collect", "reports.verdict", "reports.draw", "reports.index")
LOOSE = "record.json"  # where and when a run was made: no number, and not promised to be whole
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[Clone, Path]:
    """A finished clone, and a folder with what it holds then."""
    folder = tmp_path_factory.mktemp("damage")
    clone = tiny(folder / "clone", "snakemake")
    clone.reports()
    subprocess.run(["cp", "-a", clone.folder, folder / "whole"], check=True)
    return clone, folder / "whole"


def restore(clone: Clone, whole: Path) -> None:
    """As it was, hard links and times too."""
    for name in ("results", "reports", ".snakemake"):
        shutil.rmtree(clone.folder / name, ignore_errors=True)
        subprocess.run(["cp", "-a", whole / name, clone.folder / name], check=True)


def targets(whole: Path) -> list[str]:
    """Every file of the finished run that has bytes: store, links, indices, tidy, judged, receipts, drawings, page."""
    paths = [path for top in ("results", "reports/out") for path in sorted((whole / top).rglob("*"))]
    return [
        path.relative_to(whole).as_posix()
        for path in paths
        if path.is_file() and path.stat().st_size > 0 and path.name != LOOSE
    ]


def damage(path: Path, draws: random.Random) -> None:
    """Change one byte, or cut the file; its time stays."""
    data, times = bytearray(path.read_bytes()), path.stat()
    place = draws.randrange(len(data))
    if draws.random() < 0.7:
        data[place] ^= draws.randrange(1, 256)
    else:
        del data[place:]
    with open(path, "r+b") as file:  # in place, as a failing disk does: a hard link has it too
        file.write(data)
        file.truncate()
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def steps(folder: Path, said: Path) -> None:
    """Every step from the runs to the page, none of which has a receipt to say that it was done."""
    os.chdir(folder)
    with open(said, "w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    shutil.rmtree("results/smoke/receipts", ignore_errors=True)
    # A fork server of an earlier test is no child of this process.
    forkserver._forkserver._forkserver_pid = forkserver._forkserver._forkserver_fd = None
    for name in STEPS:
        status = sys.modules[name].main([])
        if status:
            os._exit(status)
    sys.stdout.flush()
    os._exit(0)


def test_every_reader_of_a_damaged_link_repairs_it_or_names_it(finished, tmp_path):
    clone, whole = finished
    for name in STEPS:  # once, here: each case is a fork of this process
        importlib.import_module(name)
    pristine = {path.name: path.read_bytes() for path in (whole / "reports/out/smoke").iterdir()}
    files, outcomes = targets(whole), Counter()
    for number in range(DAMAGES):
        draws = random.Random(number)
        name = draws.choice(files)
        restore(clone, whole)
        damage(clone.folder / name, draws)
        broken, said = (clone.folder / name).read_bytes(), tmp_path / "said.txt"
        process = multiprocessing.get_context("fork").Process(target=steps, args=(clone.folder, said))
        process.start()
        process.join(300)
        text, where = said.read_text(), f"damage {number} of {name}"
        assert "Traceback" not in text, f"{where}\n{text}"
        if process.exitcode:
            named = Path(name).name in text or Path(name).parent.name in text
            assert process.exitcode in (1, 2) and named, f"{where}: exit {process.exitcode}\n{text}"
            assert (clone.folder / "reports/out/smoke/index.html").read_bytes() == pristine["index.html"]
            outcomes["refused"] += 1
            continue
        shown = clone.products()
        differ = [each for each in pristine if each != ".gitignore" and shown.get(each) != pristine[each]]
        assert differ == [], f"{where} reached {differ}\n{text}"
        is_there = (clone.folder / name).exists() and (clone.folder / name).read_bytes() == broken
        outcomes["harmless" if is_there else "repaired"] += 1
    print(dict(outcomes))


def test_the_users_own_command_leaves_the_unbroken_page_or_says_why_not(finished):
    clone, whole = finished
    products = {
        path.name: path.read_bytes()
        for path in (whole / "reports/out/smoke").iterdir()
        if path.name != ".gitignore"
    }
    for number in range(COMMANDS):
        draws = random.Random(f"command {number}")
        name = draws.choice([each for each in targets(whole) if "/store/" not in each])
        restore(clone, whole)
        damage(clone.folder / name, draws)
        said = clone.run(*clone.engine, check=False)
        assert clone.products() == products or ("error:" in said and Path(name).name in said), (
            f"{name}\n{said}"
        )


@pytest.mark.parametrize(
    "gone",
    [
        "reports/out/smoke/figure_06.png",
        "reports/out/smoke/index.html",
        "results/smoke/tidy/table_05",
        "results/smoke/index/table_05/trained/pretrain.json",
        "results/smoke/judged/table_05.json",
        "results/smoke/receipts",
    ],
)
def test_what_was_deleted_is_made_again(finished, gone):
    clone, whole = finished
    restore(clone, whole)
    path = clone.folder / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    clone.reports()
    assert path.exists() and clone.products() == {
        each.name: each.read_bytes()
        for each in (whole / "reports/out/smoke").iterdir()
        if each.name != ".gitignore"
    }


@pytest.fixture(scope="module")
def by_dvc(tmp_path_factory) -> tuple[Clone, dict[str, bytes]]:
    clone = tiny(tmp_path_factory.mktemp("by_dvc") / "clone", "dvc")
    clone.reports()
    return clone, clone.products()


def test_what_dvc_cannot_see_check_says_and_dvc_makes_again(by_dvc):
    """A byte that changed on the disk, and neither the file's time nor its size."""
    clone, whole = by_dvc
    path = clone.folder / "reports/out/smoke/table_05.html"
    times = path.stat()
    with open(path, "r+b") as file:
        file.seek(path.read_bytes().index(b"0.", 400))
        file.write(b"9")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    check = (sys.executable, "-m", "stages", "check")
    assert "after drawn" in clone.run(*check, check=False)
    clone.reports()
    assert clone.products() == whole and "as it was written" in clone.run(*check)


@pytest.mark.parametrize("name", ["dvc.lock", ".dvc/tmp/rwlock"])
@pytest.mark.parametrize("left", ["", "{", "stages: 1", "\0"])
def test_a_note_that_dvc_was_killed_at_goes_and_nothing_is_trained_again(by_dvc, name, left):
    """DVC empties these files before it writes them, and does not start with one that is not whole."""
    clone, whole = by_dvc
    (clone.folder / name).write_text(left)
    assert clone.run("dvc", "repro", check=False).count("rwlock" if "rwlock" in name else "dvc.lock")
    said = clone.reports()
    assert f"{name}: DVC was killed at it" in said and not ran(said) and clone.products() == whole
