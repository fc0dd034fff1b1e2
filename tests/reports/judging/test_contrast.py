"""Contrasts: the right cells with the right weights, whatever order they come in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.judging.contrast import rows_of
from reports.judging.selection import UNKNOWN, Missing, in_order
from tests.reports.conftest import refused

GRID = [{"kind": kind, "dim": str(dim)} for kind in ("a", "b") for dim in (9, 10, 100)]
VALUES = np.array([1.0, 2.0, 4.0, 10.0, 20.0, 40.0])


def values(steps, where=None, keys=GRID, cells=VALUES):
    return [float(row.value(np.asarray(cells))) for row in rows_of(keys, where or {}, steps)]


def test_a_difference_pairs_the_cells_that_agree_on_all_else():
    assert values([{"minus": [{"kind": "b"}, {"kind": "a"}]}]) == [9, 18, 36]


def test_cells_without_a_partner_are_left_out():
    keys = [*GRID, {"kind": "none", "dim": "100"}]
    assert values([{"minus": [{"kind": "a"}, {"kind": "none"}]}], keys=keys, cells=[*VALUES, 1.0]) == [3]


def test_a_knob_that_one_side_names_is_not_matched():
    assert values([{"minus": [{"kind": "b", "dim": "last"}, {"kind": "a"}]}]) == [39, 38, 36]
    assert values([{"minus": [{"kind": "b", "dim": "any"}, {"kind": "a", "dim": 9}]}]) == [9, 19, 39]


def test_others_are_all_rows_of_the_same_group_that_are_not_in_the_first_side():
    assert values([{"minus": [{"dim": 10}, "others"]}]) == [1, -2, 10, -20]


def test_a_cell_is_not_compared_with_itself():
    """A scale that has one batch size alone has no largest beside its smallest."""
    ends = [{"minus": [{"dim": "last"}, {"dim": "first"}]}]
    single = {"keys": [{"kind": "a", "dim": "9"}, {"kind": "b", "dim": "9"}], "cells": [1.0, 2.0]}
    crossed = [{"minus": [{"dim": "last", "kind": "first"}, {"dim": "first", "kind": "last"}]}]
    for steps in (ends, crossed):
        with pytest.raises(Missing, match="two values of dim"):
            values(steps, **single)
    assert values(crossed) == [4 - 10]
    assert values(ends) == [3, 30]


def test_a_side_may_be_a_number_or_several_selections():
    assert values([{"minus": [{"kind": "a"}, 1]}]) == [0, 1, 3]
    sides = [{"kind": "a", "dim": 9}, {"kind": "b", "dim": 9}]
    assert values([{"minus": [sides, {"kind": "b", "dim": 100}]}]) == [-39, -30]


@pytest.mark.parametrize(("word", "dim"), [("first", 9), ("second", 10), ("last", 100)])
def test_places_go_by_size_not_by_spelling(word, dim):
    assert values([], {"kind": "a", "dim": word}) == values([], {"kind": "a", "dim": dim})


def test_a_place_is_read_after_plain_values():
    keys = [*GRID, {"kind": "c", "dim": "1000"}]
    assert values([], {"dim": "last", "kind": "a"}, keys, [*VALUES, 7.0]) == [4]


def test_fractions_go_by_size_and_words_by_the_numbers_in_them():
    assert in_order(["1", "1/8", "1/2", "0.25"]) == ["1/8", "0.25", "1/2", "1"]
    names = ["ResNet-50", "ResNet-50 (2x)", "ResNet-50 (4x)", "ResNet-152"]
    assert in_order(reversed(["8", *names])) == ["8", *names]


def test_a_trend_is_the_rise_of_the_fitted_line_from_first_to_last():
    fitted = np.polyfit([0, 1, 2], VALUES[:3], 1)[0] * 2
    assert values([{"trend": "dim"}], {"kind": "a"}) == [pytest.approx(fitted)]


def test_steps_compose_to_a_difference_of_trends():
    rise = values([{"trend": "dim"}])
    assert values([{"minus": [{"kind": "b"}, {"kind": "a"}]}, {"trend": "dim"}]) == [
        pytest.approx(rise[1] - rise[0])
    ]


def test_means_pairs_and_exchanged_knobs():
    assert values([{"mean": "dim"}]) == [pytest.approx(7 / 3), pytest.approx(70 / 3)]
    assert values([{"pairs": "dim"}], {"kind": "a"}) == [-1, -3, -2]
    square = [{"one": a, "two": b} for a in "xyz" for b in "xyz"]
    assert values([{"swap": ["one", "two"]}], keys=square, cells=np.arange(9.0)) == [-2, -4, -2]


def test_cells_that_agree_with_themselves():
    square = [{"one": a, "two": b} for a in "xy" for b in "xy"]
    assert values([], {"one": {"same": "two"}}, square, np.arange(4.0)) == [0, 3]
    assert values([], {"one": {"differs": "two"}}, square, np.arange(4.0)) == [1, 2]
    assert values([], {"one": {"not": "x"}}, square, np.arange(4.0)) == [2, 3]


@pytest.mark.parametrize(
    ("where", "steps", "named"),
    [
        ({"kind": "c"}, [], "kind=c"),
        ({"kind": ["a", "c"]}, [], "kind=c"),
        ({"depth": 50}, [], "depth=50"),
        ({}, [{"minus": [{"kind": "a"}, {"dim": 11}]}], "dim=11"),
        ({"dim": 9}, [{"trend": "dim"}], "two values of dim"),
    ],
)
def test_what_no_cell_answers_is_named(where, steps, named):
    with pytest.raises(Missing, match=named):
        values(steps, where)


def test_a_claim_waits_for_cells_of_which_nobody_knows_the_value():
    """A part of the grid of which no run has a number may be what the claim compares: `last` would be another cell."""
    keys = [{"training": "SimCLR", "epochs": "10"}, {"training": UNKNOWN, "epochs": UNKNOWN}]
    ends = [{"minus": [{"epochs": "last"}, {"epochs": "first"}]}]
    with pytest.raises(Missing, match="a value of epochs of which no run has a number"):
        rows_of(keys, {"training": "SimCLR"}, ends)
    known = [keys[0], {"training": "SimCLR", "epochs": "20"}]
    assert len(rows_of(known, {"training": "SimCLR"}, ends)) == 1


def test_an_empty_text_makes_a_value_optional():
    assert values([], {"kind": "a", "layer": ["h", ""]}) == [1, 2, 4]


def test_an_unknown_step_is_refused_by_name():
    with refused(r"minus, swap, pairs, mean, trend.*found median"):
        values([{"median": "dim"}])


@given(order=st.permutations(range(len(GRID))))
def test_the_order_of_cells_does_not_matter(order):
    steps = [{"minus": [{"kind": "b"}, {"kind": "a"}]}, {"trend": "dim"}]
    keys = [GRID[place] for place in order]
    assert values(steps, keys=keys, cells=VALUES[order]) == [pytest.approx(values(steps)[0])]


PRINTED = [{"kind": "a", "dim": "9"}, {"kind": "a", "dim": "10"}]


def beside(side, printed, where=None):
    """Contrasts of a side with all others, where the paper prints `printed`."""
    rows = rows_of(GRID, where or {"kind": "a"}, [{"minus": [side, "others"]}], printed)
    return [float(row.value(VALUES)) for row in rows]


def test_others_are_the_papers_where_it_prints_what_a_side_spells_out():
    assert beside({"dim": 9}, PRINTED) == [-1]
    assert beside([{"dim": 9}], PRINTED) == [-1]
    assert beside({"dim": 9}, []) == [-1, -3]


def test_others_are_all_where_the_paper_does_not_print_the_side():
    assert beside({"dim": 100}, PRINTED) == [3, 2]  # its width is ours
    assert beside({"dim": "first"}, PRINTED) == [-1, -3]  # a place, which is another value at every scale
    assert beside({"dim": {"not": 100}}, PRINTED) == [-3, -2]
    assert beside({"dim": 9}, [{"kind": "a", "dim": ""}]) == [-1, -3]  # printed without this knob
    assert beside([{"dim": 9}, {"dim": 100}], PRINTED) == [-1, 2]


def test_a_row_that_is_printed_in_another_knob_alone_is_no_other():
    rows = rows_of(
        GRID, {}, [{"minus": [{"kind": "a", "dim": 9}, "others"]}], [*PRINTED, {"kind": "b", "dim": "9"}]
    )
    assert [float(row.value(VALUES)) for row in rows] == [-1, -9]


def test_a_side_may_be_a_number_that_a_difference_is_taken_from_later():
    steps = [{"minus": [{"kind": "b"}, 2]}, {"mean": "dim"}]
    assert values(steps) == [pytest.approx(70 / 3 - 2)]
    assert values([{"minus": [{"kind": "b"}, 0.5]}, {"pairs": "dim"}]) == [-10, -30, -20]
    assert values([{"minus": [{"kind": "a"}, 0.5]}, {"trend": "dim"}]) == [pytest.approx(3)]


def test_a_trend_keeps_its_levels_and_leaves_out_groups_of_one_value():
    keys = [*GRID, {"kind": "c", "dim": "9"}]
    rows = rows_of(keys, {}, [{"trend": "dim"}])
    assert [row.key for row in rows] == [{"kind": "a"}, {"kind": "b"}]
    assert [float(level.value(np.array([*VALUES, 9.0]))) for level in rows[1].levels] == [10, 20, 40]
    # The group of one value may also stand first.
    assert len(rows_of(keys[::-1], {}, [{"trend": "dim"}])) == 2
    two = rows_of(GRID, {"dim": [9, 10]}, [{"trend": "dim"}])
    assert [float(row.value(VALUES)) for row in two] == [pytest.approx(1), pytest.approx(10)]


def test_rows_that_share_a_value_are_one_level():
    rows = rows_of(GRID, {}, [{"minus": [{"dim": "any"}, 0]}, {"mean": "kind"}, {"trend": "dim"}])
    by_value = rows_of(GRID, {}, [{"trend": "kind"}])
    assert len(rows) == 1 and [float(row.value(VALUES)) for row in by_value] == [9, 18, 36]


def test_lists_places_and_negations_of_them_select():
    assert values([], {"dim": [9, 100], "kind": "b"}) == [10, 40]
    assert values([], {"dim": {"not": "first"}, "kind": "a"}) == [2, 4]
    assert values([], {"dim": {"not": [9, 10]}, "kind": "a"}) == [4]
    assert values([], {"dim": "any", "kind": "a"}) == [1, 2, 4]
    assert values([], {"dim": "10.0", "kind": "a"}) == [2]


def test_a_knob_that_a_cell_lacks_is_empty():
    keys = [{"kind": "a"}, {"kind": "b", "dim": "9"}]
    assert values([], {"dim": ["9", ""]}, keys, [1.0, 2.0]) == [1, 2]
    assert values([], {"dim": ""}, keys, [1.0, 2.0]) == [1]
    assert values([], {"kind": {"differs": "dim"}}, keys, [1.0, 2.0]) == [1, 2]


def test_an_unknown_value_hides_which_is_first_and_may_stand_on_either_side():
    keys = [*GRID, {"kind": "a", "dim": "?"}]
    cells = [*VALUES, 7.0]
    for steps in ([], [{"minus": [{"dim": 10}, {"dim": 9}]}], [{"pairs": "dim"}], [{"trend": "dim"}]):
        with pytest.raises(Missing, match="a value of dim of which no run has a number"):
            values(steps, {"kind": "a"}, keys, cells)
    with pytest.raises(Missing, match="a value of dim of which no run has a number") as caught:
        values([], {"dim": "first"}, keys, cells)
    assert caught.value.cells == ["a value of dim of which no run has a number"]
    assert values([], {"kind": "b", "dim": 10}, keys, cells) == values([], {"kind": "b", "dim": 10})


@pytest.mark.parametrize(
    ("where", "steps", "cells"),
    [
        ({"kind": ["c", "a", "d"]}, [], ["kind=c", "kind=d"]),
        ({"kind": "a", "dim": 9}, [{"pairs": "dim"}], ["two values of dim"]),
        ({"dim": 9}, [{"swap": ["kind", "dim"]}], ["kind and dim exchanged"]),
        ({"kind": "a", "dim": 9}, [{"minus": [{"dim": 9}, "others"]}], ["dim=9 beside others"]),
        ({"dim": {"not": "any"}}, [], ["dim={'not': 'any'}"]),
    ],
)
def test_what_is_missing_is_named_cell_by_cell(where, steps, cells):
    with pytest.raises(Missing) as caught:
        values(steps, where)
    assert caught.value.cells == cells and str(caught.value) == "; ".join(cells)


def test_cells_without_weight_may_be_lacking():
    rows = rows_of(GRID, {}, [{"minus": [{"kind": "b", "dim": 9}, {"kind": "a", "dim": 9}]}])
    cells = np.array([1.0, np.nan, np.nan, 10.0, np.nan, np.nan])
    assert float(rows[0].value(cells)) == 9 and rows[0].constant == 0
