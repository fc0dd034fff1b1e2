"""Figures 1, 5, 7 and Tables 3, 4, 6, C.1: declared as printed, known values arrive, what is missing is said."""

import itertools
import json
import math
import re
from typing import Any

import matplotlib.pyplot as plt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from ruamel.yaml import YAML

from reports.drawing.sizes import measured_points
from reports.reading.judged import Choice, choices_of
from reports.reading.knobs import canonical
from reports.reading.paper import load_paper
from tests.reports.conftest import ROOT, Lab

TUNED = """
claims:
  D1:
    says: The loss is good.
    type: report
    metric: top1
    tuned_over: [lr, margin, temperature]
"""
EXHIBITS = ("figure_01", "figure_05", "figure_07", "table_03", "table_04", "table_06", "table_c1")
OPERATORS = ("Crop", "Cutout", "Color", "Sobel", "Noise", "Blur", "Rotate")
KNOBS = {
    "figure_01": ["architecture", "method"],
    "figure_05": ["first", "second"],
    "figure_07": ["training", "depth", "width", "epochs"],
    "table_03": ["what_to_predict", "representation"],
    "table_04": ["semi_hard_mining", "loss", "lr", "margin", "temperature", "split"],
    "table_06": ["method", "architecture", "ablation"],
    "table_c1": ["model"],
}
BINDINGS = {
    "ViewPolicy.ops": ["crop", "flip", "color"],
    "resnet.depth": 8,
    "resnet.width": 2,
    "projection_head.kind": "linear",
    "Pretraining.loss": "nt_xent",
    "nt_xent.temperature": 0.5,
    "nt_xent.l2_normalize": True,
    "Pretraining.batch_size": 128,
    "Pretraining.epochs": 3,
}


def cells(exhibit: str) -> list[list[Any]]:
    """Small evidence: knob values, then metric and value."""
    if exhibit == "figure_01":
        sizes = {"SimCLR": 0.02, "SimCLR (2x)": 0.08, "Supervised (grey cross)": 0.02}
        return [
            ["ResNet-8", one, *pair]
            for one, size in sizes.items()
            for pair in (("params", size), ("top1", 41))
        ]
    if exhibit == "figure_05":
        grid = itertools.product(("Crop", "Color"), repeat=2)
        rows = [[*pair, "top1", 30 + 4 * place] for place, pair in enumerate(grid)]
        rows += [["Crop+Color", "both branches", "top1", 61.5]]
        return rows + [[*row[:2], "contrastive_accuracy", 90 - row[3]] for row in rows]
    if exhibit == "figure_07":
        simclr = [("SimCLR linear eval", *rest) for rest in ((8, 1, 1), (8, 2, 1), (14, 1, 1), (8, 1, 3))]
        every = [*simclr, ("supervised", 8, 1, 4)]
        return [
            [*one, *pair]
            for one in every
            for pair in (("params", one[1] * one[2] / 100), ("top1", 40 + one[3]))
        ]
    if exhibit == "table_03":
        return [
            ["Rotation", one, "accuracy", 25.5 + place]
            for place, one in enumerate(("random guess", "h", "g(h)"))
        ]
    if exhibit == "table_06":
        plain = [["SimCLR", "ResNet-8", "", name, 33.5] for name in ("params", "top1", "top5", "knn_top1")]
        cut = [
            ["SimCLR (ablation)", "ResNet-8", kind, "top1", 21.5]
            for kind in ("momentum SGD", "global batch norm")
        ]
        return [
            *plain,
            *cut,
            ["SimCLR (ablation)", "ResNet-8", "on-line classifier", "online_top1", 44.5],
        ]
    if exhibit == "table_c1":
        return [["SimCLR, as run here", "params", 0.02]]
    found = [("no", "Margin triplet", 3, margin, "") for margin in (0.4, 0.8)]
    found += [("yes", "NT-Logistic", 3, "", tau) for tau in (0.2, 0.5)] + [("no", "NT-Xent", 3, "", "")]
    accuracy = {"validation": 30.5, "test": 70.5}  # falling with the setting, so that the first is best
    return [[*one, s, "top1", accuracy[s] - (one[3] or one[4] or 0)] for one in found for s in accuracy]


