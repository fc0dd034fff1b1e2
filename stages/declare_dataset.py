"""Declare a folder of your own images in params/datasets.yaml, so that runs can be bound to them.

    python -m stages declare_dataset --folder data/mine --name mine

The folder has a folder per class, or train/, val/ and test/ with a folder per class each (layout `imagefolder`, see
docs/own_images.md). Every image is decoded once. The entry has the sizes of the splits and the checksums of their
lists, which hold the SHA-256 of every file. So `prepare` refuses a folder that has changed since, and runs on other
images are other runs. Everything else in the file stays as it is.
"""

from __future__ import annotations

import argparse
import io
import os
import re
from pathlib import Path
from typing import Any

from common import files
from common.documents import read_yaml_with_lines
from common.errors import UserError, command
from stages.data import datasets
from stages.data.records import Declaration, Validation
from stages.obtaining import verification
from stages.obtaining.declarations import read_declarations
from stages.obtaining.layouts import imagefolder
from stages.obtaining.verification import Surveyed
from stages.planning.declaration import PARAMS

LAYOUT = "imagefolder"
NAME = re.compile(r"[a-z][a-z0-9_]*")


@command
def main(arguments: list[str] | None = None) -> None:
    """`python -m stages declare_dataset --folder FOLDER --name NAME`; --help has the rest."""
    options = _parser().parse_args(arguments)
    check_name(options.name, options.declarations, options.replace)
    declared = declaration(options)
    write_entry(options.declarations, options.name, {key: declared[key] for key in declared if key != "name"})
    sizes = ", ".join(f"{split} {one['size']:,}" for split, one in declared["splits"].items())
    print(f"{options.name}: {len(declared['classes'])} classes, {sizes}; declared in {options.declarations}")
    print(
        f"Bind it in a recipe with `dataset.name = '{options.name}'`; docs/own_images.md goes on from here."
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m stages declare_dataset", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--folder", required=True, type=Path, help="the folder of your images, with a folder per class"
    )
    parser.add_argument(
        "--name", required=True, help="the name that recipes use: small letters, digits and _"
    )
    parser.add_argument("--title", help="the name that figures and messages use (default: --name)")
    parser.add_argument(
        "--root", default=Path("data"), type=Path, help="where `prepare` looks for data (default: data)"
    )
    parser.add_argument(
        "--test-fraction",
        default=0.2,
        type=_fraction,
        help="the part of the images to hold out for testing, if there is no test folder (default: 0.2)",
    )
    parser.add_argument(
        "--validation-fraction",
        default=0.1,
        type=_fraction,
        help="the part of the rest to hold out for validation (default: 0.1)",
    )
    parser.add_argument(
        "--seed", default=0, type=_seed, help="the seed that chooses the images to hold out (default: 0)"
    )
    parser.add_argument(
        "--skip-undecodable",
        action="store_true",
        help="leave out the files that cannot be decoded, and list them",
    )
    parser.add_argument("--replace", action="store_true", help="replace your earlier entry of this name")
    parser.add_argument(
        "--declarations",
        default=PARAMS / "datasets.yaml",
        type=Path,
        help="the file to write to (default: params/datasets.yaml)",
    )
    return parser


