"""The README's board is what its command prints: no number in it was written by hand."""

import re

from common.run_records import RECORDS, read_records
from reports.reading.completion import planned
from reports.reading.folders import Folders
from reports.verdict import judge_scale, overview
from tests.reports.conftest import ROOT

BOARD = re.compile(
    r"<!-- board: python -m reports\.verdict --scale (\w+) .*?-->\n(.*?)<!-- end of board -->", re.S
)


def test_the_readme_has_the_board_of_the_committed_evidence(tmp_path):
    scale, shown = BOARD.search((ROOT / "README.md").read_text()).groups()
    evidence = ROOT / "reports" / "evidence"
    if not (evidence / scale).is_dir():
        assert shown.startswith("Not run yet")
        return
    found = judge_scale(scale, Folders(tmp_path, ROOT / "params", evidence, committed=True))
    assert shown.strip() == "\n".join(overview(found)).strip()


def test_the_readme_says_how_far_the_scale_is_and_how_long_it_took():
    text = " ".join((ROOT / "README.md").read_text().split())
    scale = BOARD.search((ROOT / "README.md").read_text())[1]
    records = read_records(ROOT / "reports/evidence" / scale / RECORDS)
    runs = {run.key for some in planned(ROOT / "params", scale).values() for run in some.values()}
    hours = sum(float(row["seconds"]) for row in records) / 3600
    so_far = (
        f"{len(records):,} of {len(runs):,} runs so far"
        if len(records) < len(runs)
        else f"all {len(runs):,} runs"
    )
    assert f"{so_far}, {hours:.0f} hours of one process" in text


def test_the_board_has_every_claim_once_by_part_and_verdict(tmp_path):
    found = judge_scale(
        "smoke", Folders(tmp_path, ROOT / "params", ROOT / "reports" / "evidence", committed=True)
    )
    said, _, head, _, *rows = overview(found)
    names = [name for row in rows for cell in row.split("|")[2:] for name in cell.split()]
    assert sorted(names) == sorted(claim["id"] for claim in found["claims"] if claim["is_papers"])
    assert "confirmed" in head and re.match(r"71 claims at scale smoke: \d+ confirmed, ", said)
    larger = [claim for claim in found["claims"] if claim["reason"].startswith("makes sense from scale")]
    assert len(larger) == 13 and said.endswith("(13 of those not run make sense at a larger scale only).")