def put(lab: Lab, exhibit: str, rows: list[list[Any]], seeds: tuple[int, ...] = (0,), **extra: Any) -> None:
    """Lay the evidence down, for every seed, with the bindings of a real run."""
    names = KNOBS[exhibit]
    full = [
        [*row[:-2], seed, *row[-2:], f"cell{place}-seed{seed}"]
        for seed in seeds
        for place, row in enumerate(rows)
    ]
    lab.put(exhibit, names, full, **extra)
    path = lab.tidy(exhibit) / "provenance.json"
    found = json.loads(path.read_text())
    for run in found["runs"].values():
        run["bindings"] = BINDINGS
    path.write_text(json.dumps(found))
    if exhibit == "table_04":
        path = lab.params / "exhibits" / "table_04.yaml"
        path.write_text(path.read_text() + TUNED)


@pytest.fixture
def seven(lab: Lab) -> Lab:
    for exhibit in EXHIBITS:
        put(lab, exhibit, cells(exhibit))
    return lab


def texts(figure: Figure, panel: int) -> list[str]:
    return [text.get_text() for text in figure.axes[panel].texts]


def cells_of(figure: Figure, panel: int) -> list[str]:
    """What stands in the cells of a heat map, row by row."""
    found = sorted(figure.axes[panel].texts, key=lambda text: text.get_position()[::-1])
    return [text.get_text() for text in found]


def lines_of(drawn: dict[str, bytes]) -> list[list[str]]:
    """The rows of a LaTeX table as lists of cells."""
    tex = drawn["tex"].decode().splitlines()
    return [line.removesuffix(r" \\").split(" & ") for line in tex if line.endswith(r"\\")]


@pytest.mark.parametrize("exhibit", EXHIBITS)
def test_equal_evidence_equal_bytes(seven, exhibit):
    first = seven.draw(exhibit)
    rows = seven.tidy(exhibit) / "rows.csv"
    header, *lines = rows.read_text().splitlines()
    rows.write_text("\n".join([header, *reversed(lines)]) + "\n")
    second = seven.draw(exhibit)
    assert [ending for ending in first if first[ending] != second[ending]] == []


@pytest.mark.parametrize("exhibit", EXHIBITS)
def test_nothing_but_missing_runs_is_drawn_and_said(lab, exhibit):
    put(lab, exhibit, [], missing=["pretrain/lost-seed0"])
    table = exhibit.startswith("table")
    said = lab.draw(exhibit)["html"].decode() if table else lab.figure(exhibit).get_supxlabel()
    assert "PARTIAL: 1 missing: pretrain/lost-seed0." in said
    assert "not run" in said or exhibit in ("figure_01", "figure_07")


@pytest.mark.parametrize("exhibit", EXHIBITS)
def test_knobs_are_called_as_the_papers_columns(exhibit):
    """Ours meet the paper's by name; what only we vary comes beside."""
    paper = load_paper(ROOT / "params" / "paper" / f"{exhibit}.csv")
    ours = {name for cell in declared(exhibit, "paper") for name in cell}
    assert set(paper.columns[: paper.columns.get_loc("metric")]) <= ours
    assert ours <= set(KNOBS[exhibit]) | {"lr", "margin", "temperature", "split"}


def declared(exhibit: str, scale: str) -> list[dict[str, str]]:
    """The knob values and labels of every cell that the YAML declares."""
    tree = YAML(typ="safe").load((ROOT / "params" / "exhibits" / f"{exhibit}.yaml").read_text())
    blocks = (tree["scales"][scale] or {}).get("runs", tree["runs"])
    found = []
    for block in blocks:
        for point in itertools.product(*block["grid"].values()):
            values = block.get("label", {}) | dict(zip(block["grid"], point, strict=True))
            found.append({name: canonical(str(value)) for name, value in values.items()})
    return found


