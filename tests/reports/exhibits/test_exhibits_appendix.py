"""Figures B.1-B.4, B.7, B.8 and Tables B.1, B.3 from small evidence with known answers."""

import csv
import io
import itertools
import json
import math
import re
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from reports.drawing.style import style
from reports.exhibits.figure_b8 import split

SWEEP = ["batch_size", "epochs", "learning_rate", "temperature"]
IDS = ("figure_b1", "figure_b2", "figure_b3", "figure_b4", "figure_b7", "figure_b8", "table_b1", "table_b3")
GRID = [(batch, epochs) for batch in (64, 256) for epochs in (1, 3)]
SPECTRUM = np.array([4.0, 1.0, 0.25, 0.0])


def sweep_rows() -> list[list]:
    """Accuracy 30 + 2 log2(batch / 64) + epochs + rate, 5 lower at temperature 0.1."""
    cells = itertools.product((64, 256), (1, 2), (1.0, 2.0, 4.0), (0.1, 0.5))
    return [
        [
            *cell,
            0,
            "top1",
            30 + 2 * math.log2(cell[0] / 64) + cell[1] + cell[2] - 5 * (cell[3] < 0.5),
            f"r{place}",
        ]
        for place, cell in enumerate(cells)
    ]


@pytest.fixture
def appendix(lab):
    """All eight, whole."""
    tops = {"top1": 40.0, "top2": 60.0, "top5": 90.0}
    sized = [[*cell, 0, "top1", 31.5, f"b{place}"] for place, cell in enumerate(GRID)]
    lab.put(
        "figure_b1",
        ["batch_size", "epochs"],
        [[*cell, 0, *top, f"b{place}"] for place, cell in enumerate(GRID) for top in tops.items()],
    )
    lab.put("figure_b2", ["batch_size", "epochs"], sized)
    lab.put(
        "figure_b3",
        ["projection", "output_dim"],
        [["linear", 4, 0, *pair, "w"] for pair in (("effective_rank", 2.25), ("top5_share", 76.2))],
        arrays={"w/squared_eigenvalues": SPECTRUM},
    )
    points = {"embedding": np.arange(40, dtype=np.float32).reshape(20, 2), "classes": np.arange(20) % 10}
    points["class_names"] = np.array([f"kind{label}" for label in range(10)])
    lab.put(
        "figure_b4",
        ["panel"],
        [
            [layer, 0, *pair, layer]
            for layer in "hz"
            for pair in (("silhouette", 0.125), ("knn_accuracy", 61.5))
        ],
        arrays={f"{layer}/{name}": array for layer in "hz" for name, array in points.items()},
    )
    labelled = [["SimCLR", *row] for row in sweep_rows()]
    lab.put("figure_b7", ["training", *SWEEP], [*labelled, ["supervised", *[""] * 4, 0, "top1", 44.5, "s"]])
    lab.put("figure_b8", SWEEP, sweep_rows())
    scalings = {"linear": 31.5, "sqrt": 32.25}
    lab.put(
        "table_b1",
        ["lr_scaling", "batch_size", "epochs"],
        [[name, *row[:4], value, f"{name}{row[-1]}"] for name, value in scalings.items() for row in sized],
    )
    lab.put(
        "table_b3",
        ["architecture", "augmentation", "epochs"],
        [["ResNet-50", policy, 90, 0, "top1", 70.5, policy] for policy in ("Crop", "+Color", "+Color+Blur")]
        + [["ResNet-8", "Crop", 2, 0, "top1", 33.5, "small"]],
    )
    return lab


def heights(axes) -> list[float]:
    """Of the bars that are there; a blank one has no height."""
    return [patch.get_height() for patch in axes.patches if math.isfinite(patch.get_height())]


def spreads(axes) -> list[float]:
    """Half the lengths of the error bars."""
    bars = [line.get_ydata() for line in axes.lines if line.get_path_effects()]
    return [(max(ends) - min(ends)) / 2 for ends in map(np.asarray, bars) if np.isfinite(ends).any()]


@pytest.mark.parametrize("exhibit", IDS)
def test_equal_evidence_equal_bytes(appendix, exhibit):
    first, rows = appendix.draw(exhibit), appendix.tidy(exhibit) / "rows.csv"
    header, *lines = rows.read_text().splitlines()
    rows.write_text("\n".join([header, *reversed(lines)]) + "\n")
    assert appendix.draw(exhibit) == first


