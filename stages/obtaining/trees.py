"""A prepared folder of photographs: the lists of what lies in an official tree, or in the shards made from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from common import atomic, files
from common.errors import UserError
from stages.data import datasets, file_lists
from stages.data.records import Declaration, Manifest, Validation
from stages.obtaining import shards, verification
from stages.obtaining.expectations import DECLARE_AGAIN
from stages.obtaining.inspection import Surveyed


def prepare_photographs(declared: Declaration, folder: Path, root: Path, verify: bool = False) -> None:
    """Make `folder` hold the verified lists of the photographs below root/<declared folder>, or of its shards.

    With `verify` every photograph (or archive) is read to its end and compared with what was recorded. UserError if
    the tree is missing or is not the declared one; nothing is written then.
    """
    atomic.discard_partials(folder)
    packed = shards.folder_of(declared, root)
    if shards.are_in(packed):
        surveyed = shards.survey(declared, packed, verify)
        source = {
            "source": f"shards {packed.name}",
            "tree": str(packed.resolve()),
            "shards": shards.indices(packed),
        }
    else:
        known = verification.known_entries(folder)
        surveyed = verification.survey(declared, root, known, verify)
        source = {
            "source": f"folder {declared['folder']}",
            "tree": str((root / declared["folder"]).resolve()),
        }
    manifest = manifest_of(declared, surveyed)
    compare(declared, manifest, source["tree"])
    written = write(folder, surveyed, manifest, {**source, "passed_over": []})
    state = (
        f"prepared in {folder} from {source['tree']}"
        if written
        else f"already prepared and whole in {folder}"
    )
    print(f"{declared['name']}: {state}")


def pack(declared: Declaration, root: Path) -> None:
    """Copy the photographs of root/<declared folder> to shards beside it; every later `prepare` takes those.

    What is whole is kept. UserError as of `prepare_photographs`.
    """
    packed = shards.folder_of(declared, root)
    surveyed = verification.survey(declared, root, verification.known_entries(packed))
    manifest = manifest_of(declared, surveyed)
    compare(declared, manifest, root / declared["folder"])
    if shards.are_in(packed) and datasets.read_manifest(packed) == manifest:
        shards.survey(declared, packed, verify=True)
        print(f"{declared['name']}: the shards in {packed} are there and whole")
        return
    shards.remove(packed)
    write(packed, surveyed, manifest, None)
    shards.write(declared, root / declared["folder"], packed, surveyed)


def manifest_of(declared: Declaration, surveyed: dict[str, Surveyed]) -> Manifest:
    """What decides a result; the official validation split shrinks by what is left out of it."""
    described, validation = verification.described(surveyed), declared["validation"]
    if "official" in validation:
        validation = Validation(official=validation["official"] - surveyed["train"].left_out_last)
    about = {key: declared[key] for key in ("name", "title", "classes", "metric", "layout")}
    overall = datasets.manifest_sha256(described, validation)
    return {**about, "validation": validation, "splits": described, "sha256": overall}


def write(
    folder: Path, surveyed: dict[str, Surveyed], manifest: Manifest, source: dict[str, Any] | None
) -> bool:
    """Write lists, labels and, last, the manifest; returns whether anything was not there yet."""
    written = []
    for split, (entries, labels, *_) in surveyed.items():
        text = file_lists.list_text(entries)
        written += [files.write_text(folder / f"{split}.files.txt", text, only_if_changed=True)]
        written += [files.write_arrays(folder, {f"{split}.labels": labels}, only_if_changed=True)]
    if source is not None:
        written += [files.write_json(folder / "source.json", source, only_if_changed=True)]
    written += [files.write_json(folder / "manifest.json", manifest, only_if_changed=True)]
    return any(written)


def compare(declared: Declaration, manifest: Manifest, where: str | Path) -> None:
    """UserError if a declared checksum of a list or of labels is not the one that was found."""
    for split in datasets.STORED:
        for kind in ("files", "labels"):
            expected, actual = declared["splits"][split].get(kind), manifest["splits"][split][kind]["sha256"]
            if expected not in (None, actual):
                raise UserError(
                    f"the {split} images are not the declared ones: their {kind} differ",
                    expected=f"sha256 {expected}",
                    found=f"sha256 {actual}",
                    where=where,
                    remedy=DECLARE_AGAIN.format(**declared),
                )
