from common.names import cell_name
from reports.page.committed import digest


def record(*rows: tuple) -> dict:
    return {
        "exhibit": "table_05",
        "raw": [{"run": run, "metric": metric, "value": value} for run, metric, value in rows],
    }


def test_a_cell_is_the_mean_over_its_seeds():
    rows = [("tau1-seed0", "top1", 1.0), ("tau1-seed1", "top1", 2.0), ("tau2-seed0", "top1", 1 / 3)]
    assert digest([record(*rows)]) == {"table_05": {"tau1": {"top1": 1.5}, "tau2": {"top1": 0.3333}}}


def test_exhibits_that_measured_nothing_are_left_out():
    assert digest([record()]) == {}


def test_only_the_seed_is_cut_off():
    assert cell_name("part1-l2_norm1-temperature2-seed12") == "part1-l2_norm1-temperature2"
    assert cell_name("run-seed0") == "run"
