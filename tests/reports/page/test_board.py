"""The verdict board: the file's own verdicts, in the paper's order, and errors that say how to judge again."""

import json

import pytest

from reports.page import board
from reports.page.directions import Direction
from reports.page.phrases import MINUS
from tests.reports.conftest import flat, refused

EXHIBITS = ["figure_05", "table_01", "figure_08", "figure_09"]


def load(folder, *claims, exhibits=EXHIBITS, said=None):
    (folder / board.FILE).write_text(json.dumps({"claims": claims}))
    return board.load(folder, "smoke", exhibits, said)


def one(folder, **fields):
    (claim,) = load(folder, {"id": "A1", "verdict": "confirmed"} | fields)
    return claim


def test_without_a_file_nothing_is_judged(tmp_path):
    assert board.load(tmp_path, "smoke", EXHIBITS) is None


def test_claims_go_by_exhibit_and_then_as_in_the_file(tmp_path):
    homes = {"Z": None, "E": "figure_09", "C2": "figure_08", "C1": "figure_08", "A": "figure_05"}
    found = load(
        tmp_path, *[{"id": name, "exhibit": home, "verdict": "report"} for name, home in homes.items()]
    )
    assert [claim.id for claim in found] == ["A", "C2", "C1", "E", "Z"]


def test_every_verdict_is_counted_also_those_that_no_claim_has(tmp_path):
    found = load(tmp_path, *[{"id": str(n), "verdict": "confirmed"} for n in range(3)], {"id": "x"})
    assert board.tally(found) == {
        "confirmed": 3,
        "contradicted": 0,
        "inconclusive": 0,
        "not run": 1,
        "report": 0,
    }


def test_parts_are_the_papers_sections_in_its_order(tmp_path):
    sections = ["B.4", "3.1", "5", "3.2", "9.9", None]
    found = load(tmp_path, *[{"id": str(n), "section": each} for n, each in enumerate(sections)])
    assert [(part.section, len(part.claims)) for part in board.parts(found)] == [
        ("3", 2),
        ("5", 1),
        ("B", 1),
        ("", 1),
        ("9", 1),
    ]


def test_claims_of_ones_own_exhibits_stand_apart_from_the_papers(tmp_path):
    claims = [{"id": "A1", "section": "3.1"}, {"id": "X1", "section": "3.1", "is_papers": False}]
    papers, own = board.parts(load(tmp_path, *claims))
    assert (papers.section, [claim.id for claim in papers.claims]) == ("3", ["A1"])
    assert (own.title, [claim.id for claim in own.claims]) == ("Your own exhibits", ["X1"])


def test_numbers_are_phrases_and_absent_ones_are_left_out(tmp_path):
    full = one(
        tmp_path,
        **{"effect": -1.3, "low": -2.0, "high": 0.5, "unit": "points", "n": 6, "test": "paired t"},
        **{"p": 0.00001, "p_holm": 0.041, "paper_effect": 4},
    )
    assert full.numbers == [
        "effect -1.3 [-2, +0.5] points".replace("-", MINUS),
        "n = 6",
        "paired t",
        "p < 0.001 (Holm = 0.041)",
        "paper +4 points",
    ]
    against = one(tmp_path, verdict="contradicted", p=1.0, p_bh=0.0004, p_holm=0.02)
    assert against.numbers == ["p = 1 (of its opposite: Benjamini-Hochberg < 0.001, Holm = 0.02)"]
    assert one(tmp_path).numbers == [] and one(tmp_path).notes == []
    assert one(tmp_path, effect=0, p=0).numbers == ["effect +0", "p < 0.001"]


def test_notes_say_what_would_settle_it(tmp_path):
    found = one(tmp_path, reason="It holds zero.", seeds_needed=12, min_scale="reduced", paper_says="+3.8")
    assert found.notes == ["It holds zero.", "Seeds that would settle it: 12", "The paper: +3.8"]
    said = one(
        tmp_path,
        reason="one seed shows no spread; 12 seeds",
        test="one seed shows no spread",
        seeds_needed=12,
    )
    assert said.notes == ["one seed shows no spread; 12 seeds"] and said.numbers == []
    waiting = one(tmp_path, verdict="not run", min_scale="reduced", missing=[f"cell {n}" for n in range(9)])
    assert waiting.notes == [
        "Smallest scale at which it makes sense: reduced",
        "Missing: cell 0, cell 1, cell 2, cell 3, cell 4, cell 5, and 3 more, all named in verdicts.json",
    ]


