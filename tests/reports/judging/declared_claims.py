"""The paper's claims as the repository declares them, by id: (exhibit, claim)."""

import csv
from pathlib import Path

from ruamel.yaml import YAML

from reports.judging.claim import Claim, parse

ROOT = Path(__file__).resolve().parents[3]
PAPER = ROOT / "params" / "paper"
FILES = sorted((ROOT / "params" / "exhibits").glob("*.yaml"))
PAPERS = {row[0] for row in csv.reader((PAPER / "contents.csv").read_text().splitlines())}


def claims() -> dict[str, tuple[str, Claim]]:
    found: dict[str, tuple[str, Claim]] = {}
    for path in (path for path in FILES if path.stem in PAPERS):
        for claim in parse(YAML(typ="safe").load(path.read_text()).get("claims", {})):
            assert claim.id not in found, f"{claim.id} is declared by {found[claim.id][0]} and {path.stem}"
            found[claim.id] = (path.stem, claim)
    return found
