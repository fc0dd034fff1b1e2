"""Obtain data sets, verify them, and store them as plain arrays that can be memory-mapped, or list their photographs.

    python -m stages prepare --scale smoke                 the data sets of a scale, to results/smoke/data/
    python -m stages prepare --dataset cifar10 --out DIR   one data set, to DIR/cifar10/
    python -m stages prepare --dataset imagenet --shards   its photographs to tar archives, data/imagenet.shards/

Sources are tried in the order of params/datasets.yaml, and the first whose arrays have the declared checksums is taken.
Photographs of all sizes stay in the folder that their official archive unpacks to, below --root; only the list of their
splits is written. Whatever is there and whole is kept, so the command may be repeated at any time. With --verify every
photograph is read again and compared with its recorded checksum.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from common import files, scales
from common.errors import UserError, command, is_refusal
from stages.data import datasets
from stages.data.records import Declaration
from stages.obtaining import appeared
from stages.obtaining.arrays import prepare_arrays
from stages.obtaining.declarations import DECLARATIONS, read_declaration
from stages.obtaining.trees import pack, prepare_photographs
from stages.planning.plans import all_plans, datasets_of

STAYS_PARTIAL = """\
missing: {names}. What needs them stays partial.
  what to do: bring them as said above, then `make reports` or `make repro` finds them. Over a network they are tried
              again by `python -m stages prepare --scale {scale}`."""


@command
def main(arguments: list[str] | None = None) -> None:
    """Parse the command line; prepare one data set, or those of a scale."""
    parser = argparse.ArgumentParser(prog="python -m stages prepare", description=__doc__.splitlines()[0])
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--scale",
        help="prepare the data sets of this scale, into RESULTS/<scale>/data/ (default: params/scale.yaml)",
    )
    what.add_argument("--dataset", help="prepare this data set of params/datasets.yaml, into OUT/<dataset>/")
    parser.add_argument("--out", type=Path, help="the folder for --dataset; not needed with --shards")
    parser.add_argument(
        "--results", default=Path("results"), type=Path, help="the folder for --scale (default: results)"
    )
    parser.add_argument(
        "--root", default=downloads(), type=Path, help="where your own downloads are (default: data)"
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="read every photograph to its end, and compare it with the recorded checksum",
    )
    parser.add_argument(
        "--shards",
        action="store_true",
        help="copy the photographs to tar archives in ROOT, and read them from there from now on",
    )
    parser.add_argument(
        "--declarations",
        default=DECLARATIONS,
        type=Path,
        help="the file that declares data sets (default: params/datasets.yaml)",
    )
    options = parser.parse_args(arguments)
    if options.dataset and options.out is None and not options.shards:
        parser.error("--dataset needs --out, or --shards")
    if not options.dataset:
        scale = scales.check_scale(options.scale or scales.default())
        folder, names = options.results / scale / "data", planned(scale)
        if options.shards:
            pack_all(names, options.root, options.declarations)
        if missing := prepare_all(names, folder, options.root, options.declarations, options.verify):
            print(STAYS_PARTIAL.format(names=", ".join(missing), scale=scale), flush=True)
        return
    declared = read_declaration(options.dataset, options.declarations)
    if options.shards:
        pack(_photographs(declared), options.root)
    if options.out is not None:
        prepare(declared, options.out / options.dataset, options.root, options.verify)


def downloads() -> Path:
    """data/; in a copy that `dvc exp run --temp` works in, that of the project, because git carries none of it."""
    for folder in Path.cwd().parents:  # .dvc/tmp/exps/standalone/tmpq2/, or without `standalone` from a queue
        if folder.parts[-3:] == (".dvc", "tmp", "exps"):
            return folder.parents[2] / "data"
    return Path("data")


def planned(scale: str) -> list[str]:
    """The data sets that the plan of a scale reads."""
    return datasets_of(all_plans(scale))


def _photographs(declared: Declaration) -> Declaration:
    """The declaration, if it declares photographs. UserError otherwise."""
    if "layout" not in declared:
        raise UserError(
            "only photographs can be put into shards",
            expected="a data set with a layout",
            found=f"{declared['name']}, which `prepare` stores as two arrays",
            remedy="leave out --shards",
        )
    return declared


def pack_all(names: list[str], root: Path, declarations: Path = DECLARATIONS) -> None:
    """Copy to shards the photographs of these data sets, as far as they lie below root."""
    for name in names:
        declared = read_declaration(name, declarations)
        if "layout" in declared and (root / declared["folder"]).is_dir():
            pack(declared, root)


def prepare_all(
    names: list[str], folder: Path, root: Path, declarations: Path = DECLARATIONS, verify: bool = False
) -> list[str]:
    """Prepare each data set into folder/<name>/, and say in folder/manifest.json which: {prepared, missing}.

    A data set that cannot be obtained is named there, and returned, and its exhibits stay partial. UserError if none
    can be, and for a full disk or whatever else the operating system refuses: that says nothing of a data set.
    """
    prepared, missing, seen = {}, {}, []
    for name in names:
        declared = read_declaration(name, declarations)
        places = appeared.look(declared, folder, root)
        try:
            prepare(declared, folder / name, root, verify)
            prepared[name] = datasets.read_manifest(folder / name)["sha256"]
        except UserError as error:
            if is_refusal(error):
                raise
            print(f"missing: {name}\n{error}", flush=True)
            missing[name] = error
            seen.append(places)
    if missing and not prepared:
        raise next(iter(missing.values()))
    appeared.remember(folder, seen)
    # Written even if unchanged: an engine that compares times must see that the stage has run.
    files.write_json(folder / "manifest.json", {"prepared": prepared, "missing": sorted(missing)})
    return sorted(missing)


def prepare(declared: Declaration, folder: Path, root: Path, verify: bool = False) -> None:
    """Make `folder` hold the declared data set: keep what is whole, or obtain it from a source.

    Arrays are always compared with their checksums, photographs only with `verify`. UserError, with a line for every
    source, if none of them has it.
    """
    if "layout" in declared:
        prepare_photographs(declared, folder, root, verify)
        return
    prepare_arrays(declared, folder, root)
