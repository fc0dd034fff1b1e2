"""What `prepare` does for photographs: list the official tree, hold it to the declaration, and record every file.

What is recorded of each file (inspection.py) is compared at every later read. Sets as they can be had today are not
always whole: what the declaration allows to be left out (`absent: skip`, `undecodable: skip` or a list of paths) is,
and the manifest names it; anything else that is wrong is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from common import files
from common.errors import UserError
from stages.data.datasets import STORED, about_array
from stages.data.file_lists import list_text, read_list
from stages.data.records import Declaration, PreparedSplit
from stages.obtaining import layouts
from stages.obtaining.expectations import OWN, WHERE, check, check_labels, check_paths, check_sizes
from stages.obtaining.inspection import Changed, Known, Surveyed, absent_of, inspect, some
from stages.obtaining.official_lists import Listing, Sample

OWN_UNREADABLE = (
    "store it anew or remove it, then run `python -m stages declare_dataset` (with --replace if there is an entry "
    "already); with --skip-undecodable it leaves out, by name, what cannot be decoded"
)


def survey(declared: Declaration, root: Path, known: Known, verify: bool = False) -> dict[str, Surveyed]:
    """Both splits of the tree below root/<declared folder>, held to the declaration.

    `known` are entries of an earlier survey: those files are only asked for their size, but with `verify` all are
    decoded and compared with what is known. UserError if the folder, a list or a photograph is missing or unreadable,
    or numbers differ from the declared ones.
    """
    tree = root / declared["folder"]
    if not tree.is_dir():
        raise UserError(
            f"the data set {declared['name']} is not here",
            expected=declared["title"],
            found="no such folder",
            where=tree,
            remedy=declared.get("by_hand", "").strip(),
        )
    return hold(layouts.listing(tree, declared), declared, tree, known, verify)


def hold(
    listing: Listing, declared: Declaration, tree: Path, known: Known, verify: bool = False
) -> dict[str, Surveyed]:
    """Both splits of a listing, its photographs looked at and all held to the declaration."""
    check_paths(listing, tree)
    check_sizes({split: len(listing[split]) for split in STORED}, declared, tree)
    for split in STORED:
        check_labels(labels_of(listing[split]), split, declared, tree)
    surveyed = {split: _surveyed(listing[split], split, tree, declared, known, verify) for split in STORED}
    check(surveyed, declared, tree)
    return surveyed


def known_entries(folder: Path) -> Known:
    """What an earlier survey wrote to the folder, if that is whole; else nothing, and all is looked at again."""
    try:
        manifest = files.read_json(folder / "manifest.json")
        return {entry.path: entry for split in STORED for entry in read_list(folder, manifest, split)}
    except (UserError, KeyError, TypeError):
        return {}


def described(surveyed: dict[str, Surveyed]) -> dict[str, PreparedSplit]:
    """What a manifest says of listed photographs."""
    return {
        split: {
            "size": len(one.entries),
            "files": {
                "bytes": sum(entry.size for entry in one.entries),
                "sha256": files.sha256_bytes(list_text(one.entries).encode()),
            },
            "labels": about_array(one.labels),
            **({"left_out": list(one.left_out)} if one.left_out else {}),
        }
        for split, one in surveyed.items()
    }


def labels_of(samples: Sequence[Sample]) -> np.ndarray:
    """The labels of listed samples: int64 (n,), or (n, classes)."""
    return np.array([label for _, label in samples], dtype=np.int64)


def _surveyed(
    samples: list[Sample], split: str, tree: Path, declared: Declaration, known: Known, verify: bool
) -> Surveyed:
    undecodable = declared.get("undecodable", [])
    without = set(undecodable) if isinstance(undecodable, list) else set()
    paths = [path for path, _ in samples if path not in without]
    if missing := absent_of(paths, tree):
        if declared.get("absent") != "skip":
            raise _missing(missing, len(samples), tree, declared)
        without.update(missing)
    inspected = inspect([path for path in paths if path not in without], tree, declared, known, verify)
    if bad := [one for one in inspected if one.error]:
        changed = next((one.error for one in bad if isinstance(one.error, Changed)), None)
        if changed or undecodable != "skip":
            raise changed or _unreadable([one.path for one in bad], bad[0].error, declared)
        without.update(one.path for one in bad)
    last = declared["validation"].get("official", 0) if split == "train" else 0
    return Surveyed(
        tuple(one.entry for one in inspected if one.entry),
        labels_of([sample for sample in samples if sample[0] not in without]),
        tuple(path for path, _ in samples if path in without),
        sum(path in without for path, _ in samples[len(samples) - last :]),
    )


def _missing(missing: list[str], of: int, tree: Path, declared: Declaration) -> UserError:
    return UserError(
        "photographs are missing",
        expected=f"all {of:,} that the official lists name",
        found=f"{len(missing):,} are not there: {some(missing)}",
        where=tree / missing[0],
        remedy="unpack the official archive again; or, to use the set without them, write `absent: skip` into the "
        "entry " + WHERE.format(**declared),
    )


def _unreadable(bad: list[str], first: UserError, declared: Declaration) -> UserError:
    more = f"\nso too {len(bad) - 1:,} others: {some(bad[1:])}" if len(bad) > 1 else ""
    remedy = (
        f"{first.remedy}; or, to use the set without what cannot be decoded, write `undecodable: skip` or "
    )
    remedy += f"`undecodable: [{bad[0]}]` into the entry " + WHERE.format(**declared)
    return UserError(
        first.problem,
        expected=first.expected,
        found=first.found + more,
        where=first.where,
        remedy=OWN_UNREADABLE if declared["layout"] == OWN else remedy,
    )
