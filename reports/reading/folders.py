"""Where files lie, the options that say so, and the hashes of what a product was made from."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

from common.errors import UserError
from common.files import sha256_bytes
from common.options import add_scale
from common.scales import lineage
from reports.reading.tidy import COLLECT_AGAIN

ROOT = Path(__file__).resolve().parents[2]


class Folders(NamedTuple):
    """Where files lie. With `committed` the tidy results are those under reports/evidence, else those under results."""

    results: Path = Path("results")
    params: Path = Path("params")
    evidence: Path = Path("reports/evidence")
    committed: bool = False

    def tidy(self, exhibit: str, scale: str) -> Path:
        """The folder that `collect` fills, or its committed copy."""
        return self.evidence / scale / exhibit if self.committed else self.results / scale / "tidy" / exhibit

    def mend(self, exhibit: str, scale: str) -> str:
        """What to do about a damaged file of that folder: git has the committed ones."""
        return restore(self.tidy(exhibit, scale)) if self.committed else COLLECT_AGAIN

    @property
    def source(self) -> str:
        """What a printed command needs more, to read the tidy results that these folders read."""
        return " --from evidence" if self.committed else ""

    def rows(self, exhibit: str, scale: str) -> Path:
        """The file without which an exhibit has no results."""
        return self.tidy(exhibit, scale) / "rows.csv"

    def judged(self, exhibit: str, scale: str) -> Path:
        """The file that says what was tested on an exhibit's evidence."""
        return self.results / scale / "judged" / f"{exhibit}.json"

    def inputs(self, exhibit: str, scale: str) -> list[Path]:
        """Every file that an exhibit's evidence is made from."""
        paper = self.params / "paper"
        declared = [
            self.params / "exhibits" / f"{exhibit}.yaml",
            paper / f"{exhibit}.csv",
            paper / "contents.csv",
            *(self.params / "scales" / f"{name}.yaml" for name in lineage(scale)),
        ]
        tidy = self.tidy(exhibit, scale)
        return [
            *declared,
            *(tidy / name for name in ("rows.csv", "provenance.json", "arrays.npz", "curves.csv")),
        ]


def restore(folder: Path) -> str:
    """What to do about a damaged file among committed results."""
    return f"restore what is committed: git restore {folder}"


def check_collected(scale: str, folders: Folders, exhibit: str = "*") -> None:
    """UserError if a scale, or one exhibit of it, has only committed results and `folders` do not read these.

    Without this check all claims would be *not run*, and the page would delete what is committed.
    """
    of_results, committed = folders._replace(committed=False), folders._replace(committed=True)
    if folders.committed or _any_rows(of_results, exhibit, scale) or not _any_rows(committed, exhibit, scale):
        return
    one = "" if exhibit == "*" else f" --exhibit {exhibit}"
    raise UserError(
        f"scale {scale} has no results of your own" + (f" for {exhibit}" if one else ""),
        expected=f"{of_results.rows(exhibit, scale)}, as `python -m stages collect` leaves it",
        found=f"only committed results, {committed.rows(exhibit, scale)}",
        remedy="add --from evidence to read the committed results, or make your own:\n"
        f"python -m stages run --scale {scale}{one}\npython -m stages collect --scale {scale}{one}",
    )


def _any_rows(folders: Folders, exhibit: str, scale: str) -> bool:
    path = folders.rows(exhibit, scale)
    return any(path.parents[1].glob(f"{exhibit}/{path.name}"))


def add_folders(parser: argparse.ArgumentParser, *, has_products: bool = True) -> None:
    """The options that `folders_of` reads, --scale, and --out for a command that has products."""
    add_scale(parser)
    parser.add_argument(
        "--from",
        dest="source",
        choices=("results", "evidence"),
        default="results",
        help="read what `collect` left in --results, or the committed copy in --evidence (default: results)",
    )
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="your own results, by scale (default: results)"
    )
    parser.add_argument(
        "--params",
        type=Path,
        default=Path("params"),
        help="declarations and the paper's values (default: params)",
    )
    parser.add_argument(
        "--evidence",
        type=Path,
        default=Path("reports/evidence"),
        help="committed results, by scale (default: reports/evidence)",
    )
    if has_products:
        parser.add_argument(
            "--out",
            type=Path,
            default=Path("reports/out"),
            help="products go to <out>/<scale> (default: reports/out)",
        )


def folders_of(options: argparse.Namespace) -> Folders:
    """Where the options say that things lie."""
    return Folders(options.results, options.params, options.evidence, options.source == "evidence")


def hashes(paths: list[Path]) -> dict[str, str]:
    """SHA-256 of each file by its folder and name, "none" for an absent one. Equal hashes make equal products."""
    return {
        "/".join(path.parts[-2:]): sha256_bytes(path.read_bytes()) if path.is_file() else "none"
        for path in paths
    }


def code_hash(*places: str) -> str:
    """SHA-256 over the source in some folders or files of this project, "common" or "reports/drawing"."""
    paths = [path for place in places for path in sorted([*(ROOT / place).rglob("*.py"), ROOT / place])]
    return sha256_bytes(b"\0".join(path.read_bytes() for path in paths if path.is_file()))
