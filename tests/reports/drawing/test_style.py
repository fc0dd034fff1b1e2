"""What every figure shares: limits, colours, printed names, and files that are small and say the same."""

import re
import xml.etree.ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest

from reports.drawing.style import PALETTE, like_paper, notes, png_bytes, style, svg_bytes, words_as_text
from reports.page.png import has_photos
from reports.reading.declarations import label


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


def test_a_drawing_has_equal_bytes_each_time_and_no_date(lab):
    lab.put("figure_09", ["batch_size", "epochs"], [[64, 1, 0, "top1", 30.0, "b-seed0"]])
    first, second = lab.draw("figure_09"), lab.draw("figure_09")
    assert first == second and b"date>" not in first["svg"] and b"Matplotlib" not in first["png"]


@pytest.mark.parametrize("width", [5.4, 6.4, 7.4])
def test_notes_stay_within_the_width_of_their_figure(lab, width):
    missing = [f"linear_eval/part1-seed{place}" for place in range(4)]
    lab.put("figure_09", ["batch_size", "epochs"], [], missing=missing)
    with style("figure_09"):
        figure, _ = plt.subplots(figsize=(width, 3))
        sentences = ["Averages of ours and of the difference are over the cells."] * 9
        drawing = notes(figure, lab.load("figure_09"), *sentences)
        figure.canvas.draw()
        box = figure._supxlabel.get_window_extent()
        assert 0.7 * figure.bbox.width < box.width and box.x1 <= figure.bbox.width
        assert figure._supxlabel.get_text().count("\n") < 4 and drawing.notes == sentences


def test_an_error_bar_is_told_from_a_dark_bar_and_one_seed_has_none(lab):
    rows = [[64, 1, seed, "top1", 30.0 + seed, f"b-seed{seed}"] for seed in (0, 1)]
    lab.put("figure_09", ["batch_size", "epochs"], [*rows, [64, 2, 0, "top1", 30.0, "c-seed0"]])
    lines = [line for line in lab.figure("figure_09").axes[0].lines if np.isfinite(line.get_ydata()).any()]
    assert len(lines) == 1 and lines[0].get_path_effects()


def test_an_svg_keeps_places_to_a_hundredth_and_every_digit_of_a_text():
    with style("x"), words_as_text():
        figure, axes = plt.subplots()
        axes.plot([0, 1], [0, 1 / 3])
        axes.set_title("0.123456")
        drawn = svg_bytes(figure)
    places = [
        number for text in re.findall(rb' d="[^"]*"', drawn) for number in re.findall(rb"\.(\d+)", text)
    ]
    assert places and max(map(len, places)) == 2
    assert b"0.123456" in drawn and b"\n " not in drawn
    xml.etree.ElementTree.fromstring(drawn)


def test_a_palette_tells_a_picture_without_photographs():
    with style("x"):
        figure, axes = plt.subplots()
        without = png_bytes(figure)
        axes.imshow(np.zeros((2, 2, 3)))
        assert [has_photos(without), has_photos(png_bytes(figure))] == [False, True]
