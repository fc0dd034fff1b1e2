"""Records of runs: a table that is not one is refused, by its row."""

import pytest

from common.errors import UserError
from common.run_records import COLUMNS, read_records


def written(tmp_path, *seconds, columns=COLUMNS):
    path = tmp_path / "records.csv"
    rows = [f"f{place},pretrain,2026-01-01,{each},10,1,cpu,here,abc" for place, each in enumerate(seconds)]
    path.write_text("\n".join([",".join(columns), *rows]) + "\n")
    return path


def test_rows_are_read_by_column_and_no_file_has_none(tmp_path):
    first, second = read_records(written(tmp_path, "7.5", "1e3"))
    assert first == {
        "fingerprint": "f0", "stage": "pretrain", "finished": "2026-01-01", "seconds": "7.5",
        "images_per_second": "10", "processes": "1", "device": "cpu", "processor": "here", "commit": "abc",
    }  # fmt: skip
    assert second["seconds"] == "1e3"
    assert read_records(tmp_path / "none.csv") == []


def test_other_columns_are_refused(tmp_path):
    path = written(tmp_path, columns=("fingerprint", "stage"))
    with pytest.raises(UserError, match="records of runs are damaged") as caught:
        read_records(path)
    assert caught.value.expected.startswith("columns fingerprint, stage, finished")


@pytest.mark.parametrize("seconds", ["", "long", "x7.5", "nan", "-1", "1e999"])
def test_seconds_that_are_no_duration_are_refused_by_row(tmp_path, seconds):
    with pytest.raises(UserError, match="records of runs are damaged") as caught:
        read_records(written(tmp_path, "1.0", seconds))
    assert f"{seconds!r} in row 3" in caught.value.found and "git checkout" in caught.value.remedy
