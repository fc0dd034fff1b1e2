"""Every exhibit from small evidence: known values arrive, bytes repeat, what is missing is named."""

import csv
import io
import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from common import receipts
from reports import draw, verdict
from tests.reports.conftest import refused

ROOT = Path(__file__).resolve().parents[2]
FIGURES = ("figure_02", "figure_03", "figure_04", "figure_06", "figure_08", "figure_09")
TABLES = ("table_01", "table_02", "table_05")


def table_of(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


@pytest.mark.parametrize("exhibit", FIGURES + TABLES)
def test_equal_evidence_equal_bytes(nine, exhibit):
    first = nine.draw(exhibit)
    rows = nine.tidy(exhibit) / "rows.csv"
    header, *lines = rows.read_text().splitlines()
    rows.write_text("\n".join([header, *reversed(lines)]) + "\n")  # another collector's order
    second = nine.draw(exhibit)
    assert first.keys() == second.keys()
    if exhibit != "figure_02":
        assert set(first) == (
            {"svg", "png", "csv", "json"} if exhibit in FIGURES else {"html", "tex", "csv", "json"}
        )
    assert [ending for ending in first if first[ending] != second[ending]] == []


@pytest.mark.parametrize(("exhibit", "warned"), [("figure_02", 0), ("figure_03", 0), ("figure_04", 1)])
def test_only_a_drawing_with_numbers_warns_of_them(nine, exhibit, warned):
    assert nine.figure(exhibit).get_supxlabel().count("these numbers") == warned
    record = json.loads(nine.draw(exhibit)["json"])
    assert " ".join(record["standing"]).count("these numbers") == warned


@pytest.mark.parametrize("exhibit", FIGURES)
def test_a_figure_has_content_and_carries_no_date_or_program(nine, exhibit):
    drawn = nine.draw(exhibit)
    assert drawn["png"].startswith(b"\x89PNG") and min(struct.unpack(">II", drawn["png"][16:24])) > 300
    assert drawn["svg"].count(b"<path") > 10
    for word in (b"Software", b"tEXt", b"tIME"):
        assert word not in drawn["png"]
    for word in (b"dc:date", b"Matplotlib v", b"<text"):
        assert word not in drawn["svg"]


def test_known_values_reach_csv_and_json(nine):
    drawn = nine.draw("figure_08")
    linear = next(
        row for row in table_of(drawn["csv"]) if (row["projection"], row["output_dim"]) == ("linear", "32")
    )
    assert (linear["n"], linear["ours"], linear["spread"], linear["paper"]) == (
        "2",
        "47.5",
        "0.7071067812",
        "60.0",
    )
    record = json.loads(drawn["json"])
    assert record["measured"][0] == {
        "projection": "linear",
        "output_dim": "32",
        "metric": "top1",
        "n": 2,
        "diverged": 0,
        "mean": 47.5,
        "spread": 0.7071067812,
    }
    assert len(record["raw"]) == 6 and len(record["paper"]) == 15
    assert record["banner"].startswith("Scale smoke") and record["thinned"] == "2 of 7 widths."
    assert record["label"] == "Figure 8" and record["seeds"] == ["0", "1"] and not record["partial"]


def test_one_seed_has_no_spread(nine):
    record = json.loads(nine.draw("figure_09")["json"])
    assert {row["spread"] for row in record["measured"]} == {None} and {
        row["n"] for row in record["measured"]
    } == {1}


def test_a_table_shows_ours_beside_the_paper(nine):
    drawn = nine.draw("table_05")
    page, tex = drawn["html"].decode(), drawn["tex"].decode()
    assert page.count("4.8") == 18 and page.count("64.4") == 1 and page.count('<span class="paper">') == 18
    assert r"yes & 0.1 & ours & 4.8 & 4.8 & 4.8 \\" in tex and r" &  & paper & 4.5 & 87.8 & 64.4 \\" in tex
    assert "Contrastive accuracy (%)" in page and r"{Contrastive\\accuracy\\(\%)}" in tex


def test_columns_of_table_1_stand_as_printed(nine):
    tex = nine.draw("table_01")["tex"].decode()
    assert "1/8 & 1/4 & 1/2 & 1 & 1 (+Blur) & AutoAug" in tex
    assert " & paper & 59.6 & 61.0 & 62.6 & 63.2 & 64.5 & 61.1" in tex
    assert tex.index("SimCLR") < tex.index("Supervised")


def test_table_2_has_typeset_formulae_with_words_and_errors(nine):
    drawn = nine.draw("table_02")
    page = drawn["html"].decode()
    assert page.count('role="img" aria-label="') == 6 and page.count("2.5e-16") == 3 and page.count("64") >= 3
    assert r"\sum_{\boldsymbol{v}^{-}}" in drawn["tex"].decode()


@pytest.mark.parametrize(
    ("exhibit", "cell", "seeds"), [("table_01", "SimCLR,1/8,", (1, 2)), ("table_05", "yes,0.1,", (1, 2))]
)
def test_a_cell_with_more_seeds_shows_their_spread(nine, exhibit, cell, seeds):
    rows = nine.tidy(exhibit) / "rows.csv"
    first = next(line for line in rows.read_text().splitlines() if line.startswith(cell) and ",top1," in line)
    value = first.split(",")[4]
    more = [
        first.replace(f"{cell}0,", f"{cell}{seed},").replace(value, str(float(value) + seed))
        for seed in seeds
    ]
    rows.write_text(rows.read_text() + "\n".join(more) + "\n")
    drawn = nine.draw(exhibit)
    page, tex = drawn["html"].decode(), drawn["tex"].decode()
    assert page.count("± 1.0") == 1 and page.count("n = 3") == 1 and page.count("n = 1") > 5
    assert tex.count(r"$\pm$ 1.0") == 1 and "± is the standard deviation over the n seeds" in page


@pytest.mark.parametrize("exhibit", FIGURES + TABLES)
def test_missing_runs_are_named_and_nothing_is_left_out(nine, exhibit):
    nine.lose(exhibit, ["pretrain/lost-seed0"])  # the worst case: no run has finished
    (nine.tidy(exhibit) / "arrays.npz").unlink(missing_ok=True)
    drawn = nine.draw(exhibit)
    record = json.loads(drawn["json"])
    assert record["partial"] and record["missing"] == ["pretrain/lost-seed0"]
    assert "PARTIAL: 1 missing: pretrain/lost-seed0." in record["standing"]
    if exhibit in TABLES:
        assert b"PARTIAL: 1 missing: pretrain/lost-seed0." in drawn["html"] and b"not run" in drawn["html"]
        assert b"PARTIAL" in drawn["tex"]


def test_a_panel_without_its_run_is_drawn_as_missing(nine):
    whole = nine.draw("figure_04")["svg"].count(b"<image")
    nine.lose("figure_04", ["operators/op9"], lambda run: run == "op9")  # Sobel
    assert nine.draw("figure_04")["svg"].count(b"<image") == whole - 1


def test_hostile_labels_are_text(lab):
    hostile = "<script>alert('x & y')</script> 100% \\input{/etc/passwd}_$"
    lab.put("table_05", ["l2_norm", "temperature"], [], title=hostile, missing=[hostile])
    drawn = lab.draw("table_05")
    assert b"<script>" not in drawn["html"] and b"&lt;script&gt;" in drawn["html"]
    tex = drawn["tex"].decode()
    assert r"\input" not in tex and r"100\% \textbackslash{}input\{/etc/passwd\}\_\$" in tex
    assert json.loads(drawn["json"])["title"] == hostile


def test_a_dollar_in_a_label_is_text_on_a_figure_and_in_its_record(lab):
    heads, thinned = ["projection", "output_dim"], "A GPU is $2 an hour; 4096_8192 would cost $300 more"
    rows = [
        [kind, 32, 0, "top1", 41.0, f"{place}-seed0"] for place, kind in enumerate(("$lr_a_b$", "linear"))
    ]
    lab.put("figure_08", heads, rows, thinned=thinned)
    record = json.loads(lab.draw("figure_08")["json"])
    assert record["thinned"] == thinned and thinned in " ".join(record["standing"])
    assert "$lr_a_b$" in record["knobs"]["projection"]
    assert r"\$" not in str(record), "escaped on the figure alone"


def test_a_missing_module_says_where_to_write_it(lab):
    (lab.params / "paper" / "figure_99.csv").write_text("metric,value,unit,confidence,note\n")
    lab.put("figure_99", [], [])
    with refused(r"expected a module with draw\(evidence\).* where reports/exhibits/figure_99.py"):
        lab.draw("figure_99")


def test_the_receipt_holds_the_checksums(nine):
    nine.draw("table_01")
    receipt = json.loads((nine.results / "smoke" / "drawn" / "table_01.json").read_text())
    assert set(receipt["files"]) == {"table_01.html", "table_01.tex", "table_01.csv", "table_01.json"}


def test_a_call_for_all_leaves_the_receipts_of_calls_for_one_true(nine):
    """Else what such a call wrote would list other drawings, and be a reason to do every step again."""
    nine.draw("table_05")
    declared = nine.params / "exhibits" / "table_05.yaml"
    declared.write_text(declared.read_text().replace("title: ", "title: Again "))
    nine.settle()
    for command in (verdict.main, draw.main):
        assert command(["--scale", "smoke", *nine.places("params", "results", "out")]) == 0
    folder = nine.results / "smoke"
    listed = json.loads((folder / "receipts/drawn/table_05.json").read_text())["files"]
    assert {Path(name).name for name in listed} == {f"table_05.{end}" for end in draw.ENDINGS["table"]}
    assert receipts.discard_broken(folder) == []


def test_the_command_ends_with_2_and_no_traceback(tmp_path):
    command = [sys.executable, "-m", "reports.draw", "--scale", "smoke", "--exhibit", "figure_99"]
    ended = subprocess.run([*command, "--params", str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 2 and ended.stderr.startswith("error: unknown exhibit `figure_99`")
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ({"exhibit": "figure8"}, "figure_08"),
        ({"exhibit": "tabel_08"}, "table_05"),
        ({"scale": "smok"}, "smoke"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(lab, capsys, wrong, near):
    for exhibit in ("figure_08", "table_05"):
        lab.put(exhibit, [], [])
    asked = {"scale": "smoke", "exhibit": "figure_08"} | wrong
    options = [f"--{name}={text}" for name, text in asked.items()]
    places = lab.places("params", "results", "out")
    assert draw.main([*options, *places]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: unknown") and f"(did you mean `{near}`?)" in said
    assert not lab.out.exists()


def test_drawings_are_the_same_bytes_on_any_number_of_cores(nine, monkeypatch):
    nine.judge()
    found, exhibits = [], ("figure_02", "figure_04", "figure_08", "table_01", "table_02", "table_05")
    for cores in (1, 2):
        monkeypatch.setattr(draw.machine, "cores", lambda cores=cores: cores)
        draw.write_all(exhibits, "smoke", nine.folders, nine.out / str(cores))
        found.append({path.name: path.read_bytes() for path in (nine.out / str(cores)).iterdir()})
    assert found[0] == found[1] and {"figure_08.svg", "table_05.html"} <= found[0].keys()
    (nine.tidy("table_05") / "rows.csv").write_text("damaged")
    with refused("table_05"):
        draw.write_all(exhibits, "smoke", nine.folders, nine.out / "2")
