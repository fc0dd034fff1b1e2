"""A prepared folder of images of one size: the arrays of the first source that has exactly what is declared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from common import atomic, files
from common.errors import UserError
from stages.data import datasets
from stages.data.records import Declaration, Manifest, PreparedSplit
from stages.obtaining.formats import FORMATS, Arrays
from stages.obtaining.sources import describe, open_source


def prepare_arrays(declared: Declaration, folder: Path, root: Path) -> None:
    """Make `folder` hold the arrays of the data set, by keeping what is whole or by obtaining it from a source.

    UserError, with a line for every source, if none has it.
    """
    if any(
        (datasets.REPOSITORY / source["path"]).resolve() == folder.resolve()
        for source in declared.get("sources", [])
        if source["kind"] == "repository"
    ):
        raise UserError(
            "this would overwrite the data set's own source", found=folder, remedy="choose another --out"
        )
    atomic.discard_partials(folder)
    manifest = _kept(declared, folder)
    if manifest is not None:
        files.write_json(folder / "manifest.json", manifest, only_if_changed=True)
        print(f"{declared['name']}: already prepared and whole in {folder}")
        return
    arrays, source, passed_over = _obtain(declared, root)
    for split, pair in arrays.items():
        named = {f"{split}.{kind}": array for kind, array in zip(("images", "labels"), pair, strict=True)}
        files.write_arrays(folder, named, only_if_changed=True)
    files.write_json(folder / "source.json", {"source": source, "passed_over": passed_over})
    # last, because a manifest says that all else is there
    files.write_json(folder / "manifest.json", _manifest(declared, _found(arrays)), only_if_changed=True)
    print(f"{declared['name']}: prepared in {folder} from {source}")


def _kept(declared: Declaration, folder: Path) -> Manifest | None:
    """The manifest of what the folder holds if that is whole and as declared; else prints why not, and None."""
    if not (folder / "manifest.json").is_file():
        return None
    try:
        manifest = files.read_json(folder / "manifest.json")
        for split in datasets.STORED:
            for kind in ("images", "labels"):
                datasets.read_split_array(folder, manifest, split, kind, mmap=True)
        _compare(declared, manifest["splits"])
    except (UserError, KeyError, TypeError) as error:
        print(f"{declared['name']}: {folder} is not as declared and is made again\n  {error}")
        return None
    return _manifest(declared, manifest["splits"])


def _obtain(declared: Declaration, root: Path) -> tuple[dict[str, Arrays], str, list[dict[str, str]]]:
    passed_over: list[dict[str, str]] = []
    for source in declared.get("sources", []):
        try:
            arrays = read_source(source, declared, root)
            _compare(declared, _found(arrays))
            return arrays, describe(source), passed_over
        except UserError as error:
            print(
                f"{declared['name']}: not from {describe(source)}\n  {error}".replace("\n", "\n  "),
                flush=True,
            )
            passed_over.append({"source": describe(source), "reason": str(error)})
    raise UserError(
        f"no source has the data set {declared['name']}",
        expected=declared["title"],
        found="\n".join(f"{one['source']}: {one['reason'].splitlines()[0]}" for one in passed_over)
        or "no source",
        where=root,
        remedy=declared.get("by_hand", "").strip(),
    )


def read_source(source: dict[str, Any], declared: Declaration, root: Path) -> dict[str, Arrays]:
    """The arrays of both splits from one source: {split: (images, labels)}. UserError if it lacks them."""
    read, reader = open_source(source, root), FORMATS[source["format"]]
    arrays = {split: reader(read, source["splits"][split], declared) for split in datasets.STORED}
    for split, (images, labels) in arrays.items():
        _check_content(images, labels, split, declared)
    return arrays


def _check_content(images: np.ndarray, labels: np.ndarray, split: str, declared: Declaration) -> None:
    size = declared["splits"][split]["size"]
    if images.shape != (size, *declared["image"]) or len(labels) != size:
        raise UserError(
            f"{split} has another size",
            expected=f"{size} images of {declared['image']} and labels",
            found=f"images {images.shape}, labels {labels.shape}",
        )
    classes = datasets.class_count(declared)
    if labels.min() < 0 or labels.max() >= classes:
        raise UserError(
            f"{split} has labels outside the classes",
            expected=f"0 to {classes - 1}",
            found=f"{labels.min()} to {labels.max()}",
        )


def _found(arrays: dict[str, Arrays]) -> dict[str, PreparedSplit]:
    """What a manifest says of arrays, in the form of the declaration."""
    return {
        split: {
            "size": len(labels),
            "images": datasets.about_array(images),
            "labels": datasets.about_array(labels),
        }
        for split, (images, labels) in arrays.items()
    }


def _compare(declared: Declaration, splits: dict[str, PreparedSplit]) -> None:
    for split in datasets.STORED:
        for kind in ("images", "labels"):
            expected, got = declared["splits"][split].get(kind), splits[split][kind]["sha256"]
            if expected is None:
                print(f"{declared['name']}: no checksum is declared for {split} {kind}; found sha256 {got}")
            elif expected != got:
                raise UserError(
                    f"{split} {kind} are not the declared ones",
                    expected=f"sha256 {expected}",
                    found=f"sha256 {got}",
                    remedy="this source has another version of the data set; remove it, so that the next one is tried",
                )


def _manifest(declared: Declaration, splits: dict[str, PreparedSplit]) -> Manifest:
    """What decides a result, and nothing about where the bytes came from: equal from every source."""
    about = {key: declared[key] for key in ("name", "title", "classes", "metric", "validation")}
    return {**about, "splits": splits, "sha256": datasets.manifest_sha256(splits, declared["validation"])}
