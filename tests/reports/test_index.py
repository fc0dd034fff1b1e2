"""One page: every exhibit of the paper in its order, nothing loaded from elsewhere, labels escaped."""

import json
import re
from html.parser import HTMLParser

import pytest

from reports import index
from reports.files import ReportError, exit_code
from reports.index import varying

VOID = {"meta", "img", "source", "br", "hr", "link", "input", "path"}


class Outline(HTMLParser):
    """Collects tags and ids, and fails on an element closed in the wrong order."""

    def __init__(self, text: str):
        super().__init__()
        self.open, self.ids, self.tags = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


@pytest.fixture
def page(nine):
    for exhibit in ("figure_08", "table_02", "table_05"):
        nine.draw(exhibit)
    return nine.index()


def test_all_31_exhibits_are_listed_in_the_papers_order(page):
    statuses = re.findall(r"<td>(complete|partial|not drawn|not in this release)</td>", page)
    assert len(statuses) == 31
    assert [statuses.count(status) for status in ("complete", "not drawn", "not in this release")] == [
        3,
        6,
        22,
    ]
    assert page.index('id="figure_08"') < page.index('id="table_02"') < page.index('id="table_05"')


def test_the_page_is_well_formed_and_loads_nothing(page):
    outline = Outline(page)
    assert len(set(outline.ids)) == len(outline.ids)
    assert not re.search(r"https?://|//cdn|@import|<script|<link", page)
    local = {
        attrs.get("src") or attrs.get("srcset") for tag, attrs in outline.tags if tag in ("img", "source")
    }
    assert local == {"figure_08.svg", "figure_08.png"}
    assert all(attrs["alt"].startswith("Figure 8") for tag, attrs in outline.tags if tag == "img")


def test_the_page_carries_the_banner_and_the_causes(page):
    assert 'class="banner"' in page and "2 of 7 widths" in page and "ffffffffffff" in page
    for file in ("figure_08.svg", "figure_08.csv", "table_05.tex", "table_05.json"):
        assert f'href="{file}" download' in page


def test_equal_drawings_equal_page(nine):
    nine.draw("table_01")
    assert nine.index() == nine.index()


def test_partial_exhibits_name_every_missing_run(lab):
    lost = [f"pretrain/run{number}" for number in range(9)]
    lab.put("figure_08", ["projection", "output_dim"], [], missing=lost)
    lab.draw("figure_08")
    page = lab.index()
    assert "<td>partial</td>" in page and ", ".join(lost) in page


def test_hostile_text_is_text(lab):
    hostile = "\"><img src=x onerror=alert(1)><b>'&"
    lab.put(
        "figure_08", ["projection", "output_dim"], [[hostile, 32, 0, "top1", 1.0, hostile]], title=hostile
    )
    lab.draw("figure_08")
    page = lab.index()
    assert "<img src=x" not in page and "&lt;img src=x" in page
    Outline(page)


def test_metrics_are_nested_and_have_safe_keys(nine):
    for exhibit in ("figure_08", "table_01", "table_05"):
        nine.draw(exhibit)
    nine.index()
    tree = json.loads((nine.metrics / "smoke.json").read_text())
    assert sorted(tree) == ["figure_08", "table_01", "table_05"]
    assert 47.0 in [metrics["top1"] for metrics in tree["figure_08"].values()]
    assert not [key for cells in tree.values() for key in cells if re.search(r"[./]", key)]


def test_a_broken_record_says_how_to_draw_it_again(nine):
    nine.draw("table_01")
    (nine.out / "smoke" / "table_01.json").write_text("{")
    with pytest.raises(ReportError, match=r"python -m reports.draw --scale smoke --exhibit table_01"):
        nine.index()


def test_a_wrong_scale_is_answered_with_the_nearest(nine, capsys):
    places = [f"--params={nine.params}", f"--out={nine.out}", f"--metrics={nine.metrics}"]
    assert exit_code(lambda: index.main(["--scale=smokey", *places])) == 2
    said = capsys.readouterr().err
    assert "(smoke); found smokey. Did you mean smoke?" in said and said.count("\n") == 1
    assert not nine.out.exists() and not nine.metrics.exists()


def test_only_what_varies_is_listed():
    runs = {"a": {"bindings": {"x.y": 1, "s.t": 2}}, "b": {"bindings": {"x.y": 3, "s.t": 2}}}
    assert varying(runs) == {"x.y": ["1", "3"]}
