"""Files and folders are whole or absent, also beside readers, on a full disk, and where a writer is killed."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from common import atomic, files
from common.errors import UserError


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_an_exception_while_writing_keeps_the_old_file(tmp_path):
    files.write_text(tmp_path / "a", "old")
    with pytest.raises(ZeroDivisionError), atomic.whole_file(tmp_path / "a") as file:
        file.write(b"half of the n")
        raise ZeroDivisionError
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_a_reader_beside_a_writer_sees_a_whole_file(tmp_path):
    """As jobs that read a plan while another process makes it anew."""
    path, whole = tmp_path / "index.yaml", [f"value: {letter * 50_000}\n" for letter in "ab"]
    files.write_text(path, whole[0])
    program = (
        "import sys\nfrom common.files import write_text\n"
        "for number in range(60):\n    write_text(sys.argv[1], sys.argv[2 + number % 2])\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", program, path, *whole])
    seen = {path.read_text()}
    while writer.poll() is None:
        seen.add(path.read_text())
    assert writer.returncode == 0 and seen == set(whole)


def full_disk(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_keeps_the_old_file_and_says_what_was_needed(tmp_path, monkeypatch):
    files.write_text(tmp_path / "a", "old")
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(UserError, match="disk is full") as caught:
        files.write_bytes(tmp_path / "a", bytes(12345))
    assert "12,345 bytes" in caught.value.expected
    assert caught.value.where == str(tmp_path / "a")
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_a_killed_writer_leaves_the_old_file_and_its_leftover_can_be_discarded(tmp_path):
    files.write_text(tmp_path / "a", "old")
    program = (
        "import os, signal, sys\nfrom common.atomic import whole_file\n"
        "with whole_file(sys.argv[1]) as file:\n"
        "    file.write(b'new'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, tmp_path / "a"], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "a").read_text() == "old"
    assert len(names(tmp_path)) == 2
    atomic.discard_partials(tmp_path)
    assert names(tmp_path) == ["a"]


@pytest.fixture
def tree(tmp_path) -> Path:
    files.write_text(tmp_path / "source" / "deep" / "a", "one")
    files.write_text(tmp_path / "source" / ".a.1.new.partial", "half")
    return tmp_path


def test_link_tree_links_and_leaves_partials_behind(tree):
    atomic.link_tree(tree / "source", tree / "copy" / "here")
    assert (tree / "copy/here/deep/a").stat().st_ino == (tree / "source/deep/a").stat().st_ino
    assert names(tree / "copy") == ["here"]
    assert names(tree / "copy" / "here") == ["deep"]


def test_a_file_is_replaced_and_never_changed_in_place(tree):
    # what makes linked trees safe: writing in one does not reach the other
    atomic.link_tree(tree / "source", tree / "copy")
    files.write_text(tree / "source" / "deep" / "a", "two")
    assert (tree / "copy/deep/a").read_text() == "one"


def test_link_tree_copies_where_it_cannot_link(tree, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EXDEV, "another device")

    monkeypatch.setattr(os, "link", refuse)
    atomic.link_tree(tree / "source", tree / "copy")
    assert (tree / "copy/deep/a").read_text() == "one"


def test_link_tree_replaces_an_older_tree(tree):
    files.write_text(tree / "copy" / "old", "old")
    atomic.link_tree(tree / "source", tree / "copy")
    assert names(tree / "copy") == ["deep"]
    assert names(tree) == ["copy", "source"]


@pytest.mark.parametrize("fails", ["_link_or_copy", "rename"])
def test_link_tree_on_a_full_disk_keeps_the_older_tree(fails, tree, monkeypatch):
    files.write_text(tree / "copy" / "old", "old")
    real = os.rename
    if fails == "rename":
        monkeypatch.setattr(os, "rename", lambda a, b: full_disk() if ".new." in str(a) else real(a, b))
    else:
        monkeypatch.setattr(atomic, fails, full_disk)
    with pytest.raises(UserError, match="disk is full"):
        atomic.link_tree(tree / "source", tree / "copy")
    assert names(tree) == ["copy", "source"]
    assert (tree / "copy" / "old").read_text() == "old"


def test_link_tree_needs_a_source(tmp_path):
    with pytest.raises(UserError, match="nothing to link"):
        atomic.link_tree(tmp_path / "none", tmp_path / "copy")


def test_a_folder_that_another_process_put_there_in_the_moment_between_is_as_good(tree, monkeypatch):
    files.write_text(tree / "copy" / "old", "old")
    rename = os.rename

    def beside_another(source, destination):
        rename(source, destination)
        if str(destination).endswith(".old.partial"):
            files.write_text(tree / "copy" / "deep" / "a", "one")

    monkeypatch.setattr(os, "rename", beside_another)
    atomic.link_tree(tree / "source", tree / "copy")
    assert names(tree / "copy") == ["deep"] and names(tree) == ["copy", "source"]


def test_a_folder_that_another_process_moves_away_first_is_put_there(tree, monkeypatch):
    files.write_text(tree / "copy" / "old", "old")
    rename = os.rename

    def gone(source, destination):
        if str(destination).endswith(".old.partial"):
            rename(source, tree / "aside")
        rename(source, destination)

    monkeypatch.setattr(os, "rename", gone)
    atomic.link_tree(tree / "source", tree / "copy")
    assert names(tree / "copy") == ["deep"]


def test_a_temporary_name_says_whether_its_process_lives(tmp_path):
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert atomic.is_at_work_on(atomic._beside(tmp_path / "a")) and atomic.is_at_work_on(
        ".a.1-0123abcd.new.partial"
    )
    for name in (
        f".a.{ended.pid}-0123abcd.new.partial",
        "a",
        ".a.1-zz.new.partial",
        f".a.{10**30}-0123abcd.new.partial",
    ):
        assert not atomic.is_at_work_on(tmp_path / name)
