"""Obtain data sets, verify them, and store them as plain arrays that can be memory-mapped, or list their photographs.

    python -m stages prepare --scale smoke                 what its plan reads, to results/smoke/data/
    python -m stages prepare --dataset cifar10 --out DIR   one data set, to DIR/cifar10/
    python -m stages prepare --dataset imagenet --shards   its photographs to tar archives, data/imagenet.shards/

Sources are tried in the order of params/datasets.yaml; the first whose arrays have the declared checksums is
taken. Photographs of all sizes stay in the folder that their official archive unpacks to, below --root; what is
written is the list of their splits. What is already there and whole is kept, so the command may be repeated at any
time. With --verify every photograph is read again and compared with what was recorded of it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from common import files
from common.errors import UserError, command
from stages.data import datasets
from stages.data.records import Declaration, Manifest, PreparedSplit
from stages.obtaining.declarations import DECLARATIONS, read_declaration
from stages.obtaining.formats import FORMATS, Arrays
from stages.obtaining.sources import describe, open_source
from stages.obtaining.trees import pack, prepare_photographs


@command
def main(arguments: list[str] | None = None) -> None:
    """Parse the command line; prepare one data set, or those of a scale."""
    parser = argparse.ArgumentParser(prog="python -m stages prepare", description=__doc__.splitlines()[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--scale", help="prepare what the plan of this scale reads, into RESULTS/<scale>/data/")
    what.add_argument("--dataset", help="prepare this one of params/datasets.yaml, into OUT/<dataset>/")
    parser.add_argument("--out", type=Path, help="with --dataset, and required there")
    parser.add_argument("--results", default=Path("results"), type=Path, help="with --scale (results)")
    parser.add_argument("--root", default=Path("data"), type=Path, help="where your own downloads are (data)")
    parser.add_argument(
        "--verify",
        action="store_true",
        help="read every photograph to its end, and compare it with what was recorded",
    )
    parser.add_argument(
        "--shards",
        action="store_true",
        help="copy photographs to tar archives in ROOT, which are read from then on",
    )
    parser.add_argument("--declarations", default=DECLARATIONS, type=Path, help="params/datasets.yaml")
    options = parser.parse_args(arguments)
    if options.dataset and options.out is None and not options.shards:
        parser.error("--dataset needs --out, or --shards")
    if options.scale:
        folder = options.results / options.scale / "data"
        names = planned(options.scale)
        if options.shards:
            pack_all(names, options.root, options.declarations)
        prepare_all(names, folder, options.root, options.declarations, options.verify)
        return
    declared = read_declaration(options.dataset, options.declarations)
    if options.shards:
        pack(_photographs(declared), options.root)
    if options.out is not None:
        prepare(declared, options.out / options.dataset, options.root, options.verify)


def planned(scale: str) -> list[str]:
    """The data sets that the plan of a scale reads."""
    from stages.planning.plans import all_plans, datasets_of

    return datasets_of(all_plans(scale))


def _photographs(declared: Declaration) -> Declaration:
    """The declaration, if it is one of photographs."""
    if "layout" not in declared:
        raise UserError(
            "only photographs can be put into shards",
            expected="a data set with a layout",
            found=f"{declared['name']}, which `prepare` stores as two arrays",
            remedy="leave out --shards",
        )
    return declared


def pack_all(names: list[str], root: Path, declarations: Path = DECLARATIONS) -> None:
    """Put into shards what of these data sets are photographs and lie below root."""
    for name in names:
        declared = read_declaration(name, declarations)
        if "layout" in declared and (root / declared["folder"]).is_dir():
            pack(declared, root)


def prepare_all(
    names: list[str], folder: Path, root: Path, declarations: Path = DECLARATIONS, verify: bool = False
) -> None:
    """Prepare each data set into folder/<name>/, and say in folder/manifest.json which: {prepared, missing}.

    One that cannot be had is named there and its exhibits stay partial; UserError only if none can be had.
    """
    prepared, missing = {}, {}
    for name in names:
        try:
            prepare(read_declaration(name, declarations), folder / name, root, verify)
            prepared[name] = datasets.read_manifest(folder / name)["sha256"]
        except UserError as error:
            print(f"missing: {name}\n{error}", flush=True)
            missing[name] = error
    if missing and not prepared:
        raise next(iter(missing.values()))
    # written even if unchanged: an engine that compares times must see that the stage has run
    files.write_json(folder / "manifest.json", {"prepared": prepared, "missing": sorted(missing)})


def prepare(declared: Declaration, folder: Path, root: Path, verify: bool = False) -> None:
    """Make `folder` hold the declared data set, by keeping what is whole or by obtaining it from a source.

    Arrays are always compared with their checksums, photographs with `verify` too. UserError, with a line for every
    source, if none has it.
    """
    if "layout" in declared:
        prepare_photographs(declared, folder, root, verify)
        return
    if any(
        (datasets.REPOSITORY / source["path"]).resolve() == folder.resolve()
        for source in declared.get("sources", [])
        if source["kind"] == "repository"
    ):
        raise UserError(
            "this would overwrite the data set's own source", found=folder, remedy="choose another --out"
        )
    files.discard_partials(folder)
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
    """The manifest for what the folder holds, if that is whole and as declared; else None, said why."""
    if not (folder / "manifest.json").is_file():
        return None
    try:
        found = files.read_json(folder / "manifest.json")
        for split in datasets.STORED:
            for kind in ("images", "labels"):
                datasets.read_split_array(folder, found, split, kind, mmap=True)
        _compare(declared, found["splits"])
    except (UserError, KeyError, TypeError) as error:
        print(f"{declared['name']}: {folder} is not as declared and is made again\n  {error}")
        return None
    return _manifest(declared, found["splits"])


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


def _compare(declared: Declaration, found: dict[str, PreparedSplit]) -> None:
    for split in datasets.STORED:
        for kind in ("images", "labels"):
            expected, got = declared["splits"][split].get(kind), found[split][kind]["sha256"]
            if expected is None:
                print(f"{declared['name']}: no checksum is declared for {split} {kind}; found sha256 {got}")
            elif expected != got:
                raise UserError(
                    f"{split} {kind} are not the declared ones",
                    expected=f"sha256 {expected}",
                    found=f"sha256 {got}",
                    remedy="see where this source got them",
                )


def _manifest(declared: Declaration, found: dict[str, PreparedSplit]) -> Manifest:
    """What decides a result, and nothing about where the bytes came from: equal from every source."""
    about = {key: declared[key] for key in ("name", "title", "classes", "metric", "validation")}
    return {**about, "splits": found, "sha256": datasets.manifest_sha256(found, declared["validation"])}