@pytest.mark.parametrize(
    ("exhibit", "cell_count"),
    [
        ("figure_01", 4),
        ("figure_05", 50),
        ("figure_07", 19),
        ("table_03", 12),
        ("table_04", 162),
        ("table_06", 8),
    ],
)
def test_every_printed_setting_of_the_papers_own_is_declared(exhibit, cell_count):
    ours = declared(exhibit, "paper")
    assert len(ours) == cell_count
    paper = load_paper(ROOT / "params" / "paper" / f"{exhibit}.csv")
    if "method" in paper:
        paper = paper[paper["method"].str.startswith(("SimCLR", "Supervised"))]
    paper = paper[paper["metric"] != "row_mean_top1"]
    for printed in paper[paper.columns[: paper.columns.get_loc("metric")]].to_dict(orient="records"):
        assert any(printed.items() <= cell.items() for cell in ours), printed


def test_every_heat_map_has_the_papers_rows_and_columns_and_names_its_averages(seven):
    figure = seven.figure("figure_05")
    for panel in range(4):
        axes = figure.axes[panel]
        assert [tick.get_text() for tick in axes.get_yticklabels()] == list(OPERATORS)
        assert [tick.get_text() for tick in axes.get_xticklabels()] == [*OPERATORS, "Average"]
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("2nd transformation", "1st transformation")
        assert len(axes.texts) == 7 * 8


def test_cells_averages_and_differences_of_figure_5(seven):
    """Measured: Crop 30, Crop-Color 34, Color-Crop 38, Color 42; everything else was not run."""
    figure = seven.figure("figure_05")
    ours, paper, change, contrastive = (cells_of(figure, panel) for panel in range(4))
    row, color = slice(0, 8), slice(16, 24)
    assert ours[row] == ["30.0", "-", "34.0", "-", "-", "-", "-", "32.0"]
    assert ours[color] == ["38.0", "-", "42.0", "-", "-", "-", "-", "40.0"]
    assert paper[row] == ["33.1", "33.9", "56.3", "46.0", "39.9", "35.0", "30.2", "39.2"]
    assert change[row] == ["-3.1", "-", "-22.3", "-", "-", "-", "-", "-12.7"]
    assert contrastive[color] == ["52.0", "-", "48.0", "-", "-", "-", "-", "50.0"]
    assert set(ours[8:16]) == {"-"}
    said = seven.notes("figure_05")
    assert "Crop and color on both branches, as usual: 61.5 % (n = 1)." in said and "A dash: not run." in said


def test_figure_5_says_how_many_seeds_scatter(lab):
    put(lab, "figure_05", cells("figure_05"), seeds=(0, 1))
    assert "median standard deviation of a cell: 0.0 points" in lab.notes("figure_05")


def test_an_operator_of_ours_has_its_own_row_and_column(seven):
    rows = seven.tidy("figure_05") / "rows.csv"
    rows.write_text(rows.read_text().replace("Color,", "Equalize,"))
    axes = seven.figure("figure_05").axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [*OPERATORS, "Equalize"]


def test_text_is_legible_on_every_cell(seven):
    """Contrast of at least 3 between a cell and its number (WCAG, large text)."""

    def luminance(color: Any) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color[:3]]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for axes in seven.figure("figure_05").axes[:3]:
        colors = axes.collections[0].get_facecolors().reshape(7, 8, 4)
        for text in axes.texts:
            x, y = text.get_position()
            color = colors[int(y), int(x)] if text.get_text() != "-" else (0.957,) * 3
            pair = sorted((luminance(color), luminance(to_rgb(text.get_color()))))
            assert (pair[1] + 0.05) / (pair[0] + 0.05) > 3


def lines(figure: Figure, panel: int) -> dict[str, list[list[tuple[float, float]]]]:
    """The points of every labelled series, line by line."""
    axes, found = figure.axes[panel], {}
    handles, labels = axes.get_legend_handles_labels()
    names = {to_rgb(handle.get_color()): label for handle, label in zip(handles, labels, strict=True)}
    for line in axes.lines:
        if len(line.get_xdata()):
            points = [(round(float(x), 6), float(y)) for x, y in zip(*line.get_data(), strict=True)]
            found.setdefault(names[to_rgb(line.get_color())], []).append(points)
    for dots in axes.collections:
        points = [(round(float(x), 6), float(y)) for x, y in dots.get_offsets()]
        found.setdefault(names[to_rgb(dots.get_edgecolor()[0])], []).append(points)
    return {name: sorted(each) for name, each in found.items()}


