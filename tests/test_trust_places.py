"""Where people really work: odd paths, locales, homes, limits, file systems. The same bytes come out, or words.

One clone, moved and used under one condition after another; each begins without results.
"""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from common import files, locks
from tests.small_copy import TABLE_05, Clone, ran
from tests.stages.test_declare_dataset import draw
from tests.trusted import tiny, wipe

pytestmark = pytest.mark.slow
NOBODY = ("--user", "--map-user=4242", "--map-group=4242")
UNSHARE = shutil.which("unshare")
ON_MINE = """\
set:
  dataset.name: mine
  dataset.limit: 0
  Pretraining.batch_size: 16
  linear_eval/dataset.name: mine
  linear_eval/linear_evaluation.batch_size: 16
  linear_eval/knn_scores.k: 20
"""


def can(*words: str) -> bool:
    return (
        UNSHARE is not None and subprocess.run([UNSHARE, *words, "true"], capture_output=True).returncode == 0
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Clone, dict[str, bytes]]:
    """A clone in a folder with blanks and letters beyond ASCII, and what it makes there by `make reports`."""
    plain = tiny(tmp_path_factory.mktemp("places") / "plain", "snakemake")
    plain.reports()
    unbroken = plain.products()
    wipe(plain)
    moved = plain.folder.with_name("Eigene Dateien é 数")
    shutil.move(plain.folder, moved)
    (moved / ".venv").symlink_to(Path(sys.executable).parents[1])
    return Clone(moved, ["make", "-o", ".venv/installed", "reports"]), unbroken


CONDITIONS = {
    "blanks and letters in the path, a clone that was moved": ["env"],
    "a long TMPDIR": ["env", "TMPDIR={long}"],
    "the POSIX locale": ["env", "LC_ALL=POSIX", "PYTHONCOERCECLOCALE=0", "PYTHONUTF8=0"],
    "ISO-8859-1": ["env", "LC_ALL=en_US.ISO-8859-1", "PYTHONIOENCODING=iso-8859-1", "PYTHONUTF8=0"],
    "a HOME that cannot be written": ["env", "-u", "MPLCONFIGDIR", "-u", "XDG_CACHE_HOME", "HOME=/proc/none"],
    "a user without passwd entry": [
        "env",
        "-u",
        "USER",
        "-u",
        "LOGNAME",
        "unshare",
        *NOBODY,
    ],
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_the_same_bytes_come_out(made, tmp_path, condition):
    clone, unbroken = made
    long = tmp_path / ("x" * 100)
    long.mkdir()
    words = [word.format(long=long) for word in CONDITIONS[condition]]
    if "unshare" in words and not can(*NOBODY):
        pytest.skip("no user namespaces here")
    wipe(clone)
    said = clone.run(*words, *clone.engine, check=False)
    assert "Traceback" not in said and (clone.folder / "reports/out/smoke").is_dir(), said
    assert clone.products() == unbroken, said


def test_line_ends_stay_under_autocrlf(made, tmp_path):
    clone, _ = made
    clone.run("git", "-c", "core.autocrlf=true", "clone", "-q", str(clone.folder), str(tmp_path / "crlf"))
    for path in ("data/cifar10_subset", "params/exhibits/table_05.yaml", "Makefile"):
        ours, theirs = clone.folder / path, tmp_path / "crlf" / path
        for each in [ours] if ours.is_file() else filter(Path.is_file, ours.rglob("*")):
            other = theirs if ours.is_file() else theirs / each.relative_to(ours)
            assert other.read_bytes() == each.read_bytes()


def test_results_that_cannot_be_written_are_told(made):
    if not can("--mount"):
        pytest.skip("no mount namespaces here")
    clone, _ = made
    wipe(clone)
    (clone.folder / "results").mkdir()
    inside = 'mount --bind results results && mount -o remount,bind,ro results && exec "$@"'
    said = clone.run("unshare", "--mount", "sh", "-c", inside, "sh", *clone.engine, check=False)
    assert "error:" in said and "results" in said and "the process ended without a word" not in said
    assert "Read-only file system" in said and "Traceback" not in said, said


def test_a_limit_on_the_size_of_files_is_told(made):
    clone, _ = made
    wipe(clone)
    clone.run(sys.executable, "-m", "stages", "prepare")
    limited = 'ulimit -f 64; exec "$@"'
    run = [sys.executable, "-m", "stages", "run"]
    said = clone.run("bash", "-c", limited, "bash", *run, check=False)
    assert "File too large" in said and "ulimit -f" in said and "Traceback" not in said, said
    clone.run(*run)


def test_an_edit_while_a_run_is_going_on_is_the_next_commands(made):
    clone, _ = made
    wipe(clone)
    with open(clone.folder / "said.txt", "wb") as said:
        first = subprocess.Popen(clone.engine, cwd=clone.folder, stdout=said, stderr=said)
        while not list((clone.folder / "results/smoke/store").glob("*/*")) and first.poll() is None:
            pass
        clone.edit("params/exhibits/table_05.yaml", "    - 0.5\n", "    - 0.4\n")
        first.wait(300)
    clone.reports()
    rows = (clone.folder / "results/smoke/tidy/table_05/rows.csv").read_text()
    assert "0.4," in rows and "0.5," not in rows
    clone.edit("params/exhibits/table_05.yaml", "    - 0.4\n", "    - 0.5\n")
    clone.reports()


def test_an_experiment_in_a_temporary_copy_has_the_data_that_git_ignores(tmp_path):
    """`dvc exp run --temp`, on images of one's own in data/. It refuses letters beyond ASCII in the path by itself."""
    clone = tiny(tmp_path / "clone", "dvc")
    draw(clone.folder / "data" / "mine")
    clone.run(sys.executable, "-m", "stages", "declare_dataset", "--folder", "data/mine", "--name", "mine")
    clone.edit(TABLE_05, "\nruns:\n", f"\n{ON_MINE}runs:\n")
    clone.run(sys.executable, "-m", "stages", "plan")
    clone.commit()
    said = clone.run("dvc", "exp", "run", "--temp")
    assert f"mine: prepared in results/smoke/data/mine from {clone.folder}/data/mine" in said
    assert ran(said)["linear_eval table_05"] == "3 of 3", said


def refusing(number: int):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EACCES])
def test_a_folder_that_cannot_be_synced_is_no_error(tmp_path, monkeypatch, number):
    sync = os.fsync
    folder_refuses = refusing(number)
    monkeypatch.setattr(
        os, "fsync", lambda fd: folder_refuses() if os.path.isdir(f"/proc/self/fd/{fd}") else sync(fd)
    )
    assert files.write_text(tmp_path / "a.txt", "whole") and (tmp_path / "a.txt").read_text() == "whole"


def test_a_disk_that_fails_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", refusing(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        files.write_text(tmp_path / "a.txt", "whole")
    assert list(tmp_path.iterdir()) == []


def test_where_there_are_no_locks_one_goes_on_and_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(locks.fcntl, "flock", refusing(errno.ENOSYS))
    assert locks.take(tmp_path / ".lock") is None and "no locks" in capsys.readouterr().err


def test_a_lock_has_one_holder_and_names_it(tmp_path):
    first = locks.take(tmp_path / ".lock")
    with pytest.raises(locks.Held, match=str(os.getpid())):
        locks.take(tmp_path / ".lock")
    first.close()
    locks.take(tmp_path / ".lock").close()
