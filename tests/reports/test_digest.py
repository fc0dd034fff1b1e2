import pytest

from reports.digest import cell_name, digest
from reports.files import ReportError


def record(*rows: dict) -> dict:
    return {"exhibit": "table_05", "knobs": {"tau": []}, "measured": list(rows)}


def test_two_cells_may_not_share_a_name():
    rows = [{"tau": "0.1", "metric": "top1", "mean": 1.0}, {"tau": "0/1", "metric": "top1", "mean": 2.0}]
    with pytest.raises(ReportError, match="two cells named 'tau=0_1'"):
        digest([record(*rows)])


def test_means_have_four_decimals_and_empty_exhibits_are_left_out():
    assert digest([record({"tau": "1", "metric": "top1", "mean": 1 / 3})]) == {
        "table_05": {"tau=1": {"top1": 0.3333}}
    }
    assert digest([record()]) == {}


def test_an_exhibit_without_knobs_has_one_cell():
    assert cell_name({}) == "all"