def test_figure_7_draws_sizes_from_the_models_and_the_papers_beside(seven):
    figure = seven.figure("figure_07")
    assert lines(figure, 0) == {
        "SimCLR, 1 epoch": [[(0.08, 41.0), (0.16, 41.0)], [(0.14, 41.0)]],  # a line for each depth
        "SimCLR, 3 epochs": [[(0.08, 43.0)]],
        "supervised, 4 epochs": [[(0.08, 44.0)]],
    }
    assert sorted(texts(figure, 0)) == ["R14", "R8", "R8(2x)", "R8*", "Sup. R8"]
    paper = lines(figure, 1)
    assert paper["SimCLR, 1000 epochs"] == [[(24.0, 69.3), (94.0, 74.2), (375.0, 76.5)]]
    assert paper["supervised, 90 epochs"] == [[(26.0, 76.5), (94.0, 77.8), (375.0, 78.4)]]
    assert len(figure.axes[1].texts) == 19 and figure.axes[1].get_ylim() == (50, 80)


def test_figure_7_shows_the_spread_of_seeds(lab):
    rows = cells("figure_07")
    put(lab, "figure_07", rows, seeds=(0, 1))
    path = lab.tidy("figure_07") / "rows.csv"
    path.write_text(path.read_text().replace("8,1,3,1,top1,43,", "8,1,3,1,top1,45,"))
    point = measured_points(lab.load("figure_07")).query("epochs == '3'").iloc[0]
    assert (point["top1"], point["params"]) == (44.0, 0.08) and point["spread"] == pytest.approx(math.sqrt(2))
    assert "standard deviation over seeds" in lab.notes("figure_07")


def test_a_run_without_its_size_is_no_point(seven):
    lines = (seven.tidy("figure_07") / "rows.csv").read_text().splitlines()
    (found,) = [line for line in lines if line.startswith("SimCLR linear eval,14,1,1,0,params")]
    size = found.rsplit(",", 1)[1]
    seven.lose("figure_07", [f"linear_eval/{size}"], lambda run: run == size)
    assert "R14" not in texts(seven.figure("figure_07"), 0)


def test_figure_1_keeps_the_literature_apart_from_ours(seven):
    figure = seven.figure("figure_01")
    assert lines(figure, 0) == {"SimCLR": [[(0.02, 41.0), (0.08, 41.0)]], "supervised": [[(0.02, 41.0)]]}
    published = lines(figure, 1)
    assert len(published["literature"][0]) == 14 and (626.0, 68.1) in published["literature"][0]
    assert published["SimCLR"] == [[(24.0, 69.3), (94.0, 74.2), (375.0, 76.5)]]
    assert [axes.get_xscale() for axes in figure.axes] == ["log", "log"]
    assert [tick.get_text() for tick in figure.axes[1].get_xticklabels()] == [
        "25",
        "50",
        "100",
        "200",
        "400",
        "626",
    ]
    assert "none of them run here" in seven.notes("figure_01") and "not ours" in figure.axes[1].get_title(
        loc="left"
    )


@pytest.mark.parametrize("exhibit", ["figure_01", "figure_07"])
@pytest.mark.parametrize("panel", [0, 1])
def test_labels_do_not_lie_on_each_other(seven, exhibit, panel):
    figure = seven.figure(exhibit)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[panel].texts]
    assert not [pair for pair in itertools.combinations(boxes, 2) if pair[0].overlaps(pair[1])]
    plt.close(figure)


def test_table_3_has_chance_h_and_projection_beside_the_papers(seven):
    rows = lines_of(seven.draw("table_03"))
    place = next(place for place, row in enumerate(rows) if row[0] == "Rotation")
    assert rows[0][2:] == [r"\shortstack[r]{Random\\guess (\%)}", r"h (\%)", r"g(h) (\%)"]
    assert rows[place][1:] == ["ours", "25.5", "26.5", "27.5"]
    assert rows[place + 2][2:] == ["25", "67.6", "25.6"]


