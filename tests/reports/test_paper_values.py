"""The paper's own numbers, as shipped in params/paper."""

from pathlib import Path

import pandas as pd
import pytest

from common.errors import UserError
from common.files import read_csv
from reports.reading.paper import load_paper

PAPER = Path(__file__).resolve().parents[2] / "params" / "paper"
FILES = sorted(path for path in PAPER.glob("*.csv") if path.name not in ("contents.csv", "claims.csv"))
UNPRINTED = {
    "figure_02",
    "figure_03",
    "figure_04",
    "figure_06",
    "table_02",
}  # drawings, pictures and formulae


def test_650_published_values_in_31_exhibits_and_the_text():
    """A published value is one row: 620 numbers and 30 words (25 of them designs compared in Table C.1)."""
    papers = {path.stem: load_paper(path) for path in FILES}
    assert len(papers) == 31 + 1
    assert sum(map(len, papers.values())) == 650
    assert sum(int(paper["number"].notna().sum()) for paper in papers.values()) == 620
    assert papers["table_c1"]["number"].isna().sum() == 25
    assert {name for name, paper in papers.items() if paper.empty} == UNPRINTED


def test_the_contents_name_each_exhibit_once():
    header, rows = read_csv(PAPER / "contents.csv")
    assert header == ["exhibit", "section", "shows"]
    assert sorted(row[0] for row in rows) == [path.stem for path in FILES if path.stem != "text_numbers"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_value_has_a_source_and_no_cell_two_values(path):
    paper = load_paper(path)
    assert (paper["confidence"] != "").all() and (paper["value"] != "").all()
    if path.stem != "text_numbers":
        assert not paper.duplicated([*paper.columns[: paper.columns.get_loc("value")]]).any()


@pytest.mark.parametrize(
    ("exhibit", "cell", "value"),
    [
        ("table_01", {"method": "SimCLR", "augmentation": "1 (+Blur)", "metric": "top1"}, "64.5"),
        ("table_05", {"l2_norm": "yes", "temperature": "0.1", "metric": "entropy"}, "4.5"),
        ("figure_08", {"projection": "none", "output_dim": "2048", "metric": "top1"}, "50.2"),
        ("figure_09", {"batch_size": "256", "epochs": "100", "metric": "top1"}, "57.52"),
    ],
)
def test_known_values_stand_under_our_names(exhibit, cell, value):
    paper = load_paper(PAPER / f"{exhibit}.csv")
    chosen = paper[(paper[list(cell)] == pd.Series(cell)).all(axis=1)]
    assert list(chosen["value"]) == [value]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda text: text.encode("utf-16"), "UTF-8"),
        (lambda text: text.encode() + "é\n".encode("latin-1"), "UTF-8"),
        (lambda text: text.encode() + b"\0", "row is not as wide"),
        (lambda text: (text + text.splitlines()[1] + "\n").encode(), "stands twice"),
        (lambda text: text.replace(",1.0,", ",inf,", 1).encode(), "not a finite number"),
        (lambda text: text.replace("temperature", "temprature", 1).encode(), "did you mean `temperature`"),
        (lambda text: text.replace("l2_norm", "temperature", 1).encode(), "two columns have one name"),
        (lambda text: text.replace("value", "vlaue", 1).encode(), "not a table of the paper's values"),
        (lambda text: b"", "empty"),
    ],
)
def test_a_spoiled_file_is_refused_by_name(tmp_path, spoil, says):
    path = tmp_path / "table_05.csv"
    path.write_bytes(spoil((PAPER / path.name).read_text()))
    with pytest.raises(UserError) as caught:
        load_paper(path, ("l2_norm", "temperature"))
    assert says in str(caught.value) and str(path) in str(caught.value)


def test_a_byte_order_mark_changes_nothing(tmp_path):
    path = tmp_path / "table_05.csv"
    path.write_bytes(b"\xef\xbb\xbf" + (PAPER / path.name).read_bytes())
    pd.testing.assert_frame_equal(load_paper(path), load_paper(PAPER / path.name))
