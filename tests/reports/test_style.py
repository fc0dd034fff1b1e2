import pytest

from reports.record import label
from reports.style import PALETTE, like_paper


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], (30, 70)),
        ([31.0, 69.0], (30, 70)),
        ([28.0, 45.0], (20, 60)),
        ([float("nan"), 12.0], (10, 50)),
        ([75.0, 98.0], (70, 110)),
        ([5.0, 95.0], (0, 100)),
    ],
)
def test_limits_keep_the_papers_span_where_they_can(values, expected):
    assert like_paper(values, (30, 70)) == expected


def test_colours_are_distinct():
    assert len(set(PALETTE)) == len(PALETTE)


@pytest.mark.parametrize(
    ("exhibit", "printed"), [("figure_08", "Figure 8"), ("table_b1", "Table B.1"), ("table_c1", "Table C.1")]
)
def test_an_id_is_printed_as_in_the_paper(exhibit, printed):
    assert label(exhibit) == printed