def test_table_4_shows_the_test_accuracy_of_what_validation_chose(seven):
    rows = {(row[0], row[1]): row[2:] for row in lines_of(seven.draw("table_04"))}
    assert rows["", ""] == [
        "Margin",
        "NT-Logi.",
        r"\shortstack[r]{Margin\\(sh)}",
        r"\shortstack[r]{NT-Logi.\\(sh)}",
        "NT-Xent",
    ]
    assert rows[r"Top-1 accuracy (\%)", "ours"] == ["70.1", "not run", "not run", "70.3", "70.5"]
    assert rows["", "paper"] == ["50.9", "51.6", "57.5", "57.9", "63.9"]
    assert rows[r"on the validation split (\%)", "ours"] == ["30.1", "not run", "not run", "30.3", "30.5"]
    assert rows["Margin m", "ours"] == ["0.4", "not run", "not run", "-", "-"]
    assert rows[r"Temperature $\tau$", "ours"] == ["-", "not run", "not run", "0.2", "-"]
    assert rows["Settings tried", "ours"] == ["2", "0", "0", "2", "1"]


def chosen(lab: Lab) -> Choice | None:
    """What validation chose for the margin loss."""
    choices = choices_of(lab.load("table_04").judged, "top1", loss="Margin triplet", semi_hard_mining="no")
    return next(choices, None)


def choose(lab: Lab, validation: dict[float, tuple[float, ...]], test: dict[float, float] | None = None):
    """The choice among margins with these validation accuracies, one for each seed, and these of the test."""
    rows = [
        ["no", "Margin triplet", 1, margin, "", seed, "validation", "top1", value, f"v{margin}-{seed}"]
        for margin, values in validation.items()
        for seed, value in enumerate(values)
    ]
    rows += [
        ["no", "Margin triplet", 1, margin, "", 0, "test", "top1", value, f"t{margin}"]
        for margin, value in (test or {}).items()
    ]
    names = ["semi_hard_mining", "loss", "lr", "margin", "temperature", "split"]
    ordered = [[*row[:5], row[6], row[5], *row[7:]] for row in rows]
    lab.put("table_04", names, ordered)
    path = lab.params / "exhibits" / "table_04.yaml"
    path.write_text(path.read_text() + TUNED)
    return chosen(lab)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(test=st.lists(st.integers(0, 100), min_size=3, max_size=3))
def test_the_test_split_decides_nothing(lab, test):
    found = choose(lab, {0.4: (50,), 0.8: (60,), 1.6: (55,)}, dict(zip((0.4, 0.8, 1.6), test, strict=True)))
    assert found["setting"] == {"lr": "1", "margin": "0.8", "temperature": ""} and found["tried"] == 3


def test_means_over_seeds_decide_and_the_first_of_equals_is_taken(lab):
    tests = {0.4: 1.0, 0.8: 1.0, 1.6: 1.0}
    assert choose(lab, {0.4: (70, 40), 0.8: (56, 56)}, tests)["setting"]["margin"] == "0.8"
    assert choose(lab, {1.6: (56,), 0.8: (56,)}, tests)["setting"]["margin"] == "0.8"


def test_the_table_shows_no_choice_where_a_claim_would_be_missing(lab):
    """Nothing is chosen as long as a setting has a seed to run, nor without validation or without the test."""
    unfinished = choose(lab, {0.4: (50,), 0.8: (60, 61)}, {0.4: 99.0, 0.8: 98.0})
    assert unfinished["setting"] == {} and "margin=0.4" in unfinished["missing"][0]
    assert "98.0" not in lab.draw("table_04")["tex"].decode()
    assert choose(lab, {0.4: (50,), 0.8: (60,)}, {0.4: 99.0})["missing"][0].startswith("top1 of")
    assert choose(lab, {}, {0.4: 99.0})["setting"] == {}


