"""Data sets as `prepare` left them, read back and verified.

A prepared data set is a folder with {train,test}.images.npy, {train,test}.labels.npy and manifest.json. For photographs
of all sizes, {train,test}.files.txt lists the files instead (stages/data/file_lists.py).
Images are uint8 (n, height, width, channels) in the official order; labels are int64 (n,), and label i means
classes[i]. A multi-label set has labels (n, classes) of 0, 1 and simclr.labels.UNJUDGED.

Splits: settings are chosen on "validation" after training on "train". Then a model is trained on "train+validation",
which is the stored train, and reads "test" once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from common import files
from common.errors import UserError
from stages.data import file_lists, splits
from stages.data.records import AboutArray, Declaration, Manifest, PreparedSplit, Validation

REPOSITORY = Path(__file__).resolve().parents[2]
STORED = ("train", "test")
KINDS = ("images", "files", "labels")
SPLITS = ("train", "validation", "train+validation", "test")
REMEDY = "run `python -m stages prepare` again: it keeps what is whole and redoes the rest"


def class_count(declared: Declaration | Manifest) -> int:
    """How many classes; a declaration gives either their names, in label order, or only their number."""
    classes = declared["classes"]
    return classes if isinstance(classes, int) else len(classes)


def array_sha256(array: np.ndarray) -> str:
    """SHA-256 over "<dtype> <shape>" and the bytes in C order; the file format around them does not matter.

    The dtype is written little-endian, for example "<i8 (10000,)".
    """
    array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    digest = hashlib.sha256(f"{array.dtype.str} {tuple(array.shape)}\n".encode())
    digest.update(array.reshape(-1).view(np.uint8))
    return digest.hexdigest()


def about_array(array: np.ndarray) -> AboutArray:
    """What a manifest says of an array."""
    return {"dtype": array.dtype.name, "shape": list(array.shape), "sha256": array_sha256(array)}


def combined_sha256(declared: Mapping[str, Any]) -> str:
    """One SHA-256 of all that decides which image is where: the arrays of both splits, and the validation split.

    `declared` has "splits" ({size, images, labels} each) and "validation". A manifest holds the same hash
    when the declared arrays were found. A manifest of photographs hashes its lists, which nothing declares.
    """
    cause = {"splits": declared["splits"], "validation": declared["validation"]}
    return hashlib.sha256(json.dumps(cause, sort_keys=True).encode()).hexdigest()


def manifest_sha256(splits_found: Mapping[str, PreparedSplit], validation: Validation) -> str:
    """`combined_sha256` of what `prepare` found."""
    hashes = {
        split: {"size": one["size"]} | {kind: one[kind]["sha256"] for kind in KINDS if kind in one}
        for split, one in splits_found.items()
    }
    return combined_sha256({"splits": hashes, "validation": validation})


def read_manifest(folder: str | Path) -> Manifest:
    """manifest.json of a prepared data set. UserError if there is none, or one that `prepare` did not write."""
    path = Path(folder) / "manifest.json"
    if not path.is_file():
        raise UserError(
            "no prepared data set here",
            expected="a folder with manifest.json",
            found="a folder without it" if Path(folder).is_dir() else "no such folder",
            where=folder,
            remedy="run `python -m stages prepare --dataset NAME --out FOLDER` first",
        )
    manifest = files.read_json(path)
    try:
        missing = sorted(Manifest.__required_keys__ - manifest.keys())
        found = f"none called {', '.join(missing)}" if missing else _damage(manifest)
    except (AttributeError, KeyError, TypeError) as error:
        found = f"{type(error).__name__}: {error}"
    if found:
        raise UserError(
            "a manifest is not one that `prepare` wrote",
            expected=f"the keys {', '.join(sorted(Manifest.__required_keys__))}, and their checksum",
            found=found,
            where=path,
            remedy=REMEDY,
        )
    return manifest


def _damage(manifest: Manifest) -> str:
    """What is wrong with a manifest: another checksum, or a split without its keys. Nothing if it is whole."""
    for split in STORED:
        one = manifest["splits"][split]
        about = {kind: one[kind] for kind in KINDS if kind in one}
        if not {"labels", "files" if "layout" in manifest else "images"} <= about.keys():
            return f"{split} with {', '.join(one)}"
        for kind, keys in about.items():
            if (
                absent := ({"bytes", "sha256"} if kind == "files" else AboutArray.__required_keys__)
                - keys.keys()
            ):
                return f"{kind} of {split} without {', '.join(sorted(absent))}"
    found = manifest_sha256(manifest["splits"], manifest["validation"])
    return "" if found == manifest["sha256"] else f"sha256 {manifest['sha256']}, and content of {found}"


def load(
    folder: str | Path, split: str, *, limit: int = 0, verify: bool = True, mmap: bool = False
) -> tuple[np.ndarray | file_lists.FileList, np.ndarray]:
    """Images and labels of one of SPLITS of a prepared data set; photographs come as a list of their files.

    `limit` > 0 keeps about so many images of a training split, class-balanced and chosen by address.
    `verify` compares the SHA-256 of both arrays with the manifest (about 0.5 s per gigabyte). Shape and
    dtype are always compared, and so are lists of photographs (each file when it is read).
    With `mmap` images stay on disk, read-only, until they are used, unless some are chosen from them. UserError
    if anything is missing, truncated or not as it was prepared.
    """
    manifest = read_manifest(folder)
    if split not in SPLITS:
        raise UserError("no such split", expected="one of " + ", ".join(SPLITS), found=split)
    stored = "test" if split == "test" else "train"
    if "layout" in manifest:
        images = file_lists.read_split(folder, manifest, stored)
    else:
        images = read_split_array(folder, manifest, stored, "images", verify=verify, mmap=mmap)
    labels = read_split_array(folder, manifest, stored, "labels", verify=verify)
    chosen = _chosen(labels, split, limit, manifest["validation"])
    return (images, labels) if chosen is None else (images[chosen], labels[chosen])


def _chosen(labels: np.ndarray, split: str, limit: int, validation: Validation) -> np.ndarray | None:
    """Indices of the split in the stored arrays; None stands for all of them."""
    chosen = None
    if split in ("train", "validation"):
        chosen = validation_split(labels, validation)[split == "validation"]
    if limit and split.startswith("train"):
        chosen = np.arange(len(labels)) if chosen is None else chosen
        if limit < len(chosen):
            chosen = chosen[splits.limited(labels[chosen], limit)]
    return chosen


def validation_split(labels: np.ndarray, declared: Validation) -> tuple[np.ndarray, np.ndarray]:
    """(train, validation): index arrays into the stored train, as declared.

    {fraction, seed} holds out a class-balanced part by address; {official: n} means that the last n images
    of train are the official validation split.
    """
    if "official" in declared:
        here = np.arange(len(labels))
        return here[: -declared["official"]], here[-declared["official"] :]
    return splits.hold_out(labels, declared["fraction"], declared["seed"])


def read_split_array(
    folder: str | Path,
    manifest: Manifest,
    split: str,
    kind: str,
    *,
    verify: bool = True,
    mmap: bool = False,
) -> np.ndarray:
    """One stored array, `kind` being "images" or "labels", checked against the manifest (UserError)."""
    path = Path(folder) / f"{split}.{kind}.npy"
    declared = manifest["splits"][split][kind]
    try:
        array = np.load(path, mmap_mode="r" if mmap else None, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(
            "an array cannot be read",
            expected=f"{declared['dtype']} {declared['shape']} as .npy",
            found=error,
            where=path,
            remedy=REMEDY,
        ) from error
    found = {"dtype": array.dtype.name, "shape": list(array.shape)}
    if found != {name: declared[name] for name in found}:
        raise UserError(
            "an array is not the one that was prepared",
            expected=declared,
            found=found,
            where=path,
            remedy=REMEDY,
        )
    if verify and (digest := array_sha256(array)) != declared["sha256"]:
        raise UserError(
            "an array is damaged",
            expected=f"sha256 {declared['sha256']}",
            found=f"sha256 {digest}",
            where=path,
            remedy=REMEDY,
        )
    return array
