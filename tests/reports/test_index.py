"""One page: every exhibit of the paper in its order, nothing loaded from elsewhere, labels escaped."""

import csv
import json
import re
from html import unescape
from html.parser import HTMLParser

import pytest

from reports import draw, index, verdict
from reports.reading.declarations import load_all
from reports.reading.frozen import content
from reports.reading.tidy import load_collected
from reports.reading.verdicts import SPOKEN, VERDICTS
from tests.reports.conftest import ROOT, call, flat, refused

CONTENTS = ROOT / "params" / "paper" / "contents.csv"
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


def text_of(markup):
    """What a reader reads: no tags, single spaces."""
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", markup)))


def article(page, exhibit):
    return re.search(rf'<article id="{exhibit}".*?</article>', page, flags=re.S)[0]


@pytest.fixture
def page(judged):
    for exhibit in ("figure_08", "table_02", "table_05"):
        judged.draw(exhibit)
    return judged.page()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The page of scale smoke from what is committed, all of it judged and four exhibits drawn; its folder."""
    out = tmp_path_factory.mktemp("whole")
    places = ["--scale=smoke", "--from=evidence", f"--out={out}", f"--results={out / 'results'}"]
    call(verdict.main, *places)
    for exhibit in ("figure_08", "figure_06", "table_05", "table_08"):
        call(draw.main, *places, f"--exhibit={exhibit}")
    call(index.main, *places)
    return (out / "smoke" / "index.html").read_text(), out / "smoke"


def test_every_declared_exhibit_is_listed_by_section(page):
    statuses = re.findall(r"<td>(complete|partial|not drawn)(?:, thinned)?</td>", page)
    assert (statuses.count("complete"), statuses.count("not drawn")) == (3, 6)
    assert len(re.findall(r'<article id="(\w+)"', page)) == 9


def test_all_31_exhibits_and_71_claims_of_the_paper_are_on_the_page_with_their_links(whole):
    page, folder = whole
    shown = re.findall(r'<article id="(\w+)"', page)
    with open(CONTENTS, newline="") as file:
        papers = [row["exhibit"] for row in csv.DictReader(file)]
    assert len(papers) == 31 and set(papers) <= set(shown)
    assert shown[: len(papers)] == [one.id for one in load_all(ROOT / "params", "smoke") if one.id in papers]
    declared = {name for one in load_all(ROOT / "params", "smoke") for name in one.claims}
    tiles = re.findall(r'class="tile [\w-]+" href="#claim-(\w+)"', page)
    assert len(tiles) == len(set(tiles)) == len(declared) >= 71 and set(tiles) == declared
    outline = Outline(page)
    links = [attrs["href"] for tag, attrs in outline.tags if tag == "a"]
    assert len(links) > 250 and len(set(outline.ids)) == len(outline.ids)
    for link in links:
        assert link[1:] in outline.ids if link.startswith("#") else (folder / link).is_file()


def test_an_exhibit_of_our_own_comes_last_and_says_so(nine):
    nine.put("figure_10", ["batch_size"], [[64, 0, "top1", 30.0, "a"]])
    page = nine.index()
    assert re.findall(r'<article id="(\w+)"', page)[-1] == "figure_10"
    assert "Ours, not the paper" in article(page, "figure_10")


def test_the_page_is_well_formed_and_loads_nothing(page):
    outline = Outline(page)
    assert len(set(outline.ids)) == len(outline.ids)
    assert not re.search(r"https?://|//cdn|@import|<link|url\(", page)
    assert [attrs for tag, attrs in outline.tags if tag == "script"] == [{}]
    local = {
        attrs.get("src") or attrs.get("srcset") for tag, attrs in outline.tags if tag in ("img", "source")
    }
    assert local == {"figure_08.svg", "figure_08.png"}
    for attrs in [attrs for tag, attrs in outline.tags if tag == "img"]:
        assert attrs["alt"].startswith("Figure 8") and int(attrs["width"]) > int(attrs["height"]) > 100


def test_every_link_leads_somewhere(judged, page):
    outline = Outline(page)
    links = [attrs["href"] for tag, attrs in outline.tags if tag == "a"]
    assert len(links) > 60
    for link in links:
        assert link[1:] in outline.ids if link.startswith("#") else (judged.out / "smoke" / link).is_file()


def test_verdicts_come_first_and_stand_again_under_their_exhibits(page):
    board = page[page.index('id="verdicts"') : page.index('id="contents"')]
    assert page.index('id="verdicts"') < page.index('id="contents"') < page.index("<article")
    assert re.findall(r"(\d) (confirmed|contradicted|inconclusive|not run|number only) ", text_of(board))[
        :5
    ] == [("1", SPOKEN[verdict]) for verdict in VERDICTS]
    assert re.findall(r'href="#claim-(\w+)" title', board) == ["A12", "C1", "E1", "D5", "F1"]
    said = text_of(article(page, "figure_08"))
    assert "confirmed C1 a nonlinear head beats a linear one difference" in said
    assert "effect +3.25 [+1.5, +5] points · n = 9 · paired t · p < 0.001 (Holm = 0.028)" in said
    assert "Missing: finetune/run1, finetune/run2" in text_of(page[page.index('id="elsewhere"') :])


def test_without_verdicts_the_page_says_how_to_get_them(nine):
    nine.draw("table_01")
    page = nine.page()
    assert "python -m reports.verdict --scale smoke" in page and 'class="tile' not in page
    Outline(page)


def test_a_claim_of_no_exhibit_has_a_place(judged):
    path = judged.out / "smoke" / "verdicts.json"
    tree = json.loads(path.read_text())
    tree["claims"] += [{"id": "I2", "exhibit": None, "section": "2.2", "says": "LARS", "verdict": "not run"}]
    path.write_text(json.dumps(tree))
    page = judged.page()
    assert 'id="claim-I2"' in page[page.index('id="elsewhere"') :]


def test_a_number_leads_to_its_runs_and_their_commands(page):
    part = article(page, "figure_08")
    row = re.search(r"<tr><td>nonlinear</td><td>32</td>.*?</tr>", part)[0]
    anchors = re.findall(r'href="#([^"]+)"', row)
    assert anchors == ["figure_08--nonlinear-0", "figure_08--nonlinear-1"] and "50.5 ± 0.7" in row
    for seed, anchor in enumerate(anchors):
        run = re.search(rf'<section class="run" id="{anchor}".*?</section>', part, flags=re.S)[0]
        command = f"python -m stages pretrain --scale smoke --sweep figure_08 --run nonlinear-{seed}"
        assert f"<pre>{command}</pre>" in run
        assert "results/smoke/&lt;stage&gt;/figure_08/&lt;run&gt;" in part and "c0de" in part


def test_an_adoption_is_said_in_words_and_once_for_a_stage(page):
    part = article(page, "figure_08")
    assert part.count("adopted: a renamed variable (code c0de same as 01dc0de)") == 1
    assert "&#39;" not in part, "no Python"


def test_a_parameter_that_some_runs_lack_varies_and_stands_at_those_that_have_it(lab):
    rows = [["linear", width, 0, "top1", 41.0, f"w{width}-seed0"] for width in (8, 32)]
    lab.put("figure_08", ["projection", "output_dim"], rows)
    found = json.loads((lab.tidy("figure_08") / "provenance.json").read_text())
    found["runs"]["pretrain/w32-seed0"]["bindings"]["BatchNorm.groups"] = 4
    lab.seal("figure_08", found)
    lab.draw("figure_08")
    part = article(lab.index(), "figure_08")
    assert (
        '<tr class="varies"><th>BatchNorm.groups</th><td><span class="kind">varies</span> 4; not bound'
        in part
    )
    assert text_of(part).count("BatchNorm.groups = 4") == 1


def test_the_claims_of_ones_own_exhibits_are_not_counted_as_the_papers(lab, capsys):
    claim = (
        "claims: {X1: {says: A., type: D, metric: top1, contrast: [{minus: [{projection: linear}, 40]}]}}\n"
    )
    for exhibit, name in (("figure_08", "C1"), ("figure_x1", "X1")):
        lab.put(exhibit, ["projection", "output_dim"], [["linear", 32, 0, "top1", 41.0, "a-seed0"]])
        path = lab.params / "exhibits" / f"{exhibit}.yaml"
        path.write_text(path.read_text() + claim.replace("X1", name))
    page = lab.index()
    said = text_of(page)
    assert "1 claims of the paper and 1 of your own exhibits, judged on our own runs" in said
    assert "2 exhibits, 1 of them your own:" in said and "Of 1 claims that were tested" in said
    assert [part.split("<")[0] for part in page.split('<h3 id="part-')[2:]] == ['2">Your own exhibits']
    *_, papers, own = capsys.readouterr().out.splitlines()
    assert papers.startswith("1 claims at scale smoke: 0 confirmed, 0 contradicted, 1 inconclusive")
    assert own.startswith("and 1 of your own exhibits: 0 confirmed, 0 contradicted, 1 inconclusive")
    assert json.loads((lab.out / "smoke" / "verdicts.json").read_text())["counts"]["inconclusive"] == 1


def test_the_cost_is_shown_and_where_commit_and_seconds_are(nine):
    nine.draw("table_01")
    path = nine.out / "smoke" / "table_01.json"
    record = json.loads(path.read_text())
    record["provenance"] |= {"cost": {"images": 1234567, "flops": 3.456e15}}
    path.write_text(json.dumps(record))
    said = text_of(article(nine.index(), "table_01"))
    assert "python -m reports.trace --scale smoke --exhibit table_01 prints them" in said
    assert "1,234,567 images, 3.46e+15 flops (estimate of the plan)" in said


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
    assert "<td>not run yet</td>" in page and ", ".join(lost) in page
    for name in lost:
        run = name.split("/")[1]
        assert f"python -m stages pretrain --scale smoke --sweep figure_08 --run {run}<" in page


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
    with refused(r"python -m reports.draw --scale smoke --exhibit table_01"):
        nine.index()


def test_a_wrong_scale_is_answered_with_the_nearest(nine, capsys):
    places = nine.places("results", "params", "out", "metrics", "evidence")
    assert index.main(["--scale=smokey", *places]) == 2
    said = capsys.readouterr().err
    assert "unknown scale `smokey` (did you mean `smoke`?)" in said
    assert not nine.out.exists() and not nine.metrics.exists()


def test_the_rows_of_what_has_results_are_committed_and_those_of_others_stay(nine):
    nine.draw("table_05")
    kept = nine.metrics.with_name("evidence") / "smoke"
    kept.mkdir(parents=True)
    for name, text in (("figure_x5", "of an exhibit that is gone"), ("table_01", "of another machine")):
        (kept / name).mkdir()
        (kept / name / "rows.csv").write_text(text)
    (kept / "table_01.csv").write_text("as evidence once was")
    nine.index()
    assert sorted(path.name for path in kept.iterdir()) == ["table_01", "table_05"]
    assert (kept / "table_01" / "rows.csv").read_text() == "of another machine"
    files = {path.name: path.read_bytes() for path in nine.tidy("table_05").iterdir()}
    assert {path.name: path.read_bytes() for path in (kept / "table_05").iterdir()} == files
    assert load_collected(kept / "table_05", "table_05", "smoke").rows.equals(nine.load("table_05").rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"claims": None}, "expected a list under 'claims' found None"),
        ({"provenance": {}}, "expected a dict under 'runs'"),
        ({"provenance": None}, "expected a dict under 'provenance'"),
        ({"missing": 3}, "expected a list under 'missing'"),
        ({"partial": "no"}, "expected a bool under 'partial'"),
        (
            {"raw": [{"metric": "top1", "run": "t0", "value": 1e308}]},
            "expected measured rows( .*)? found .*1e.308",
        ),
        ({"raw": [{"metric": "top1", "run": "t0", "value": float("nan")}]}, "expected measured rows .* nan"),
        ({"raw": [{"metric": "top1", "value": 3.0}]}, "expected measured rows"),
        ({"scale": "paper"}, "expected scale 'smoke'( .*)? found 'paper'"),
    ],
)
def test_a_damaged_record_is_named_with_the_command_that_draws_it_again(nine, capsys, change, message):
    nine.draw("table_05")
    path = nine.out / "smoke" / "table_05.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    places = nine.places("results", "params", "out", "metrics", "evidence")
    assert index.main(["--scale=smoke", *places]) == 2
    said = flat(capsys.readouterr().err)
    assert re.search(message, said) and str(path) in said
    assert "python -m reports.draw --scale smoke --exhibit table_05" in said
    assert not (path.parent / "index.html").exists()


def test_a_frozen_scale_says_when_and_marks_what_changed_since(lab):
    lab.put("figure_08", ["projection", "output_dim"], [["linear", 32, 0, "top1", 41.0, "a-seed0"]])
    path = lab.params / "exhibits" / "figure_08.yaml"
    claim = (
        "claims: {C1: {says: A., type: D, metric: top1, contrast: [{minus: [{projection: linear}, 40]}]}}\n"
    )
    path.write_text(path.read_text() + claim)
    freeze = lab.params / "frozen" / "smoke.yaml"
    freeze.parent.mkdir()
    freeze.write_text(json.dumps(content(lab.params, "smoke", "2026-11-01")))
    lab.draw("figure_08")
    page = lab.index()
    assert "frozen on 2026-11-01 , before the first run. Nothing has changed since." in text_of(page)
    again = [{"date": "2026-11-03", "what": ["figure_08"], "why": "it was declared then"}]
    freeze.write_text(json.dumps(content(lab.params, "smoke", "2026-11-01") | {"again": again}))
    said = (
        "Frozen again on 2026-11-03 : Figure 8, because it was declared then. Nothing else has changed since."
    )
    assert said in text_of(lab.index())
    path.write_text(path.read_text().replace("says: A.", "says: B."))
    lab.draw("figure_08")
    page = lab.index()
    assert "Changed since, and marked † : C1." in text_of(page)
    assert re.search(r'<strong>C1</strong> <abbr class="since"', page) and ">C1†<" in page