@pytest.mark.parametrize("exhibit", IDS)
def test_without_a_run_it_is_partial_and_names_what_is_missing(appendix, exhibit):
    appendix.lose(exhibit, ["pretrain/lost-seed0"])
    (appendix.tidy(exhibit) / "arrays.npz").unlink(missing_ok=True)
    record = json.loads(appendix.draw(exhibit)["json"])
    assert record["partial"] and "PARTIAL: 1 missing: pretrain/lost-seed0." in record["standing"]
    if exhibit.startswith("figure"):
        assert "PARTIAL" in appendix.figure(exhibit).get_supxlabel()


def test_numbers_warn_of_scale_smoke(appendix):
    for exhibit in IDS:
        assert "these numbers" in " ".join(json.loads(appendix.draw(exhibit)["json"])["standing"])


def test_figure_b1_has_top2_where_there_are_ten_classes(appendix):
    (ours,) = appendix.figure("figure_b1").axes
    assert ours.get_ylabel() == "Top-2 accuracy (%)" and heights(ours) == [60.0] * 4
    assert "top-2 stands in for top-5" in appendix.notes("figure_b1")


def test_figure_b1_has_top5_at_scale_paper(appendix):
    evidence = appendix.load("figure_b1")
    evidence = replace(evidence, exhibit=replace(evidence.exhibit, scale="paper"))
    with style("figure_b1"):
        figure, notes = import_module("reports.exhibits.figure_b1").draw(evidence)
    assert figure.axes[0].get_ylabel() == "Top-5 accuracy (%)" and heights(figure.axes[0]) == [90.0] * 4
    assert "top-2" not in " ".join(notes)


def test_what_is_not_published_is_blank_and_what_is_unsure_is_said(appendix):
    figure = appendix.figure("figure_b2")
    paper = figure.axes[1]
    assert len(heights(paper)) == 24 and paper.get_title("right") == "32 of 56 bars not known"
    assert len(paper.get_xticks()) * len(paper.containers) == 56
    assert "inferred" in appendix.notes("figure_b2")


@pytest.mark.parametrize(
    ("exhibit", "said"),
    [
        ("figure_b1", "Of the paper's 60 bars we know 1: 89 %"),
        ("figure_b7", "Of the paper's 50 bars we know 1: 85 %"),
    ],
)
def test_one_known_bar_is_a_sentence_and_no_panel(appendix, exhibit, said):
    figure = appendix.figure(exhibit)
    assert len(figure.axes) == 1 and said in " ".join(figure.get_supxlabel().split())


@pytest.mark.parametrize("exhibit", ["figure_b1", "figure_b2", "figure_b7", "figure_b8"])
def test_no_axis_or_grid_of_a_plot_that_was_not_seen_is_called_the_papers(appendix, exhibit):
    """Those of Figure 9 were seen, and are compared."""
    sizes = [[64, 1, 0, "top1", 31.5, "b1"]]
    appendix.put("figure_09", ["batch_size", "epochs"], sizes)
    seen, unseen = (appendix.notes(name) for name in ("figure_09", exhibit))
    assert "the paper's 50 to 70" in seen and "vertical axis is ours" not in seen
    assert not re.search(r"paper's \d+ to", unseen)
    assert ("assumed" in unseen) == (exhibit != "figure_b8")


def test_the_papers_bars_of_figure_b2_are_the_right_half_of_table_b1(appendix):
    printed = appendix.load("table_b1").paper.query("lr_scaling == 'sqrt'")
    bars = appendix.figure("figure_b2").axes[1]
    assert sorted(heights(bars)) == pytest.approx(sorted(printed["number"]))


def test_figure_b3_draws_the_spectrum_on_two_axes_with_its_rank(appendix):
    uniform, log = appendix.figure("figure_b3").axes
    assert (uniform.get_yscale(), log.get_yscale()) == ("linear", "log")
    for axes in (uniform, log):
        x, y = axes.lines[0].get_data()
        assert list(x) == [1, 2, 3] and list(y) == [4.0, 1.0, 0.25]
    assert "effective rank 2.2 of 4 (n = 1)" in uniform.texts[0].get_text()
    assert "76.2 %" in uniform.texts[0].get_text()


def test_figure_b4_draws_ten_classes_and_their_numbers(appendix):
    panels = appendix.figure("figure_b4").axes
    assert [axes.get_title("left") for axes in panels] == ["(a) h", "(b) z = g(h)"]
    for axes in panels:
        assert [len(dots.get_offsets()) for dots in axes.collections] == [2] * 10
        looks = {
            (dots.get_facecolor().tobytes(), dots.get_paths()[0].vertices.tobytes())
            for dots in axes.collections
        }
        assert len(looks) == 10
        assert axes.get_xlabel() == "silhouette 0.125, kNN 61.5 % (n = 1)"
    assert panels[0].collections[3].get_label() == "kind3"