def _fraction(text: str) -> float:
    if not 0 < (fraction := float(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return fraction


def _seed(text: str) -> int:
    if (seed := int(text)) < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return seed


def check_name(name: str, declarations: Path, replace: bool) -> None:
    """UserError if the name cannot be one, or is taken by a data set that may not be replaced."""
    if not NAME.fullmatch(name):
        raise UserError(
            "not a name for a data set",
            expected="small letters, digits and _, the first a letter",
            found=name,
            remedy="choose another --name; --title may be anything",
        )
    taken = read_declarations(declarations).get(name)
    if taken and not (replace and taken.get("layout") == LAYOUT):
        raise UserError(
            f"a data set is called `{name}` already",
            expected="a new name, or --replace for an entry that this command wrote",
            found=taken["title"],
            where=declarations,
            remedy="choose another --name",
        )


def declaration(options: argparse.Namespace) -> Declaration:
    """The entry for the folder, with `name`. Every image is looked at."""
    tree = options.folder
    if not tree.is_dir():
        raise UserError(
            "no such folder", expected="a folder with a folder of images per class", found="none", where=tree
        )
    parts, classes = imagefolder.parts_of(tree), imagefolder.class_names(tree)
    if len(classes) < 2:
        raise UserError(
            "there are no classes to tell apart",
            expected="two or more folders, each with the images of one class",
            found=", ".join(classes) or "no folder",
            where=tree / parts["train"],
            remedy="sort the images into a folder per class; for pretraining alone any two groups will do",
        )
    declared: Declaration = {
        "name": options.name,
        "title": options.title or options.name,
        "classes": classes,
        "image": None,
        "metric": "top1",
        "folder": _below(tree, options.root),
        "layout": LAYOUT,
        "splits": {},
        "validation": {"fraction": options.validation_fraction, "seed": options.seed},
        "by_hand": f"These are your own images: bring back their folder, {tree}.\n",
    }
    if len(parts) == 1:
        declared["hold_out_test"] = {"fraction": options.test_fraction, "seed": options.seed}
    if options.skip_undecodable:
        declared["undecodable"] = "skip"
    return _with_splits(declared, tree)


def _with_splits(declared: Declaration, tree: Path) -> Declaration:
    """The declaration with the actual sizes and checksums, and with the validation split if the folder has one."""
    listing = imagefolder.listing(tree, declared)
    declared["splits"] = {split: {"size": len(samples)} for split, samples in listing.items()}
    parts = imagefolder.parts_of(tree)
    if {"val", "test"} <= parts.keys():
        official = sum(path.startswith(f"{parts['val']}/") for path, _ in listing["train"])
        declared["validation"] = {"official": official}
    surveyed = verification.hold(listing, declared, tree, {})
    for split, one in verification.described(surveyed).items():
        declared["splits"][split] |= {"files": one["files"]["sha256"], "labels": one["labels"]["sha256"]}
    if declared.pop("undecodable", None) and (
        left_out := [path for one in surveyed.values() for path in one.left_out]
    ):
        # These may be left out; a file that breaks later is still an error.
        declared["undecodable"] = left_out
    _check_validation(surveyed["train"], declared["validation"], tree)
    return declared


def _check_validation(train: Surveyed, validation: Validation, tree: Path) -> None:
    """UserError if training or validation would have no image. Better now than in the middle of a training."""
    parts = datasets.validation_split(train.labels, validation)
    if not all(map(len, parts)):
        raise UserError(
            "training and validation both need images",
            expected="one or more in each",
            found=" and ".join(str(len(part)) for part in parts),
            where=tree,
        )


def _below(folder: Path, root: Path) -> str:
    """The folder as the declaration names it: relative to root if it lies there, else by its whole path."""
    # Links are not resolved: data/mine may be a link to a larger disk, and still be called data/mine.
    whole, above = Path(os.path.abspath(folder)), Path(os.path.abspath(root))
    return str(whole.relative_to(above)) if whole.is_relative_to(above) and whole != above else str(whole)


def write_entry(path: Path, name: str, entry: dict[str, Any]) -> None:
    """Put the entry at the end of the file, or replace the entry of this name. Every other byte stays."""
    from ruamel.yaml import YAML

    text = path.read_text("utf-8")
    expected = {**files.read_yaml(path), name: entry}
    lines = text.splitlines(keepends=True)
    start, end = _lines_of(path, name, lines)
    before, after = "".join(lines[:start]), "".join(lines[end:])
    blank = "" if not before or before.endswith("\n\n") else "\n" if before.endswith("\n") else "\n\n"
    text = before + blank + _as_yaml({name: entry}) + ("\n" if after.strip() else "") + after
    if YAML(typ="safe").load(text) != expected:
        raise UserError(
            "the entry cannot be written without changing others",
            expected="a file in block style, as in the repository",
            found="another style",
            where=path,
            remedy="add this entry by hand:\n" + _as_yaml({name: entry}),
        )
    files.write_text(path, text)


def _lines_of(path: Path, name: str, lines: list[str]) -> tuple[int, int]:
    """The lines [start, end) of an entry, or the end of the file. Comments above the next entry belong to that one."""
    document = read_yaml_with_lines(path)
    if name not in document:
        return len(lines), len(lines)
    start = document.lc.key(name)[0]
    following = [line for key in document if (line := document.lc.key(key)[0]) > start]
    end = min(following, default=len(lines))
    while following and end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
        end -= 1
    return start, end


def _as_yaml(value: dict[str, Any]) -> str:
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.sort_base_mapping_type_on_output, yaml.width = False, False, 110
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    yaml.dump(value, stream)
    return stream.getvalue()
