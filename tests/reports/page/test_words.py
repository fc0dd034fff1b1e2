"""What stands beside a claim: the paper's words, which effect confirms, and what changed since the freeze."""

import json

import pytest

from reports.page import board, summary
from reports.reading.declarations import load_all
from reports.reading.words import read_words
from tests.reports.conftest import ROOT, refused


def test_every_claim_has_three_to_six_words_and_at_most_25_of_the_paper():
    words = read_words(ROOT / "params")
    declared = {name for one in load_all(ROOT / "params", "smoke") if one.is_papers for name in one.claims}
    assert set(words) == declared
    for name, each in words.items():
        assert 3 <= len(each.short.split()) <= 6 and len(each.quotation.split()) <= 25 and each.section, name
    assert len({each.short for each in words.values()}) == len(words)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"type": "D"}, "above zero confirms"),
        ({"type": "D", "above": 10}, "above +10 confirms"),
        ({"type": "E", "within": {"smoke": 2, "paper": 1}}, "within \N{MINUS SIGN}2 and +2 confirms"),
        ({"type": "R", "of": "every"}, "above zero confirms, in every comparison"),
        ({"type": "D", "all": [{"above": 0}, {"below": 0}]}, "confirmed where all its parts hold"),
        ({"type": "A"}, "exact agreement confirms"),
        ({"type": "report"}, ""),
    ],
)
def test_each_effect_says_which_direction_confirms(body, said):
    assert board.directions([({"X1": body}, "smoke")]) == {"X1": said}


def test_exact_checks_say_why_they_hold_at_every_scale(tmp_path):
    found = [
        {"id": "D4", "type": "A", "verdict": "confirmed"},
        {"id": "D6", "type": "R", "verdict": "inconclusive"},
    ]
    (tmp_path / board.FILE).write_text(json.dumps({"claims": found}))
    said = summary.came_out(board.load(tmp_path, "smoke", []))
    assert said.startswith(
        "Of 2 claims that were tested 1 is confirmed, 0 are contradicted, and 1 is inconclusive."
    )
    assert "exact check of formulae" in said


def test_a_header_of_other_words_is_refused(lab):
    (lab.params / "paper" / "claims.csv").write_text("id,words\n")
    with refused("expected id, short, page, section, quotation found id, words"):
        read_words(lab.params)