def test_classes_without_names_are_numbered(appendix):
    path = appendix.tidy("figure_b4") / "arrays.npz"
    with np.load(path) as archive:
        kept = {name: archive[name] for name in archive.files if not name.endswith("class_names")}
    np.savez(path, **kept)
    assert appendix.figure("figure_b4").axes[0].collections[3].get_label() == "class 3"


def test_figure_b7_is_mean_and_deviation_over_learning_rates_at_one_temperature(appendix):
    ours = appendix.figure("figure_b7").axes[0]
    rates = np.array([1.0, 2.0, 4.0])
    assert heights(ours) == pytest.approx(
        [30 + up + epochs + rates.mean() for up in (0, 4) for epochs in (1, 2)]
    )
    assert spreads(ours) == pytest.approx([rates.std(ddof=1)] * 4)


def test_figure_b7_has_the_supervised_network_within_its_panel(appendix):
    figure = appendix.figure("figure_b7")
    ours = figure.axes[0]
    assert "Supervised (ours)" in [text.get_text() for text in figure.legends[0].get_texts()]
    assert set(ours.lines[-1].get_ydata()) == {44.5}
    low, high = ours.get_ylim()
    assert low < 44.5 <= high
    text = appendix.notes("figure_b7")
    assert "Best of our sweep: 40.0 % (batch size 256, epochs 2, learning rate 4, temperature 0.5)." in text
    assert "The paper's best: 94.0 % at batch size 1024." in text


def test_figure_b8_is_mean_and_deviation_over_learning_rates_and_epochs(appendix):
    figure = appendix.figure("figure_b8")
    short, long = figure.axes
    assert (short.get_title("left"), long.get_title("left")) == ("(a) Epochs 1", "(b) Epochs 2")
    means = [30 + up + 7 / 3 - low for low in (5, 0) for up in (0, 4)]
    assert heights(short) == pytest.approx([mean + 1 for mean in means])
    assert heights(long) == pytest.approx([mean + 2 for mean in means])
    assert spreads(short) == pytest.approx([np.std([1, 2, 4], ddof=1)] * 4)
    assert "over 3 settings (learning rates and epochs)." in appendix.notes("figure_b8")


@pytest.mark.parametrize(
    ("lengths", "panels"),
    [
        (
            ["100", "300", "400", "1000"],
            {"(a) Epochs ≤ 300": ["100", "300"], "(b) Epochs > 300": ["400", "1000"]},
        ),
        (["5", "10", "20"], {"(a) Epochs 5": ["5"], "(b) Epochs 10, 20": ["10", "20"]}),
        (["400", "800"], {"(a) Epochs 400": ["400"], "(b) Epochs 800": ["800"]}),
        (["7"], {"(a) Epochs (none)": [], "(b) Epochs 7": ["7"]}),
    ],
)
def test_lengths_are_split_at_300_or_else_in_halves(lengths, panels):
    assert split(lengths) == panels


def test_table_b1_is_bold_where_one_scaling_leads_by_more_than_half_a_percent(appendix):
    drawn = appendix.draw("table_b1")
    page, tex = drawn["html"].decode(), drawn["tex"].decode()
    assert page.count("31.5 / <strong>32.2</strong>") == 4 and page.count("not run") == 24
    printed = [row for row in csv.DictReader(io.StringIO(drawn["csv"].decode())) if row["paper"]]
    at = {(row["lr_scaling"], row["batch_size"], row["epochs"]): float(row["paper"]) for row in printed}
    leads = [round(at["sqrt", *cell] - at["linear", *cell], 6) for _, *cell in at if ("linear", *cell) in at]
    assert page.count("<strong>") - 4 == sum(abs(lead) > 0.5 for lead in leads) / 2
    assert r"57.5 / \textbf{62.8}" in tex and "66.2 / 66.7" in tex and r"31.5 / \textbf{32.2}" in tex


def test_table_b3_has_a_row_per_network_and_length(appendix):
    drawn = appendix.draw("table_b3")
    tex = drawn["tex"].decode()
    assert r"Crop (\%) & +Color (\%) & \shortstack[r]{+Color+Blur\\(\%)}" in tex
    assert "ResNet-50 & 90 & ours & 70.5 & 70.5 & 70.5" in tex and " &  & paper & 76.5 & 75.6 & 75.3" in tex
    assert "ResNet-8 & 2 & ours & 33.5 & not run & not run" in tex
    assert drawn["html"].decode().count("<tr>") == 1 + 6 + 1
