"""Where things lie, the options by which a command is told, and the hashes of what a product was made from."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

from common.files import sha256_bytes

ROOT = Path(__file__).resolve().parents[2]


class Folders(NamedTuple):
    """Where things lie. With `committed` the rows are those of reports/evidence, else those under results."""

    results: Path = Path("results")
    params: Path = Path("params")
    evidence: Path = Path("reports/evidence")
    committed: bool = False

    def tidy(self, exhibit: str, scale: str) -> Path:
        """The folder that `collect` fills."""
        return self.results / scale / "tidy" / exhibit

    def rows(self, exhibit: str, scale: str) -> Path:
        """The file without which an exhibit has no results."""
        return (
            self.evidence / scale / f"{exhibit}.csv"
            if self.committed
            else self.tidy(exhibit, scale) / "rows.csv"
        )

    def plan(self, exhibit: str, scale: str) -> Path:
        """What every run of an exhibit is bound to."""
        return self.params / "plan" / scale / f"{exhibit}.yaml"

    def judged(self, exhibit: str, scale: str) -> Path:
        """Where what was tested on an exhibit's evidence is left."""
        return self.results / scale / "judged" / f"{exhibit}.json"

    def inputs(self, exhibit: str, scale: str) -> list[Path]:
        """Every file that an exhibit's evidence is made from."""
        paper = self.params / "paper"
        declared = [
            self.params / "exhibits" / f"{exhibit}.yaml",
            paper / f"{exhibit}.csv",
            paper / "contents.csv",
        ]
        rows = self.rows(exhibit, scale)
        beside = [rows.with_name(name) for name in ("provenance.json", "arrays.npz")]
        return [*declared, rows, *([self.plan(exhibit, scale)] if self.committed else beside)]


def add_folders(parser: argparse.ArgumentParser) -> None:
    """The options that `folders_of` reads, and --scale and --out."""
    parser.add_argument("--scale", required=True, help="smoke, reduced, cifar10, paper, or one of your own")
    parser.add_argument(
        "--from",
        dest="source",
        choices=("results", "evidence"),
        default="results",
        help="what `collect` left under results, or the rows that are committed",
    )
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="where tidy/<exhibit> lies, by scale"
    )
    parser.add_argument(
        "--params", type=Path, default=Path("params"), help="declarations and the paper's values"
    )
    parser.add_argument(
        "--evidence", type=Path, default=Path("reports/evidence"), help="committed rows, by scale"
    )
    parser.add_argument("--out", type=Path, default=Path("reports/out"), help="products go to <out>/<scale>")


def folders_of(options: argparse.Namespace) -> Folders:
    """Where the options say that things lie."""
    return Folders(options.results, options.params, options.evidence, options.source == "evidence")


def hashes(paths: list[Path]) -> dict[str, str]:
    """SHA-256 of each file by its folder and name, "none" for one that is not there: equal ones make equal products."""
    return {
        "/".join(path.parts[-2:]): sha256_bytes(path.read_bytes()) if path.is_file() else "none"
        for path in paths
    }


def code_hash(*places: str) -> str:
    """SHA-256 over the source in some folders or files of this project, "common" or "reports/drawing"."""
    paths = [path for place in places for path in sorted([*(ROOT / place).rglob("*.py"), ROOT / place])]
    return sha256_bytes(b"\0".join(path.read_bytes() for path in paths if path.is_file()))
