"""Nothing unverified is read, nothing is extracted, and a source that is not there says so at once."""

import base64
import hashlib
import io
import os
import stat
import sys
import tarfile
import time

import pytest

from common.errors import UserError
from stages.obtaining import checksums, sources

DATA = b"some pixels"


def sha256(data=DATA):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def integrity(data):
    return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a").write_bytes(DATA)
    return {"kind": "folder", "path": "set", "files": {"a": sha256(), "b": sha256()}}


def test_a_folder_is_found_in_the_root_or_as_the_root(folder, tmp_path):
    for root in (tmp_path, tmp_path / "set"):
        assert sources.open_source(folder, root)("a") == DATA


def test_a_file_of_a_folder_that_is_missing_or_damaged_is_named(folder, tmp_path):
    read = sources.open_source(folder, tmp_path)
    with pytest.raises(UserError, match="missing") as caught:
        read("b")
    assert caught.value.where == str(tmp_path / "set" / "b")
    (tmp_path / "set" / "a").write_bytes(DATA[:-1])
    with pytest.raises(UserError, match="wrong checksum") as caught:
        read("a")
    assert caught.value.expected == sha256()
    assert caught.value.where == str(tmp_path / "set" / "a")


def test_a_file_without_a_declared_checksum_is_not_read(folder, tmp_path):
    (tmp_path / "set" / "c").write_bytes(DATA)
    with pytest.raises(UserError, match="without a declared checksum"):
        sources.open_source(folder, tmp_path)("c")


def test_no_folder_says_where_one_was_expected(folder, tmp_path):
    with pytest.raises(UserError, match="no such folder") as caught:
        sources.open_source(folder, tmp_path / "elsewhere")
    assert caught.value.where == str(tmp_path / "elsewhere" / "set")


def test_a_file_of_an_installed_package_is_found_without_importing_it(tmp_path, monkeypatch):
    package = tmp_path / "a_package_for_this_test"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "data" / "a").write_bytes(DATA)
    monkeypatch.syspath_prepend(tmp_path)
    source = {"kind": "package", "package": package.name, "path": "data", "files": {"a": sha256()}}
    assert sources.open_source(source, tmp_path)("a") == DATA
    with pytest.raises(UserError, match="not installed"):
        sources.open_source({**source, "package": "no_such_package"}, tmp_path)


