"""Learning curves: what is drawn of them, and what is refused."""

import json

import pytest

from reports.drawing.curves import FEW, draw_curves
from tests.reports.conftest import refused

HEADER = "run,epoch,metric,value\n"


def put(lab, temperatures=(0.1, 0.5), seeds=(0, 1), diverged=()):
    """Table 5 with a loss that falls by one an epoch from 10 + place + seed."""
    cells = [(tau, place, seed) for place, tau in enumerate(temperatures, start=1) for seed in seeds]
    rows = [["yes", tau, seed, "top1", 40.0 + place, f"t{place}-seed{seed}"] for tau, place, seed in cells]
    rows = [[*row[:3], "diverged", 2, row[-1]] if row[-1] in diverged else row for row in rows]
    lab.put("table_05", ["l2_norm", "temperature"], rows)
    lines = [
        f"pretrain/t{place}-seed{seed},{epoch},loss,{10 + place + seed - epoch}\n"
        for _, place, seed in cells
        for epoch in (1, 2, 3)
    ]
    (lab.tidy("table_05") / "curves.csv").write_text(HEADER + "".join(lines))
    return lab


def figure(lab):
    return draw_curves(lab.load("table_05"))


def test_a_curve_is_the_mean_over_seeds_with_a_band_from_the_least_to_the_most(lab):
    (axes,) = figure(put(lab)).axes
    assert [list(line.get_ydata()) for line in axes.lines[:2]] == [[10.5, 9.5, 8.5], [11.5, 10.5, 9.5]]
    assert [tuple(band.get_paths()[0].get_extents().intervaly) for band in axes.collections] == [
        (8, 11),
        (9, 12),
    ]


def test_a_run_that_diverged_ends_in_a_cross(lab):
    (axes,) = figure(put(lab, diverged=("t2-seed1",))).axes
    (cross,) = [line for line in axes.lines if line.get_marker() == "x"]
    assert (list(cross.get_xdata()), list(cross.get_ydata())) == ([3.0], [10.0])


def test_few_cells_are_named_and_many_are_told_apart_by_one_knob(lab):
    names = {text.get_text() for text in figure(put(lab)).legends[0].get_texts()}
    assert names == {"l2 norm yes, temperature 0.1", "l2 norm yes, temperature 0.5"}
    many = figure(put(lab, temperatures=range(1, FEW + 3)))
    assert {text.get_text() for text in many.legends[0].get_texts()} == {f"{FEW + 2} settings"}


def test_the_drawing_is_listed_in_the_record_and_has_equal_bytes(lab):
    put(lab).draw("table_05")
    path = lab.out / "smoke" / "table_05_curves.svg"
    first = path.read_bytes()
    assert path.name in json.loads((lab.out / "smoke" / "table_05.json").read_text())["files"]
    path.unlink()
    lab.draw("table_05")
    assert path.read_bytes() == first


def test_without_curves_none_are_drawn(lab):
    put(lab)
    (lab.tidy("table_05") / "curves.csv").write_text(HEADER)
    lab.draw("table_05")
    assert not list((lab.out / "smoke").glob("*_curves.svg"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("run,epoch,metric\n", "expected run, epoch, metric, value"),
        (HEADER + "pretrain/t1-seed0,1,loss,nan\n", "expected a finite value of run pretrain/t1-seed0"),
        (HEADER + "pretrain/t1-seed0,one,loss,3\n", "expected a finite epoch"),
    ],
)
def test_damaged_curves_are_named(lab, text, said):
    put(lab)
    (lab.tidy("table_05") / "curves.csv").write_text(text)
    with refused(f"{said}.*curves\\.csv"):
        lab.load("table_05")
