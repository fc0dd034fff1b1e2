"""Where things lie, the options by which a command is told, and the hashes of what a product was made from."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

from common.files import sha256_bytes

ROOT = Path(__file__).resolve().parents[2]


class Folders(NamedTuple):
    """Where things lie. With `committed` tidy results are those under reports/evidence, else those under results."""

    results: Path = Path("results")
    params: Path = Path("params")
    evidence: Path = Path("reports/evidence")
    committed: bool = False

    def tidy(self, exhibit: str, scale: str) -> Path:
        """The folder that `collect` fills, or its committed copy."""
        return self.evidence / scale / exhibit if self.committed else self.results / scale / "tidy" / exhibit

    def rows(self, exhibit: str, scale: str) -> Path:
        """The file without which an exhibit has no results."""
        return self.tidy(exhibit, scale) / "rows.csv"

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
        tidy = self.tidy(exhibit, scale)
        return [
            *declared,
            *(tidy / name for name in ("rows.csv", "provenance.json", "arrays.npz", "curves.csv")),
        ]


def add_folders(parser: argparse.ArgumentParser) -> None:
    """The options that `folders_of` reads, and --scale and --out."""
    parser.add_argument("--scale", help="one of params/scales/ (default: params/scale.yaml)")
    parser.add_argument(
        "--from",
        dest="source",
        choices=("results", "evidence"),
        default="results",
        help="what `collect` left under results, or its committed copy",
    )
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="where tidy/<exhibit> lies, by scale"
    )
    parser.add_argument(
        "--params", type=Path, default=Path("params"), help="declarations and the paper's values"
    )
    parser.add_argument(
        "--evidence", type=Path, default=Path("reports/evidence"), help="committed results, by scale"
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