def test_a_kind_is_said_in_words(tmp_path):
    assert one(tmp_path, type="D", metric="top1").kind == "difference of top-1 accuracy"
    many = one(tmp_path, type="R", metric="knn_top1, mean_per_class, map11")
    assert many.kind == "rank or trend of kNN top-1, mean per class and 11-point mAP"
    assert one(tmp_path, type="report", metric="top1").kind == "number only: top-1 accuracy"
    assert one(tmp_path, type="A").kind == "analytic" and one(tmp_path).kind == ""


def test_counts_and_exact_comparisons_are_written_as_such(tmp_path):
    assert one(tmp_path, effect=9.0, low=6.0, high=11.0, unit="of 12").numbers == ["effect 9 of 12"]
    counted = one(tmp_path, effect=1.0, unit="of 2", paper_effect=9.0, paper_unit="of 12")
    assert counted.numbers == ["effect 1 of 2", "paper 9 of 12"]  # each over its own denominator
    assert one(tmp_path, type="A", effect=1e-15, unit="", p=0.0).numbers == [f"effect +1e{MINUS}15"]
    assert one(tmp_path, effect="none", paper_effect="exact", unit="points").numbers == [
        "effect none",
        "paper exact",
    ]


def test_of_several_comparisons_the_effect_and_the_papers_are_named(tmp_path):
    found = one(tmp_path, effect=1.0, unit="points", at={"output_dim": "64"}, comparisons=5,
                paper_effect=2.0, paper_at={"output_dim": "64"})  # fmt: skip
    assert found.numbers == [
        "effect +1 points at output dim 64",
        "the least certain of 5 comparisons",
        "paper +2 points",
    ]
    other = one(tmp_path, effect=1.0, at={}, comparisons=1, paper_effect=2.0, paper_at={"dataset": "DTD"})
    assert other.numbers == ["effect +1", "the only comparison here", "paper +2 at dataset DTD"]


@pytest.mark.parametrize(
    ("side", "bound", "low", "high", "is_smaller"),
    [
        ("above", 5.0, 2.0, 3.0, True),
        ("above", 5.0, -1.0, 3.0, False),
        ("below", -2.0, -1.5, -0.5, True),
        ("below", -2.0, -1.0, 0.5, False),
        ("below", 0.5, 0.9, 1.0, False),  # a correlation that should be low, and is high
        ("above", -2.0, -5.0, -3.0, False),  # a loss that should be small, and is large
    ],
)
def test_an_effect_in_the_direction_of_the_claim_that_is_too_small_is_said_to_be(
    tmp_path, side, bound, low, high, is_smaller
):
    said = board.Said(directions={"C2": [Direction("", (bound,), side)]})
    record = {"id": "C2", "effect": (low + high) / 2, "low": low, "high": high, "part": 1}
    for verdict in ("contradicted", "inconclusive"):
        (found,) = load(tmp_path, record | {"verdict": verdict}, said=said)
        assert ("not its size" in " ".join(found.notes)) == (is_smaller and verdict == "contradicted")


def test_an_interval_keeps_order_and_proportion(tmp_path):
    line = one(tmp_path, effect=1.0, low=-1.0, high=3.0, paper_effect=9.0).interval
    assert line.low == board.MARGIN and line.paper == board.WIDTH - board.MARGIN
    assert line.low < line.zero < line.effect < line.high < line.paper
    assert line.effect - line.low == pytest.approx(line.high - line.effect, abs=0.11)
    assert one(tmp_path, effect=0, low=0, high=0).interval.low == board.MARGIN


@pytest.mark.parametrize("lost", ["effect", "low", "high"])
def test_half_an_interval_is_not_drawn(tmp_path, lost):
    bounds = {"effect": 1.0, "low": 0.5, "high": 2.0}
    assert one(tmp_path, **bounds).interval and not one(tmp_path, **bounds | {lost: None}).interval
    assert one(tmp_path, **bounds | {"paper_effect": "qualitative"}).interval.paper is None


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ("none", "expected a list of objects under 'claims'"),
        ([1], "expected a list of objects under 'claims'"),
        ([{"id": "A1", "verdict": "maybe"}], "found 'maybe' of 'A1'"),
        ([{"verdict": "confirmed"}], "found 'confirmed' of None"),
        ([{"id": "A1"}, {"id": "A1"}], "found A1 twice"),
    ],
)
def test_a_broken_file_says_how_to_judge_again(tmp_path, claims, said):
    (tmp_path / board.FILE).write_text(json.dumps({"claims": claims}))
    with refused(r"python -m reports\.verdict --scale smoke --from evidence") as caught:
        board.load(tmp_path, "smoke", EXHIBITS, source=" --from evidence")
    assert said in flat(str(caught.value))
