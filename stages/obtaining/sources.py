"""Where the files of a data set come from. Nobody sees a byte of them before its checksum was right.

A source is a mapping from params/datasets.yaml; `open_source` turns it into a function from file name to
verified bytes. Archives are read member by member in memory, and only the members that are declared: nothing
is ever extracted, so no path in an archive can lead anywhere.
"""

from __future__ import annotations

import http.client
import importlib.util
import io
import shutil
import subprocess
import tarfile
import tempfile
import urllib.request
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import files
from common.errors import UserError
from stages.data.datasets import REPOSITORY
from stages.obtaining import checksums
from stages.obtaining.checksums import verified

Reader = Callable[[str], bytes]
STALL_SECONDS = 10  # a connection that is silent for longer is given up: offline must fail fast
NPM_SECONDS = 900


def open_source(source: dict[str, Any], root: str | Path) -> Reader:
    """A function that returns the verified bytes of a declared file. UserError if the source is not
    available.

    `root` is the user's folder of downloaded data; kinds: folder, repository, package, archive, download,
    npm.
    """
    return KINDS[source["kind"]](source, Path(root))


def describe(source: dict[str, Any]) -> str:
    """A few words for the user: which source this is."""
    place = next(source[key] for key in ("url", "npm", "path") if key in source)
    return f"{source['kind']} {source['package'] + '/' if 'package' in source else ''}{place}"


def _from_folder(source: dict[str, Any], root: Path) -> Reader:
    checks = source.get("files")
    # a user may name the folder itself or the one above it
    folder = next(
        (place for place in (root / source["path"], root) if place.is_dir() and _has(place, checks)), None
    )
    if folder is None:
        raise UserError(
            "no such folder",
            expected=f"a folder with {next(iter(checks or ['manifest.json']))}",
            found="none",
            where=root / source["path"],
        )
    checks = checks or files.read_json(folder / "manifest.json")["files"]

    def read(name: str) -> bytes:
        if name not in checks:
            raise UserError(
                "a file without a declared checksum",
                expected="one of " + ", ".join(checks),
                found=name,
                where=folder,
            )
        return verified(files.read_bytes(folder / name), checks[name], folder / name)

    return read


def _has(folder: Path, checks: dict[str, str] | None) -> bool:
    return (folder / next(iter(checks or ["manifest.json"]))).is_file()


def _from_repository(source: dict[str, Any], _root: Path) -> Reader:
    return _from_folder(source, REPOSITORY)


def _from_package(source: dict[str, Any], _root: Path) -> Reader:
    # found, not imported: importing scikit-learn takes seconds
    spec = importlib.util.find_spec(source["package"])
    if spec is None or spec.origin is None:
        raise UserError("a Python package is not installed", expected=source["package"], found="none")
    return _from_folder(source, Path(spec.origin).parent)


def _from_download(source: dict[str, Any], _root: Path) -> Reader:
    def read(name: str) -> bytes:
        return verified(_download(source["url"] + name, checksums.LARGEST_FILE), source["files"][name], name)

    read(min(source["files"], key=len))  # is anyone there? asked now, so that the next source gets its turn
    return read


def _from_archive(source: dict[str, Any], root: Path) -> Reader:
    own = root / source["url"].rsplit("/", 1)[-1]  # a user without a connection may have brought it
    if own.is_file():
        return _members(verified(files.read_bytes(own), source["check"], own), source)
    data = verified(_download(source["url"], checksums.LARGEST_FILE), source["check"], source["url"])
    return _members(data, source)


def _from_npm(source: dict[str, Any], _root: Path) -> Reader:
    npm = shutil.which("npm")
    if npm is None:
        raise UserError("npm is not installed", expected="the command npm", found="none")
    with tempfile.TemporaryDirectory() as folder:
        command = [
            npm,
            "pack",
            source["npm"],
            "--silent",
            "--ignore-scripts",
            "--fetch-retries=0",
            f"--fetch-timeout={1000 * STALL_SECONDS}",
        ]
        try:
            subprocess.run(
                command, cwd=folder, check=True, capture_output=True, text=True, timeout=NPM_SECONDS
            )
        except subprocess.SubprocessError as error:
            reason = (getattr(error, "stderr", None) or str(error)).strip()
            raise UserError(
                "npm could not fetch the package", expected=source["npm"], found=reason
            ) from error
        packed = [files.read_bytes(path) for path in Path(folder).glob("*.tgz")]
    if len(packed) != 1:
        raise UserError("npm left no package", expected="one .tgz file", found=f"{len(packed)} files")
    return _members(verified(packed[0], source["check"], source["npm"]), source)


def _members(archive: bytes, source: dict[str, Any]) -> Reader:
    """The declared members of a verified .tar.gz, read into memory; others are passed over unread."""
    wanted = {f"{source['path']}/{name}": name for name in source["files"]}
    contents: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r|gz") as tar:
            for member in tar:
                if member.name in wanted and member.isfile():
                    name = wanted[member.name]
                    contents[name] = _member_bytes(tar, member, source["files"][name])
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise UserError(
            "an archive cannot be read", expected="a whole .tar.gz", found=error, where=describe(source)
        ) from error
    if missing := sorted(set(source["files"]) - set(contents)):
        raise UserError(
            "an archive lacks files",
            expected=", ".join(source["files"]),
            found="without " + ", ".join(missing),
            where=describe(source),
        )
    return contents.__getitem__


def _member_bytes(tar: tarfile.TarFile, member: tarfile.TarInfo, check: str | None) -> bytes:
    if member.size > checksums.LARGEST_FILE:
        raise UserError(
            "an archive holds too large a file",
            expected=f"at most {checksums.LARGEST_FILE:,} bytes",
            found=f"{member.size:,} bytes",
            where=member.name,
        )
    stream = tar.extractfile(member)
    assert stream is not None  # only for members that are no files
    data = stream.read()
    return data if check is None else verified(data, check, member.name)  # the archive itself was verified


def _download(url: str, limit: int) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=STALL_SECONDS) as response:
            data = response.read(limit + 1)
    except (OSError, http.client.HTTPException) as error:
        raise UserError("a download failed", found=getattr(error, "reason", error), where=url) from error
    if len(data) > limit:
        raise UserError(
            "a download is too large", expected=f"at most {limit:,} bytes", found="more", where=url
        )
    return data


KINDS: dict[str, Callable[[dict[str, Any], Path], Reader]] = {
    "folder": _from_folder,
    "repository": _from_repository,
    "package": _from_package,
    "archive": _from_archive,
    "download": _from_download,
    "npm": _from_npm,
}
