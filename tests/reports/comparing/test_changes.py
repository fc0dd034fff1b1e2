"""Which cells of two sides meet, what moved, and by how much."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from reports.comparing.changes import Difference, differences, interval, moves
from reports.comparing.sides import from_results, with_knobs_of
from reports.comparing.together import together
from tests.reports.comparing.two_sides import HEADS, cells, measure, sides
from tests.reports.conftest import Lab


def test_an_edited_value_is_one_difference_and_one_number_that_moved(two):
    measure(two[0], cells([0.05, 0.1], [[20.0], [30.0]]))
    measure(two[1], cells([0.05, 0.2], [[20.0], [33.5]]))
    (found,) = differences(*sides(*two))
    assert found[1:] == ("pretrain", "nt_xent.temperature", "0.1", "0.2", "temperature2-seed0")
    still, moved = moves(*sides(*two))
    assert (still.change, moved.change) == (0, 3.5)
    assert moved.knobs == "l2_norm yes, temperature 0.1 → l2_norm yes, temperature 0.2"
    assert (moved.base, moved.here) == ("30.0 (n = 1)", "33.5 (n = 1)")
    assert (moved.low, moved.high) == (None, None)


def test_a_setting_meets_itself_wherever_it_stands_in_the_grid(two):
    """A value put before the others moves them all by one place; none of them is another run."""
    measure(two[0], cells([0.1, 0.5], [[30.0], [40.0]]))
    measure(two[1], cells([0.05, 0.1, 0.5], [[20.0], [30.0], [40.0]]))
    (found,) = differences(*sides(*two))
    assert found[2:] == ("(the run)", "no result", "finished", "temperature1-seed0")
    *same, new = moves(*sides(*two))  # what one side alone has comes last
    assert (new.base, new.here, new.change) == ("not run", "20.0 (n = 1)", None)
    assert [move.change for move in same] == [0, 0]


@given(order=st.permutations([0.05, 0.1, 0.5, 1.0]))
@settings(max_examples=10, deadline=None)
def test_another_order_of_the_grid_changes_nothing(tmp_path_factory, order):
    two = [Lab(tmp_path_factory.mktemp(name)) for name in ("base", "here")]
    for lab, temperatures in zip(two, ([0.05, 0.1, 0.5, 1.0], order), strict=True):
        measure(lab, cells(temperatures, [[10 * tau, 20 * tau] for tau in temperatures]))
    assert not differences(*sides(*two)) and [move.change for move in moves(*sides(*two))] == [0] * 4


def test_cells_that_no_knob_tells_apart_meet_by_place(two):
    for lab, gain in zip(two, (0, 1), strict=True):
        rows = [
            ["yes", 0.1, 0, metric, 5 + gain, f"part{n}-seed0"] for n, metric in ((1, "top1"), (2, "top5"))
        ]
        measure(lab, rows)
    assert [(move.cell, move.change) for move in moves(*sides(*two))] == [("part1", 1), ("part2", 1)]


def test_equal_differences_of_a_stage_are_put_together(two):
    for lab, momentum in zip(two, (0.9, 0.8), strict=True):
        measure(lab, cells([0.05, 0.1, 0.2, 0.5, 1.0, 2.0], [[20.0]] * 6))
        path = lab.tidy("table_05") / "provenance.json"
        path.write_text(path.read_text().replace("0.9", str(momentum)))
    (found,) = differences(*sides(*two))
    assert (found.base, found.here, found.runs) == ("0.9", "0.8", "all 6 runs")
    path.write_text(path.read_text().replace('"Lars.momentum": 0.8', '"Lars.momentum": 0.9', 1))
    assert [found.runs for found in differences(*sides(*two))] == ["5 of 6 runs"]


def test_values_of_one_base_that_become_one_here_stand_together(two):
    """Half of the runs had 0.1 and half 0.3; all have 0.2 now: one row, with both."""
    found = [
        Difference("table_05", "pretrain", "Pretraining.base_lr", base, "0.2", "2 of 4 runs")
        for base in ("0.1", "0.3")
    ]
    (row,) = together([{"differences": found, "moves": [], "verdicts": []}])["differences"]
    assert (row.here, row.bases) == ("0.2", ["0.1 (2 of 4 runs), 0.3 (2 of 4 runs)"])


def test_bases_that_differ_in_the_same_binding_share_a_row_in_however_many_runs():
    """A base that differs is never shown as one that does not."""
    compared = [
        {"differences": [Difference("table_05", "pretrain", "Lars.momentum", "0.9", "0.8", runs)]}
        for runs in ("all 6 runs", "2 of 6 runs")
    ]
    (row,) = together([each | {"moves": [], "verdicts": []} for each in compared])["differences"]
    assert (row.name, row.here) == ("pretrain: Lars.momentum", "0.8")
    assert row.bases == ["0.9 (all 6 runs)", "0.9 (2 of 6 runs)"]


def test_a_cell_that_the_reference_lacks_shares_a_row_with_equal_settings_alone(tmp_path):
    """Bases call such cells by their own grids: the second of one is not the second of another."""
    labs = [Lab(tmp_path / name) for name in ("one", "other", "here")]
    for lab, temperatures in zip(labs, ([0.1, 0.5], [0.1, 0.7], [0.1]), strict=True):
        measure(lab, cells(temperatures, [[10 * tau] for tau in temperatures]))
    compared = [
        {"moves": [move for move in moves(*sides(lab, labs[2])) if move.has_moved]} for lab in labs[:2]
    ]
    found = together([each | {"differences": [], "verdicts": []} for each in compared])["moves"]
    assert [(row.name, row.here, row.bases) for row in found] == [
        ("l2_norm yes, temperature 0.5, top1", "not run", ["5.0 (n = 1)", "="]),
        ("l2_norm yes, temperature 0.7, top1", "not run", ["=", "7.0 (n = 1)"]),
    ]


def test_side_by_side_each_base_says_its_own_setting_of_an_edited_cell(tmp_path):
    labs = [Lab(tmp_path / name) for name in ("one", "other", "here")]
    for lab, tau in zip(labs, (0.1, 0.3, 0.2), strict=True):
        measure(lab, cells([tau], [[100 * tau]]))
    compared = [{"moves": moves(*sides(lab, labs[2])), "differences": [], "verdicts": []} for lab in labs[:2]]
    (row,) = together(compared)["moves"]
    assert (row.name, row.here) == ("l2_norm yes, temperature 0.2, top1", "20.0 (n = 1)")
    assert row.bases == [
        "l2_norm yes, temperature 0.1: 10.0 (n = 1), here +10",
        "l2_norm yes, temperature 0.3: 30.0 (n = 1), here -10",
    ]


def test_a_spread_that_changed_is_a_number_that_moved(two):
    """The mean is the same, 42.0, and what it is worth is not."""
    measure(two[0], cells([0.1, 0.5], [[41.5, 42.5], [30.0, 31.0]]))
    measure(two[1], cells([0.1, 0.5], [[32.0, 52.0], [30.0, 31.0]]))
    moved, still = moves(*sides(*two))
    assert (moved.change, moved.has_moved, still.has_moved) == (0, True, False)
    assert (moved.base, moved.here) == ("42.0 ± 0.7 (n = 2)", "42.0 ± 14.1 (n = 2)")


def test_another_order_of_the_knobs_is_no_other_setting(two):
    """A knob that came later stands before the others on one side, and after them on the other."""
    before = [["h", "linear", 32, 0, "top1", 40, "p1-seed0"]]
    two[0].put("figure_08", ("representation", "projection", "output_dim"), before)
    two[1].put("figure_08", HEADS, [["linear", 32, "h", 0, "top1", 41, "p1-seed0"]])
    for lab in two:
        lab.settle()
    base, here = (from_results(lab.results, "smoke", ["figure_08"]) for lab in two)
    for sides_of_it in ((base, here), (with_knobs_of(base, here), here)):
        (moved,) = moves(*sides_of_it)
        assert (moved.knobs, moved.change) == ("projection linear, output_dim 32, representation h", 1)
    assert list(with_knobs_of(base, here).rows("figure_08")) == list(here.rows("figure_08"))


def test_a_run_that_is_gone_is_not_counted_among_those_that_are_here(two):
    measure(two[0], cells([0.05, 0.1, 0.5], [[20.0], [30.0], [40.0]]))
    measure(two[1], cells([0.05], [[20.0]]))
    (found,) = differences(*sides(*two))
    assert found[3:] == ("finished", "no result", "temperature2-seed0, temperature3-seed0")
    assert [(move.change, move.here) for move in moves(*sides(*two))[1:]] == [(None, "not run")] * 2


def test_the_interval_is_welch_s():
    """By the textbook, for variances 1 and 4 and three values each; scipy gives the quantile of t."""
    base, here = [1.0, 2.0, 3.0], [10.0, 12.0, 14.0]
    error = np.sqrt(1 / 3 + 4 / 3)
    freedom = (1 / 3 + 4 / 3) ** 2 / ((1 / 3) ** 2 / 2 + (4 / 3) ** 2 / 2)
    reach = stats.t.ppf(0.975, freedom) * error
    assert interval(base, here) == pytest.approx((10 - reach, 10 + reach))


@pytest.mark.parametrize(
    ("base", "here"), [([1.0], [2.0, 3.0]), ([1.0, 2.0], [3.0]), ([1.0, 1.0], [2.0, 2.0])]
)
def test_there_is_no_interval_without_a_spread(base, here):
    assert interval(base, here) == (None, None)


def test_seeds_of_a_cell_are_averaged_and_have_an_interval(two):
    measure(two[0], cells([0.1], [[30.0, 31.0, 32.0]]))
    measure(two[1], cells([0.1], [[33.0, 34.0, 35.5]]))
    (moved,) = moves(*sides(*two))
    assert moved.base == "31.0 ± 1.0 (n = 3)" and moved.change == pytest.approx(34.1666667 - 31)
    assert moved.low < moved.change < moved.high