def packed(*members):
    """A .tar.gz of (name, content) files; content may be a TarInfo type with its link target."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
            else:
                info.type, info.linkname = content
                tar.addfile(info)
    return stream.getvalue()


def archive_at(path, data, **files):
    path.write_bytes(data)
    return {
        "kind": "archive",
        "url": path.as_uri(),
        "check": sha256(data),
        "path": "inside",
        "files": files or {"a": sha256()},
    }


def test_declared_members_of_an_archive_are_read_and_no_other_path_is_touched(tmp_path, monkeypatch):
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    escapes = [
        ("../escaped", b"x"),
        (str(tmp_path / "absolute"), b"x"),
        ("inside/../../up", b"x"),
        ("inside/link", (tarfile.SYMTYPE, "/etc/passwd")),
        ("inside/b", b"undeclared"),
    ]
    source = archive_at(tmp_path / "x.tar.gz", packed(*escapes, ("inside/a", DATA)))
    assert sources.open_source(source, tmp_path)("a") == DATA
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["cwd", "x.tar.gz"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_a_declared_member_that_is_no_file_is_missing(kind, tmp_path):
    source = archive_at(tmp_path / "x.tar.gz", packed(("inside/a", (kind, "/etc/passwd"))))
    with pytest.raises(UserError, match="lacks files") as caught:
        sources.open_source(source, tmp_path)
    assert caught.value.found == "without a"


def test_a_member_that_is_too_large_is_refused(tmp_path, monkeypatch):
    source = archive_at(tmp_path / "x.tar.gz", packed(("inside/a", bytes(100_000))))
    monkeypatch.setattr(checksums, "LARGEST_FILE", 50_000)
    with pytest.raises(UserError, match="too large a file") as caught:
        sources.open_source(source, tmp_path)
    assert caught.value.found == "100,000 bytes"


def test_a_member_with_another_checksum_is_refused(tmp_path):
    source = archive_at(tmp_path / "x.tar.gz", packed(("inside/a", b"other")))
    with pytest.raises(UserError, match="wrong checksum"):
        sources.open_source(source, tmp_path)


def test_a_member_without_a_checksum_is_taken_from_a_verified_archive_only(tmp_path):
    source = archive_at(tmp_path / "x.tar.gz", packed(("inside/a", b"other")), a=None)
    assert sources.open_source(source, tmp_path)("a") == b"other"
    with pytest.raises(UserError, match="wrong checksum"):
        sources.open_source({**source, "check": sha256(b"official")}, tmp_path)


def test_an_archive_that_the_user_brought_is_verified_and_not_downloaded(tmp_path):
    source = archive_at(tmp_path / "x.tar.gz", packed(("inside/a", DATA)))
    source["url"] = "https://no.such.host.invalid/pub/x.tar.gz"
    assert sources.open_source(source, tmp_path)("a") == DATA
    (tmp_path / "x.tar.gz").write_bytes(b"half")
    with pytest.raises(UserError, match="wrong checksum") as caught:
        sources.open_source(source, tmp_path)
    assert caught.value.where == str(tmp_path / "x.tar.gz")


def test_an_archive_with_another_checksum_is_not_opened(tmp_path):
    source = archive_at(tmp_path / "x.tar.gz", packed(("inside/a", DATA)))
    with pytest.raises(UserError, match="wrong checksum"):
        sources.open_source({**source, "check": sha256(b"official")}, tmp_path)


@pytest.mark.parametrize("keep", [0, 20, -30])
def test_a_broken_archive_is_named(keep, tmp_path):
    source = archive_at(tmp_path / "x.tar.gz", packed(("inside/a", os.urandom(5000)))[:keep], a=sha256())
    with pytest.raises(UserError, match=r"cannot be read|wrong checksum") as caught:
        sources.open_source(source, tmp_path)
    assert caught.value.where


def test_single_files_are_downloaded(tmp_path):
    (tmp_path / "a").write_bytes(DATA)
    source = {"kind": "download", "url": tmp_path.as_uri() + "/", "files": {"a": sha256()}}
    assert sources.open_source(source, tmp_path)("a") == DATA


@pytest.mark.parametrize("kind", ["archive", "download"])
def test_nobody_there_is_told_at_once(kind, tmp_path):
    # port 1 of this machine: refused without any name server
    source = {
        "kind": kind,
        "url": "http://127.0.0.1:1/",
        "files": {"a": sha256()},
        "check": sha256(),
        "path": "x",
    }
    start = time.monotonic()
    with pytest.raises(UserError, match="download failed"):
        sources.open_source(source, tmp_path)
    assert time.monotonic() - start < 5


def test_a_download_that_never_ends_is_cut_off(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(bytes(2000))
    monkeypatch.setattr(checksums, "LARGEST_FILE", 1000)
    with pytest.raises(UserError, match="too large"):
        sources.open_source(
            {"kind": "download", "url": tmp_path.as_uri() + "/", "files": {"a": sha256()}}, tmp_path
        )


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """npm(script) puts a command npm, in Python, on an otherwise empty PATH; it may pack `archive`."""
    data = packed(("package/a", DATA), ("package/b", b"undeclared"))
    (tmp_path / "archive").write_bytes(data)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    def put(script):
        command = tmp_path / "bin" / "npm"
        command.write_text(
            f"#!{sys.executable}\nimport shutil, sys\narchive = {str(tmp_path / 'archive')!r}\n{script}\n"
        )
        command.chmod(command.stat().st_mode | stat.S_IXUSR)
        return {
            "kind": "npm",
            "npm": "a@1",
            "check": integrity(data),
            "path": "package",
            "files": {"a": sha256()},
        }

    return put


COPY = """
assert sys.argv[1:3] == ["pack", "a@1"] and "--ignore-scripts" in sys.argv
shutil.copy(archive, "a-1.tgz")
"""


def test_npm_packs_what_is_then_verified(npm, tmp_path):
    assert sources.open_source(npm(COPY), tmp_path)("a") == DATA


def test_another_integrity_is_refused(npm, tmp_path):
    with pytest.raises(UserError, match="wrong checksum") as caught:
        sources.open_source({**npm(COPY), "check": integrity(b"other")}, tmp_path)
    assert caught.value.where == "a@1"


def test_npm_that_fails_is_quoted(npm, tmp_path):
    with pytest.raises(UserError, match="could not fetch") as caught:
        sources.open_source(npm("sys.exit('npm error network')"), tmp_path)
    assert "npm error network" in caught.value.found


def test_npm_that_leaves_nothing_or_is_not_there_is_told(npm, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="left no package"):
        sources.open_source(source := npm("pass"), tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="not installed"):
        sources.open_source(source, tmp_path)
