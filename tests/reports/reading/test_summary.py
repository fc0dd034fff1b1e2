import math

import pytest

from reports.reading.notation import Measured, metric, written
from reports.reading.summary import Lookup, beside, settings, settings_together, values_of

KNOBS = ["projection", "output_dim"]


@pytest.fixture
def evidence(lab):
    rows = [["linear", 32, seed, "top1", value, f"r{seed}"] for seed, value in enumerate((40.0, 42.0, 47.0))]
    lab.put("figure_08", KNOBS, [*rows, ["none", 64, 0, "top1", 20.0, "n"]])
    return lab.load("figure_08")


def test_mean_and_standard_deviation_over_seeds(evidence):
    ours = Lookup(evidence).ours("top1", projection="linear", output_dim=32)
    assert ours.n == 3 and ours.mean == 43.0
    assert ours.spread == pytest.approx(math.sqrt((9 + 1 + 16) / 2), rel=1e-12)


def test_one_seed_has_no_spread_and_no_run_no_value(evidence):
    lookup = Lookup(evidence)
    assert lookup.ours("top1", projection="none", output_dim="64.0") == Measured(20.0, None, 1)
    assert lookup.ours("top1", projection="nonlinear", output_dim=32) is None
    assert lookup.ours("top5", projection="linear", output_dim=32) is None
    assert lookup.ours("top1", depth=50) is None


def test_the_papers_value_is_verbatim(evidence):
    assert Lookup(evidence).paper("top1", projection="linear", output_dim=32) == "60.0"
    assert Lookup(evidence).paper("top1", projection="none", output_dim=64) is None


def test_every_cell_of_either_side_stands_in_one_row(evidence):
    both = beside(evidence)
    assert len(both) == 15 + 1  # the paper's 15 and our narrow "none"; linear 32 is shared
    assert both["ours"].notna().sum() == 2 and both["paper"].notna().sum() == 15


def test_numbers_are_written_with_their_spread():
    assert written(Measured(43.41, 0.52, 3), "top1") == "43.4 ± 0.5"
    assert written(Measured(43.41, None, 1), "top1") == "43.4"
    assert written(Measured(2.5e-16, None, 1), "max_error") == "2.5e-16"
    assert metric("mean_abs_change").label == "mean abs change"


def test_numbers_come_by_size_and_words_as_they_are(lab):
    rows = [["linear", 128, 0, "top1", 1.0, "a"], ["none", 64, 0, "top1", 1.0, "b"]]
    lab.put("figure_08", KNOBS, rows)
    measured = lab.load("figure_08").measured
    assert values_of(measured, "output_dim") == ["64", "128"]  # the rows are sorted by projection first
    assert values_of(measured, "projection") == ["linear", "none"]
    assert values_of(measured, "depth") == []


def test_settings_are_the_papers_and_then_ours(lab):
    rows = [[word, 96, 0, "top1", 1.0, word] for word in ("none", "residual", "bilinear")]
    lab.put("figure_08", KNOBS, rows)
    evidence = lab.load("figure_08")
    assert settings(evidence, "projection") == ["linear", "nonlinear", "none", "bilinear", "residual"]
    assert settings(evidence, "output_dim")[:4] == ["32", "64", "96", "128"]
    assert settings(evidence, "projection", printed=["none"]) == ["none", "bilinear", "residual"]
    together = settings_together(evidence, "projection", "output_dim")
    assert together[-4:] == [("none", "96"), ("none", "2048"), ("bilinear", "96"), ("residual", "96")]
    assert len(together) == 15 + 3
