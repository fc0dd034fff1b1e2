"""The forms of drawing that an exhibit of our own may have: what they show of us and of a paper, or without either."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import RendererAgg

from reports.drawing.bars import Bars, draw_bars
from reports.drawing.heat_map import HeatMap, Panel, draw_heat_map, draw_panel
from reports.drawing.lines import Lines, draw_lines
from reports.drawing.literal import literal
from reports.drawing.sizes import draw_points
from reports.drawing.style import style
from reports.reading.exhibit import load
from reports.reading.summary import summarize

KNOBS = ("depth", "head")
LABELS = {"x_label": "Depth", "hue_label": "Head"}
FORMS = {
    "bars": (draw_bars, Bars("top1", "depth", "head", (0, 100), **LABELS)),
    "lines": (draw_lines, Lines("top1", "depth", "head", (0, 100), **LABELS)),
    "heat map": (draw_heat_map, HeatMap("top1", "head", "depth", "Head", "Depth")),
}
SHOWN = {(10, "linear"): (30, 34), (2, "linear"): (20, 24), (10, "none"): (11, 13), (2, "none"): (9, 9)}
ROWS = [
    [depth, head, seed, "top1", values[seed], f"depth{depth}-{head}-seed{seed}"]
    for (depth, head), values in SHOWN.items()
    for seed in (0, 1)
]
OTHERS = [[*row[:3], "knn_top1", 99, row[5]] for row in ROWS]


def panels(lab, form: str, rows: list, name: str = "figure_x1"):
    lab.put(name, KNOBS, rows)
    draw, shown = FORMS[form]
    with style(name):
        drawing = draw(load(name, "smoke", lab.folders), shown)
        drawing.figure.canvas.draw()
    return drawing, [axes for axes in drawing.figure.axes if axes.get_title(loc="left")]


@pytest.mark.parametrize("form", FORMS)
def test_an_exhibit_of_our_own_is_one_panel_and_is_compared_with_nothing(lab, form):
    drawing, shown = panels(lab, form, ROWS + OTHERS)
    assert len(shown) == 1 and "Ours" in shown[0].get_title(loc="left")
    assert not [note for note in drawing.notes if "aper" in note]


@pytest.mark.parametrize("form", FORMS)
def test_nothing_measured_is_an_empty_panel(lab, form):
    _, shown = panels(lab, form, [])
    assert len(shown) == 1


@pytest.mark.parametrize("form", FORMS)
def test_the_papers_values_stand_beside_ours(lab, form):
    text = "depth,head,metric,value,unit,confidence,note\n" + "".join(
        f"{depth},{head},top1,{first + 40},%,printed,\n" for (depth, head), (first, _) in SHOWN.items()
    )
    (lab.params / "paper" / "figure_x1.csv").write_text(text)
    _, shown = panels(lab, form, ROWS)
    assert len(shown) == 2 and "Paper" in shown[1].get_title(loc="left")
    if form == "heat map":
        _, (ours, papers) = panels(lab, form, [])
        assert [text.get_text() for text in ours.texts] == ["no values"] and len(papers.texts) == len(SHOWN)


def test_a_heat_map_has_means_over_seeds_in_the_order_of_settings(lab):
    _, (axes,) = panels(lab, "heat map", ROWS + OTHERS)
    columns = [label.get_text() for label in axes.get_xticklabels()]
    rows = [label.get_text() for label in axes.get_yticklabels()]
    assert (columns, rows) == (["2", "10"], ["linear", "none"])
    assert [text.get_text() for text in axes.texts] == ["22.0", "32.0", "9.0", "12.0"]


def test_a_line_goes_through_the_means_along_a_numeric_axis(lab):
    _, (axes,) = panels(lab, "lines", ROWS + OTHERS)
    lines = [line for line in axes.lines if len(line.get_xdata()) == 2 and line.get_linestyle() == "-"]
    found = {tuple(np.round(line.get_ydata(), 6)) for line in lines if list(line.get_xdata()) == [2, 10]}
    assert {(22, 32), (9, 12)} <= found


def test_words_along_an_axis_stay_words(lab):
    worded = [["ResNet-" + str(row[0]), *row[1:]] for row in ROWS]
    _, (axes,) = panels(lab, "lines", worded)
    assert {"ResNet-2", "ResNet-10"} <= {label.get_text() for label in axes.get_xticklabels()}


def test_points_and_cells_of_trainings_that_diverged_are_marked(lab):
    """Of one seed a cross lies on the point that the others make; of all a heat map's cell has a cross, not a dash."""
    knobs = ["kind", "size"]
    rows = [
        [kind, size, seed, "top1", 10.0 * int(size) + seed, f"{kind}{size}-seed{seed}"]
        for kind in ("a", "b")
        for size in ("1", "2")
        for seed in (0, 1)
    ]
    lost = {"a1-seed1", "b2-seed0", "b2-seed1"}
    rows = [[*row[:3], "diverged", 2, row[-1]] if row[-1] in lost else row for row in rows]
    lab.put("figure_x1", knobs, rows)
    evidence = load("figure_x1", "smoke", lab.folders)
    shown = HeatMap("top1", "kind", "size", "Kind", "Size")
    texts = [text.get_text() for text in draw_heat_map(evidence, shown).figure.axes[0].texts]
    assert texts.count("x") == 1 and "-" not in texts
    cells = summarize(evidence.measured, evidence.knobs).rename(columns={"mean": "top1"})
    points = cells.assign(params=[1, 2, 3, 4], series="a", line="a", name="a").dropna(subset=["top1"])
    _, axes = plt.subplots()
    draw_points(axes, points, {"a": ("o", "#000000")})
    (crosses,) = [line for line in axes.get_lines() if line.get_marker() == "x"]
    assert list(crosses.get_xydata()[0]) == [1, 10.0]


@pytest.mark.parametrize("form", FORMS)
def test_a_dollar_is_a_dollar_in_every_form(lab, form, monkeypatch):
    """What stands between two of them is no formula, and one that cannot be typeset no traceback."""
    drawn = []
    monkeypatch.setattr(
        RendererAgg, "draw_text", lambda self, gc, x, y, s, *rest, **more: drawn.append((s, *rest))
    )
    heads = {"linear": "$lr_a_b$", "none": "$2 to $300"}
    rows = [
        [row[0], heads[row[1]], *row[2:5], f"depth{row[0]}-{len(heads[row[1]])}-seed{row[2]}"] for row in ROWS
    ]
    lab.put("figure_x1", KNOBS, rows, thinned="A GPU is $2 an hour; all would be $300.")
    draw, shown = FORMS[form]
    with style("figure_x1"):
        draw(literal(load("figure_x1", "smoke", lab.folders)), shown).figure.canvas.draw()
    assert {text for text, *_ in drawn} >= {"$lr_a_b$", "$2 to $300"}
    assert [text for text, *_ in drawn if "A GPU is $2 an hour; all would be $300." in text]


def test_a_heat_map_of_which_nothing_is_known_says_so_and_has_no_scale_of_colours():
    figure, axes = plt.subplots()
    cells = pd.DataFrame(np.full((2, 2), np.nan))
    draw_panel(axes, Panel("Ours", cells), "Head", "Depth")
    assert [text.get_text() for text in axes.texts] == ["no values"] and len(figure.axes) == 1
    draw_panel(axes, Panel("Ours", cells, lost=np.eye(2, dtype=bool)), "Head", "Depth")
    assert sorted(text.get_text() for text in axes.texts[1:]) == ["-", "-", "x", "x"]
