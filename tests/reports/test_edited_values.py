"""Whoever edits a value in a declaration sees its cell, beside the paper's settings that are then not run."""

import math

import numpy as np
import pytest
from matplotlib.figure import Figure


def edit(nine, exhibit: str, old: str, new: str) -> None:
    """What an edited declaration leaves behind: tidy rows with another value of a knob."""
    rows = nine.tidy(exhibit) / "rows.csv"
    assert old in rows.read_text()
    rows.write_text(rows.read_text().replace(old, new))


def test_an_edited_temperature_has_its_own_row(nine):
    edit(nine, "table_05", "yes,0.1,", "yes,0.2,")
    edit(nine, "table_05", "no,100.0,", "no,5,")
    lines = nine.draw("table_05")["tex"].decode().splitlines()
    ours = [line.split(" & ")[:4] for line in lines if " & ours & " in line]
    assert [row[:2] for row in ours] == [
        *[["yes", tau] for tau in ("0.05", "0.1", "0.2", "0.5", "1")],
        *[["no", tau] for tau in ("5", "10", "100")],
    ]
    assert [row[3] for row in ours] == ["4.8", "not run", "4.8", "4.8", "4.8", "4.8", "4.8", "not run"]
    not_run = next(place for place, line in enumerate(lines) if line.startswith("yes & 0.1 "))
    assert lines[not_run + 1] == r" &  & paper & 4.5 & 87.8 & 64.4 \\"  # no n: nothing was measured
    measured = next(place for place, line in enumerate(lines) if line.startswith("yes & 0.2 "))
    assert lines[measured + 1] == r" &  & $n$ & 1 & 1 & 1 \\" and lines[measured + 2].startswith("yes & 0.5")


def test_an_edited_policy_or_method_stands_after_the_papers(nine):
    edit(nine, "table_01", "SimCLR,1/4,", "SimCLR,1/3,")
    edit(nine, "table_01", "Supervised,AutoAug,", "Barlow,AutoAug,")
    tex = nine.draw("table_01")["tex"].decode()
    assert "1/8 & 1/4 & 1/2 & 1 & 1 (+Blur) & AutoAug & 1/3" in tex
    assert r"(\%) & ours & 33.2 & not run & 33.2 & 33.2 & 33.2 & 33.2 & 33.2 \\" in tex
    assert r" & paper & 59.6 & 61.0 & 62.6 & 63.2 & 64.5 & 61.1 &  \\" in tex
    assert tex.index("SimCLR") < tex.index("Supervised") < tex.index("Barlow")


def test_an_edited_loss_has_a_row_without_formulae(nine):
    edit(nine, "table_02", "Margin Triplet,", "Hinge,")
    drawn = nine.draw("table_02")
    assert drawn["html"].count(b'role="img"') == 6 and drawn["html"].count(b"not run") == 2
    assert r"Hinge &  &  & 2.5e-16 ($n=1$) & 64 ($n=1$) \\" in drawn["tex"].decode()


def heights(figure: Figure) -> list[float]:
    """Of our bars (left panel), smallest first; a cell that was not run has none."""
    found = [bar.get_height() for bar in figure.axes[0].patches]
    return sorted(height for height in found if not math.isnan(height))


@pytest.mark.parametrize(
    ("exhibit", "old", "new", "shown"),
    [
        ("figure_08", "none,64", "residual,64", ["Linear", "Non-linear", "None", "residual"]),
        ("figure_09", "32,2,", "48,2,", ["32", "48", "256", "512", "1024", "2048", "4096", "8192"]),
    ],
)
def test_an_edited_bar_is_drawn_and_named(nine, exhibit, old, new, shown):
    before = heights(nine.figure(exhibit))
    edit(nine, exhibit, old, new)
    figure = nine.figure(exhibit)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == shown
    assert heights(figure) == before


def test_groups_of_bars_stand_by_size(nine):
    edit(nine, "figure_09", "256,2,", "256,1,")
    ticks = [tick.get_text() for tick in nine.figure("figure_09").axes[0].get_xticklabels()]
    assert ticks == ["1", "2", "4"]


def test_an_edited_operator_has_its_own_panel(nine):
    edit(nine, "figure_04", "sobel,", "posterize,")
    figure = nine.figure("figure_04")
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles[9:] == ["(j) Sobel filtering", "(k) posterize"] and len(figure.axes) == 15
    assert [len(axes.images) for axes in figure.axes] == [1] * 9 + [0, 1] + [0] * 4


def test_more_images_and_distortions_have_their_own_panels(nine):
    whole = nine.draw("figure_06")["svg"].count(b"<image")
    edit(nine, "figure_06", "12,yes,", "17,strong,")
    assert len(nine.figure("figure_06").axes) == 3 * 3 * 2 * 4
    assert nine.draw("figure_06")["svg"].count(b"<image") == whole


def test_figures_survive_fewer_crops(nine):
    for exhibit, crops in (("figure_02", "r/crops"), ("figure_06", "h-5-no/crops")):
        path = nine.tidy(exhibit) / "arrays.npz"
        with np.load(path) as archive:
            arrays = dict(archive)
        np.savez(path, **arrays | {crops: arrays[crops][:1]})
        before = sum(len(array) for name, array in arrays.items() if name.endswith("/crops"))
        kept = before - len(arrays[crops]) + 1
        assert sum(len(axes.images) for axes in nine.figure(exhibit).axes) == kept