def test_table_6_marks_the_literature_and_never_calls_it_ours(seven):
    rows = lines_of(seven.draw("table_06"))
    literature = [row for row in rows if row[1].endswith("(literature)")]
    assert len(literature) == 10 and {row[3] for row in literature} == {"paper"}
    assert literature[3][1:7] == ["CPC v2 (literature)", "ResNet-50", "paper", "24", "63.8", "85.3"]
    order = [(row[1].removesuffix(" (literature)"), row[2]) for row in rows[1:] if row[1]]
    assert order[4] == ("SimCLR", "ResNet-50") and order[5] == ("Rotation", "RevNet-50 (4x)")
    assert order[11:13] == [("SimCLR", "ResNet-50 (2x)"), ("SimCLR", "ResNet-50 (4x)")]


def test_table_6_has_ours_and_then_the_ablations(seven):
    rows = [row for row in lines_of(seven.draw("table_06")) if row[3] == "ours"]
    assert [row[1:3] for row in rows[3:]] == [
        ["SimCLR", "ResNet-8"],
        ["global batch norm", "ResNet-8"],
        ["large batch, momentum SGD", "ResNet-8"],
        ["on-line classifier", "ResNet-8"],
    ]
    assert rows[0][4:7] == ["not run"] * 3  # the paper's ResNet-50, at a scale that has none
    assert rows[3][4:8] == ["33.5", "33.5", "33.5", "33.5"]
    assert rows[4][5] == "21.5" and rows[6][9] == "44.5"


def test_what_stands_beside_the_papers_measures_is_called_ours_alone(seven):
    html = seven.draw("table_06")["html"].decode()
    heads = re.findall(r'<th scope="col"[^>]*>(.*?)</th>', html)
    assert [head.endswith(", ours only") for head in heads] == [False] * 6 + [True] * 3
    assert heads[6].startswith("kNN top-1")


def test_the_papers_network_stands_once_with_both_numbers(seven):
    path = seven.tidy("table_06") / "rows.csv"
    path.write_text(path.read_text().replace("SimCLR,ResNet-8,", "SimCLR,ResNet-50,"))
    rows = lines_of(seven.draw("table_06"))
    place = next(place for place, row in enumerate(rows) if row[1:3] == ["SimCLR", "ResNet-50"])
    assert rows[place][5] == "33.5" and rows[place + 2][3:7] == ["paper", "24", "69.3", "89.0"]
    assert sum(row[1:3] == ["SimCLR", "ResNet-50"] for row in rows) == 1


def test_what_the_paper_adds_to_a_model_of_table_c1_is_a_footnote(seven):
    drawn = seven.draw("table_c1")
    page, tex = drawn["html"].decode(), drawn["tex"].decode()
    assert re.findall(r'<th scope="row">([^<]*[†‡])</th>', page) == [
        "CPC v2†",
        "AMDIM†",
        "CMC‡",
        "MoCo‡",
        "PIRL‡",
    ]
    assert "† examples split into patches" in page and "‡ memory bank" in page
    assert r"\dag{} examples split into patches" in tex and r"\ddag{} memory bank" in tex
    path = seven.params / "paper" / "table_c1.csv"
    path.write_text(path.read_text().replace("memory bank", ""))
    assert "‡" not in seven.draw("table_c1")["html"].decode()


def test_table_c1_is_the_papers_and_then_the_run(seven):
    rows = lines_of(seven.draw("table_c1"))
    assert [row[:2] for row in rows[1:]] == [
        *[[model + r"\dag{}", "paper"] for model in ("CPC v2", "AMDIM")],
        *[[model + r"\ddag{}", "paper"] for model in ("CMC", "MoCo", "PIRL")],
        ["SimCLR", "paper"],
        ["SimCLR, as run here", "ours"],
    ]
    assert rows[6][2:] == [
        "Crop+color+blur",
        "ResNet-50 (4x)",
        "Non-linear MLP",
        "Xent w/ l2, tau",
        "4096",
        "1000",
    ]
    assert rows[7][2:] == [
        "Crop+flip+color",
        "ResNet-8 (2x)",
        "Linear layer",
        r"Xent w/ l2, $\tau$ = 0.5",
        "128",
        "3",
    ]
