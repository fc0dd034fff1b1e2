"""Data sets that are missing: whether their files came to lie where `prepare` looks, so that it is worth another try.

What `prepare` saw there stands in results/<scale>/data.stamp. To see it again takes a thousandth of a second, so that
a call with nothing to do stays fast where a set cannot be had. No network is asked.
"""

from __future__ import annotations

import hashlib
import json
import os
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import files

if TYPE_CHECKING:
    from stages.data.records import Declaration

DEPTH = 2  # folders below a place: lists and classes, not the photographs of a class
Seen = dict[str, str]  # a digest by place


def look(declared: Declaration, folder: Path, root: Path) -> Seen:
    """What lies at the places of a data set now. `folder` is that of all prepared sets, `root` of the user's own."""
    return {str(place): _seen(place) for place in _places(declared, folder, root)}


def remember(folder: Path, seen: Iterable[Seen]) -> None:
    """Write down what was seen, before they were tried, at the places of the data sets that `folder` lacks."""
    files.write_json(_stamp(folder), {place: digest for each in seen for place, digest in each.items()})


def may_have_come(folder: Path) -> bool:
    """Whether another try may find a data set that is missing in `folder`, or its manifest cannot be read."""
    manifest = folder / "manifest.json"
    return manifest.is_file() and not _still_says(manifest, folder)


def _still_says(manifest: Path, folder: Path) -> bool:
    """Whether it names what is prepared, and where data sets are missing lies what lay there when they were tried."""
    try:
        missing = json.loads(manifest.read_bytes())["missing"]
        same = all(_seen(Path(place)) == digest for place, digest in _noted(folder)) if missing else True
        return isinstance(missing, list) and same
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


def _noted(folder: Path) -> Iterable[tuple[str, str]]:
    """(place, digest) of the last look. ValueError or AttributeError without a whole one, as after `dvc pull`."""
    stamp = _stamp(folder)
    noted = json.loads(stamp.read_bytes()) if stamp.is_file() else {}
    if not noted:
        raise ValueError("nothing is noted")
    return noted.items()


def _stamp(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.stamp")


def _places(declared: Declaration, folder: Path, root: Path) -> Iterator[Path]:
    """Where the data set could lie: prepared by hand, as photographs, or at one of its sources."""
    yield folder / declared["name"] / "manifest.json"
    if "layout" in declared:
        yield root / declared["folder"]
        yield root / f"{declared['folder']}.shards"
    for source in declared.get("sources", []):
        yield from _places_of(source, root)


def _places_of(source: dict[str, Any], root: Path) -> Iterator[Path]:
    """Where a source is looked for on this machine; its kinds are those of stages/obtaining/sources.py."""
    if source["kind"] == "folder":
        yield root / source["path"]
        yield from (root / name for name in [*source.get("files", ())][:1])  # or in the root itself
    elif source["kind"] == "archive":
        yield root / source["url"].rsplit("/", 1)[-1]
    elif source["kind"] == "package":
        yield Path(sysconfig.get_path("purelib"), source["package"], source["path"])


def _seen(place: Path) -> str:
    """SHA-256 over what lies at a place, some folders deep: names, sizes and times; "none" if nothing does.

    The time of the last change of an entry counts, too: an archive is unpacked with the old times of its files.
    """
    entries = sorted(_entries(str(place), DEPTH))
    return (
        hashlib.sha256("\n".join(entries).encode(errors="surrogateescape")).hexdigest() if entries else "none"
    )


def _entries(path: str, depth: int) -> Iterator[str]:
    try:
        stat = os.stat(path)
        yield f"{path} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"
        below = os.listdir(path) if depth and os.path.isdir(path) else []
    except (OSError, ValueError):  # not there, not ours to read, or no name of a file
        return
    for name in below:
        yield from _entries(os.path.join(path, name), depth - 1)
