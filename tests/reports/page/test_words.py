"""What stands beside a claim: the paper's words, which effect confirms, and what changed since the freeze."""

import json

import pytest

from reports.page import board, summary
from reports.page.compared import compared
from reports.page.directions import Direction, direction_of, directions
from reports.reading.completion import Made
from reports.reading.declarations import load_all
from reports.reading.words import read_words
from tests.reports.conftest import ROOT, refused


def test_every_claim_has_three_to_six_words_and_at_most_25_of_the_paper():
    words = read_words(ROOT / "params")
    declared = {name for one in load_all(ROOT / "params", "smoke") if one.is_papers for name in one.claims}
    assert set(words) == declared
    for name, each in words.items():
        assert 3 <= len(each.short.split()) <= 6 and len(each.quotation.split()) <= 25 and each.section, name
        assert bool(each.quotation) != bool(each.instead), (
            f"{name}: the paper's words, or what it has instead"
        )
    assert len({each.short for each in words.values()}) == len(words)


SIZES = {"contrast": [{"minus": [{"batch_size": "last"}, {"batch_size": "first"}]}]}


@pytest.mark.parametrize(
    ("body", "said", "bounds"),
    [
        ({"type": "D"}, "an effect above zero confirms", ()),
        ({"type": "D", "above": 10}, "an effect above +10 confirms", (10,)),
        ({"type": "R", "below": 0.5}, "an effect below +0.5 confirms", (0.5,)),
        ({"type": "R", "below": 0}, "an effect below zero confirms", ()),
        (
            {"type": "E", "within": {"smoke": 2, "paper": 1}},
            "an effect between \N{MINUS SIGN}2 and +2 confirms",
            (-2, 2),
        ),
        ({"type": "R", "of": "every"}, "an effect above zero confirms, in every comparison", ()),
        (
            {"type": "D", **SIZES},
            "batch size last minus batch size first: an effect above zero confirms",
            (),
        ),
        ({"type": "A"}, "exact agreement confirms", ()),
        ({"type": "report", **SIZES}, "batch size last minus batch size first", ()),
        ({"type": "report"}, "", ()),
    ],
)
def test_each_effect_says_what_it_compares_and_which_direction_confirms(body, said, bounds):
    (found,) = directions([({"X1": body}, "smoke")])["X1"]
    assert (found.words, found.bounds) == (said, bounds)


@pytest.mark.parametrize(
    ("body", "side"),
    [({}, "above"), ({"above": 2}, "above"), ({"below": {"smoke": 0.5}}, "below"), ({"within": 2}, "")],
)
def test_a_direction_says_on_which_side_of_its_bound_an_effect_has_to_lie(body, side):
    (found,) = directions([({"X1": {"type": "D", **SIZES, **body}}, "smoke")])["X1"]
    assert found.side == side


def test_of_several_conditions_the_one_that_decides_has_its_own_direction():
    """Two parts of one claim have opposite signs: an effect without its part would read as its opposite."""
    body = {"type": "D", **SIZES, "all": [{"metric": "top1", "below": 0}, {"metric": "entropy", "above": 2}]}
    found = directions([({"X1": body}, "smoke")])["X1"]
    sizes = "batch size last minus batch size first"
    assert direction_of(found, 1).words == (
        f"part 1 of 2, top-1 accuracy of {sizes}: an effect below zero confirms, as all its parts have to"
    )
    assert direction_of(found, 2).words.startswith(f"part 2 of 2, entropy of {sizes}: an effect above +2")
    assert direction_of(found, 2).bounds == (2,)
    assert direction_of(found, None) == direction_of([], 1) == Direction()


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ({"contrast": [{"swap": ["first", "second"]}]}, "first and second exchanged"),
        ({"contrast": [{"pairs": "output_dim"}]}, "any two values of output dim"),
        (
            {"contrast": [{"mean": "learning_rate"}, {"minus": [{"l2_norm": True}, "others"]}]},
            "the mean over learning rate; then l2 norm yes minus the others",
        ),
        (
            {"contrast": [{"minus": [{"first": ["Crop", "Color"]}, {"smoke": 4.5, "paper": 8.3}]}]},
            "first Crop or Color minus 4.5",
        ),
        (
            {
                "contrast": [{"trend": "width"}],
                "where": {"first": {"differs": "second"}, "epochs": {"not": 5}},
            },
            "the trend over width, where first other than second, epochs not 5",
        ),
        (
            {"correlate": {"spearman": [{"metric": "top1"}, {"representation": ["h", ""]}]}},
            "Spearman correlation of top-1 accuracy with representation h or empty",
        ),
        ({"where": {"width": 1}}, ""),
    ],
)
def test_what_a_condition_compares_is_said_in_words(condition, said):
    assert compared(condition, "smoke") == said


def test_a_bound_other_than_zero_is_drawn_where_the_effect_has_to_pass_it(tmp_path):
    record = {
        "id": "C2",
        "verdict": "contradicted",
        "effect": 2.0,
        "low": 1.0,
        "high": 3.0,
        "paper_effect": 10.0,
    }
    (tmp_path / board.FILE).write_text(json.dumps({"claims": [record]}))
    said = board.Said(directions={"C2": [Direction("an effect above +5 confirms", (5.0,))]})
    (claim,) = board.load(tmp_path, "smoke", [], said)
    line = claim.interval
    assert line.zero < line.low < line.effect < line.high < line.bounds[0] < line.paper
    assert line.bounds[0] - line.zero == pytest.approx((line.paper - line.zero) / 2, abs=0.11)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("AMD EPYC avx2 avx512f", "on AMD EPYC (avx2, avx512f) "),
        ("Apple M2", "on Apple M2 "),
        ("x86_64", "on x86_64 "),
    ],
)
def test_a_machine_is_named_before_what_it_can_do(kind, said):
    assert said in summary.when(Made(1, "2026-01-01", "2026-01-01", 60.0, [kind]), None)


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
    with refused("expected id, short, page, section, quotation, instead found id, words"):
        read_words(lab.params)
