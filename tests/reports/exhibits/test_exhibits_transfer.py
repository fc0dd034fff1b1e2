"""Few labels and transfer: Tables 7, 8, B.2, B.4, B.5 and Figures B.5, B.6 from small evidence."""

import csv
import io
import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from reports.drawing.agreement import fit, pairs
from reports.drawing.tables import Value
from reports.exhibits import figure_b5, figure_b6, table_07, table_08, table_b2, table_b5

TABLES = ("table_07", "table_08", "table_b2", "table_b4", "table_b5")
FIGURES = ("figure_b5", "figure_b6")
METHODS = {"linear": ("SimCLR", "Supervised"), "fine-tuned": ("SimCLR", "Supervised", "Random init")}
RIGHT = {"SimCLR": 90, "Supervised": 88, "Random init": 40}  # of 100 predictions


def put_few_labels(lab, exhibit: str, metric: str) -> None:
    cells = [("SimCLR", "ResNet-8"), ("SimCLR", "ResNet-8 (2x)"), ("Supervised baseline", "ResNet-8")]
    rows = [
        [*cell, fraction, 0, metric, 30.25 + place + len(fraction), f"{place}-{fraction}"]
        for place, cell in enumerate(cells)
        for fraction in ("1%", "10%")
    ]
    lab.put(exhibit, ["method", "architecture", "label_fraction"], rows)


def put_broader(lab) -> None:
    starts = {"broader aug pretraining": ("1%", "10%", "100%", "100% (linear eval)")}
    starts |= {"default aug pretraining": ("100% (linear eval)",), "from scratch": ("100%",)}
    rows = [
        ["ResNet-8", start, fraction, 0, metric, 20.25 + len(metric) + len(fraction), f"{start}-{fraction}"]
        for start, fractions in starts.items()
        for fraction in fractions
        for metric in ("top1", "top5")
    ]
    lab.put("table_b2", ["architecture", "initialisation", "label_fraction"], rows)


def put_agreement(lab, exhibit: str, knob: str, values: tuple) -> None:
    slopes = {"linear eval": 1.0, "1%": 2.0, "10%": -1.0}
    rows = [
        [value, fraction, 0, "top1", 30 + slope * place, f"{value}-{fraction}"]
        for place, value in enumerate(values)
        for fraction, slope in slopes.items()
    ]
    lab.put(exhibit, [knob, "label_fraction"], rows)


def put_transfer(lab, exhibit: str, **changed) -> None:
    """Digits measured in every block; SimCLR and Supervised about equally right, Random init not."""
    labels, rows, arrays = np.arange(100) % 10, [], {}
    for setting, methods in METHODS.items():
        stage = "logistic" if setting == "linear" else "transfer"
        for method in methods:
            run = f"{setting}-{method}-seed0"
            knobs = [setting, method, "ResNet-8", "Digits"]
            measured = {"top1": RIGHT[method], "validation": 91.5, "chosen_l2": 0.5}
            rows += [[*knobs, 0, name, value, run] for name, value in measured.items()]
            predictions = np.where(np.arange(100) < RIGHT[method], labels, labels + 1)
            arrays |= {f"{run}/{stage}_predictions": predictions, f"{run}/{stage}_labels": labels}
    lab.put(exhibit, ["setting", "method", "architecture", "dataset"], rows, arrays=arrays, **changed)


@pytest.fixture
def seven(lab):
    """All seven exhibits as scale smoke leaves them."""
    put_few_labels(lab, "table_07", "top5")
    put_few_labels(lab, "table_b4", "top1")
    put_broader(lab)
    put_agreement(lab, "figure_b5", "pretrain_epochs", (1, 2, 4, 8))
    put_agreement(
        lab, "figure_b6", "architecture", ("ResNet-8", "ResNet-8 (2x)", "ResNet-14", "ResNet-14 (2x)")
    )
    put_transfer(lab, "table_08")
    put_transfer(lab, "table_b5")
    return lab


def cells_of(table, *stubs: str) -> list[Value]:
    """The values of the only row with these stubs."""
    [row] = [row for row in table.rows if tuple(row[: table.stubs]) == stubs]
    return row[table.stubs :]


@pytest.mark.parametrize("exhibit", TABLES + FIGURES)
def test_equal_evidence_gives_equal_bytes(seven, exhibit):
    first = seven.draw(exhibit)
    rows = seven.tidy(exhibit) / "rows.csv"
    header, *lines = rows.read_text().splitlines()
    rows.write_text("\n".join([header, *reversed(lines)]) + "\n")
    second = seven.draw(exhibit)
    assert [ending for ending in first if first[ending] != second[ending]] == []


@pytest.mark.parametrize("exhibit", TABLES + FIGURES)
def test_without_any_run_each_is_drawn_and_partial(seven, exhibit):
    seven.lose(exhibit, ["finetune/lost-seed0"])
    (seven.tidy(exhibit) / "arrays.npz").unlink(missing_ok=True)
    drawn = seven.draw(exhibit)
    assert json.loads(drawn["json"])["partial"]
    if exhibit in TABLES:
        assert "PARTIAL: 1 missing: finetune/lost-seed0." in drawn["html"].decode()


@pytest.mark.parametrize("exhibit", TABLES + FIGURES)
def test_every_printed_value_is_in_the_csv(seven, exhibit):
    drawn = list(csv.DictReader(io.StringIO(seven.draw(exhibit)["csv"].decode())))
    printed = sorted(row["paper"] for row in drawn if row["paper"])
    assert printed == sorted(seven.load(exhibit).paper["value"])


# Tables 7 and B.4


def test_literature_stands_as_printed_in_its_order_and_group(seven):
    table = table_07.draw(seven.load("table_07"))
    names = [row[1] for row in table.rows]
    printed = list(dict.fromkeys(seven.load("table_07").paper["method"]))
    assert [
        name.removesuffix(" (literature)") for name in names if name.removesuffix(" (literature)") in printed
    ]
    assert list(dict.fromkeys(name.removesuffix(" (literature)") for name in names)) == printed
    uda = cells_of(table, "Label propagation", "UDA (w. RandAug) (literature)", "ResNet-50")
    assert [cell.paper for cell in uda] == [None, "88.5"] and [cell.mean for cell in uda] == ["", ""]


def test_our_networks_stand_below_the_printed_ones_that_have_no_run(seven):
    table = table_07.draw(seven.load("table_07"))
    printed = cells_of(table, "Representation learning only", "SimCLR", "ResNet-50 (4x)")
    assert [(cell.mean, cell.paper) for cell in printed] == [("not run", "85.8"), ("not run", "92.6")]
    ours = cells_of(table, "At this scale", "SimCLR", "ResNet-8 (2x)")
    assert [(cell.mean, cell.paper) for cell in ours] == [("33.2", None), ("34.2", None)]
    assert [row[1] for row in table.rows[-3:]] == ["Supervised baseline", "SimCLR", "SimCLR"]


def test_top_5_says_what_guessing_reaches(seven):
    assert "50 % of CIFAR-10's ten" in seven.draw("table_07")["tex"].decode().replace("\\%", "%")
    assert "Guessing" not in seven.draw("table_b4")["html"].decode()


# Table B.2


def test_starts_and_labels_meet_the_papers(seven):
    evidence = seven.load("table_b2")
    table = table_b2.draw(evidence)
    row = cells_of(table, "ResNet-50 (4x)", "100%", "Pretrained, default augmentation")
    assert [cell.paper for cell in row] == ["80.1", "95.2"]
    ours = cells_of(table, "ResNet-8", "100% (linear eval)", "Pretrained, default augmentation")
    assert [cell.mean for cell in ours] == ["42.2", "42.2"]
    assert len(table.rows) == 15 + 6  # a row without any number is none


# Tables 8 and B.5


@pytest.mark.parametrize("module", [table_08, table_b5])
def test_the_twelve_stand_as_printed_and_say_that_they_are_not_here(seven, module):
    evidence = seven.load(module.__name__.rpartition(".")[2])
    table = module.draw(evidence)
    assert len(table.columns) == 2 + 1 + 12
    assert table.columns[2:5] == ["Digits", "Food†", "CIFAR10†"]
    assert [row[:2] for row in table.rows] == [
        ["Linear evaluation", "SimCLR"],
        ["Linear evaluation", "Supervised"],
        ["Fine-tuned", "SimCLR"],
        ["Fine-tuned", "Supervised"],
        ["Fine-tuned", "Random init"],
    ]
    (said,) = [note for note in table.notes if note.startswith("† Not available here: Food, CIFAR10, ")]
    assert "as params/datasets.yaml says for each" in said and "Flowers" in said
    assert {cell.mean for row in table.rows for cell in row[3:]} == {"-"}


def test_at_scale_paper_a_lacking_data_set_is_a_missing_run(seven):
    evidence = seven.load("table_08")
    table = table_08.draw(replace(evidence, exhibit=replace(evidence.exhibit, scale="paper")))
    assert table.columns[2] == "Food" and not any("Not available" in note for note in table.notes)
    assert cells_of(table, "Linear evaluation", "SimCLR")[0].mean == "not run"


def test_voc_is_measured_by_its_own_metric(seven):
    table = table_08.draw(seven.load("table_08"))
    voc = cells_of(table, "Fine-tuned", "SimCLR")[table.columns.index("VOC2007†") - 2]
    assert (voc.name, voc.paper) == ("map11", "86.6")
    assert any("11-point mAP of VOC2007" in note for note in table.notes)


def test_bold_is_by_significance_for_ours_and_as_printed_for_the_paper(seven):
    table = table_08.draw(seven.load("table_08"))
    digits = {tuple(row[:2]): row[2].bold for row in table.rows}
    assert digits == {
        ("Linear evaluation", "SimCLR"): True,
        ("Linear evaluation", "Supervised"): True,
        ("Fine-tuned", "SimCLR"): True,
        ("Fine-tuned", "Supervised"): True,
        ("Fine-tuned", "Random init"): False,
    }
    linear = [cell.paper_bold for cell in cells_of(table, "Linear evaluation", "SimCLR")]
    # digits are not in print; then Food, CIFAR10, SUN397, VOC2007, DTD, Caltech-101 and Flowers are bold
    assert linear == [False, True, True, False, False, True, False, False, True, True, False, True, True]
    page, tex = (seven.draw("table_08")[ending].decode() for ending in ("html", "tex"))
    assert (
        "<strong>90.0</strong>" in page
        and "<strong>76.9</strong>" in page
        and "<strong>75.2</strong>" not in page
    )
    assert r"\textbf{90.0}" in tex and r"\textbf{76.9}" in tex and r"\textbf{40.0}" not in tex


@pytest.mark.parametrize(("dataset", "best"), [("Pets", {"Supervised"}), ("Food", {"SimCLR"})])
def test_significance_is_asked_in_the_metric_of_the_data_set(lab, dataset, best):
    """One model knows the large class only: the better by accuracy, the worse by mean per class."""
    labels = np.repeat([0, 1], [360, 40])
    predictions = {"SimCLR": np.zeros(400, int), "Supervised": np.where(np.arange(400) < 200, 1, labels)}
    put_predictions(lab, dataset, predictions, labels)
    assert bold_methods(lab, dataset) == best


def test_several_labels_an_image_are_compared_label_by_label(lab):
    labels = np.tile(np.array([[1, 0, 1], [0, 1, 0]], np.uint8), (50, 1))
    put_predictions(lab, "VOC2007", {"SimCLR": labels, "Supervised": 1 - labels}, labels)
    assert bold_methods(lab, "VOC2007") == {"SimCLR"}


def put_predictions(lab, dataset: str, predictions: dict, labels) -> None:
    rows = [
        ["linear", method, dataset, 0, metric, 50.0, method]
        for method in predictions
        for metric in ("top1", "mean_per_class", "map11")
    ]
    arrays = {f"{method}/logistic_predictions": found for method, found in predictions.items()}
    arrays |= {f"{method}/logistic_labels": labels for method in predictions}
    lab.put("table_08", ["setting", "method", "dataset"], rows, arrays=arrays)


def bold_methods(lab, dataset: str) -> set[str]:
    table = table_08.draw(lab.load("table_08"))
    place = [name.rstrip("†") for name in table.columns].index(dataset)
    return {row[1] for row in table.rows if row[place].bold}


def test_without_predictions_nothing_is_bold(seven):
    (seven.tidy("table_08") / "arrays.npz").unlink()
    table = table_08.draw(seven.load("table_08"))
    assert not any(cell.bold for row in table.rows for cell in row[2:])


@pytest.mark.parametrize("lost", [("Supervised", "Random init"), ("Random init",)])
def test_a_method_without_another_to_be_compared_with_is_not_bold(seven, lost):
    """Of a partial table: alone in its block nothing is the best of it, and the note says where that is everywhere."""
    path = seven.tidy("table_08") / "arrays.npz"
    with np.load(path) as archive:
        kept = {name: archive[name] for name in archive.files if not any(word in name for word in lost)}
    np.savez(path, **kept)
    table = table_08.draw(seven.load("table_08"))
    bold = {row[1] for row in table.rows if row[2].bold}
    assert bold == (set() if len(lost) == 2 else {"SimCLR", "Supervised"})
    assert any("which is everywhere here" in note for note in table.notes) == (len(lost) == 2)


def test_a_second_network_has_rows_of_its_own(seven):
    """An edited grid leaves nothing out, and significance is asked within a network."""
    rows, cause = (seven.tidy("table_08") / name for name in ("rows.csv", "provenance.json"))
    header, *lines = rows.read_text().splitlines()
    wider = [line.replace("ResNet-8", "ResNet-8 (2x)").replace("-seed0", "-wide-seed0") for line in lines]
    rows.write_text("\n".join([header, *lines, *wider]) + "\n")
    found = json.loads(cause.read_text())
    found["runs"] |= {name.replace("-seed0", "-wide-seed0"): run for name, run in found["runs"].items()}
    cause.write_text(json.dumps(found))
    table = table_08.draw(seven.load("table_08"))
    assert len(table.rows) == 5 * 3 and len({tuple(row[:2]) for row in table.rows}) == 15
    assert [cell.paper for cell in cells_of(table, "Fine-tuned", "SimCLR, ResNet-50 (4x)")][1:3] == [
        "89.4",
        "98.6",
    ]
    wide, narrow = (
        cells_of(table, "Fine-tuned", f"SimCLR, {name}")[0] for name in ("ResNet-8 (2x)", "ResNet-8")
    )
    assert (wide.mean, wide.bold, narrow.mean, narrow.bold) == ("90.0", False, "90.0", True)
    assert wide.paper is None


def test_chosen_settings_are_in_the_record(seven):
    record = json.loads(seven.draw("table_08")["json"])
    assert {row["metric"] for row in record["measured"]} == {"top1", "validation", "chosen_l2"}


# Figures B.5 and B.6


def test_points_have_both_accuracies(seven):
    cells = seven.load("figure_b5").measured.rename(columns={"value": "mean"}).assign(spread=math.nan)
    lacking = cells[~((cells["pretrain_epochs"] == "2") & (cells["label_fraction"] == "1%"))]
    found = pairs(lacking, "pretrain_epochs", "1%")
    assert list(found["pretrain_epochs"]) == ["1", "4", "8"]
    assert list(found["x"]) == [30, 32, 33] and list(found["y"]) == [30, 34, 36]


def test_a_fit_is_numpys():
    points = pd.DataFrame({"x": [1.0, 2.0, 4.0, 7.0], "y": [2.0, 1.0, 5.0, 9.0]})
    found = fit(points)
    slope, intercept = np.polyfit(points["x"], points["y"], 1)
    assert found.correlation == pytest.approx(np.corrcoef(points["x"], points["y"])[0, 1], rel=1e-12)
    assert (found.slope, found.intercept) == pytest.approx((slope, intercept), rel=1e-12) and found.n == 4


@pytest.mark.parametrize("y", [[1.0, 2.0], [3.0, 3.0, 3.0], []])
def test_two_points_or_equal_ones_have_no_correlation(y):
    assert math.isnan(fit(pd.DataFrame({"x": range(len(y)), "y": y})).correlation)


@pytest.mark.parametrize("exhibit", FIGURES)
def test_the_correlation_is_written_as_a_number(seven, exhibit):
    panels = seven.figure(exhibit).axes
    titles = [axes.get_title(loc="left") for axes in panels]
    assert titles[0].endswith("\nr = 1.000, slope 2.00 (4 points)")
    assert titles[1].endswith("\nr = -1.000, slope -1.00 (4 points)")


@pytest.mark.parametrize(("scale", "crosses"), [("smoke", 0), ("paper", 2)])
def test_the_papers_points_are_in_words_and_at_scale_paper_crosses(seven, scale, crosses):
    evidence = seven.load("figure_b6")
    figure, notes = figure_b6.draw(replace(evidence, exhibit=replace(evidence.exhibit, scale=scale)))
    said = " ".join(notes)
    assert "R50 69.3 / 48.3, R50 (2x) 74.2 / 58.5, R50 (4x) 76.5 / 63.0; r = 1.000." in said
    named = [line.get_label() for axes in figure.axes for line in axes.lines]
    assert named.count("Tables 6 and B.4, 1000 epochs") == crosses and "paper" not in named


@pytest.mark.parametrize(("scale", "panels"), [("smoke", 0), ("paper", 2)])
def test_what_a_table_has_is_not_called_a_point_of_the_papers_plot(seven, scale, panels):
    """Figure B.5 was not seen: Tables 6 and B.4 have both accuracies of one length, Table B.1 one of four."""
    evidence = seven.load("figure_b5")
    figure, notes = figure_b5.draw(replace(evidence, exhibit=replace(evidence.exhibit, scale=scale)))
    lines = [line for axes in figure.axes for line in axes.lines]
    assert not any("paper" in line.get_label() for line in lines)
    assert sum(line.get_label() == "Tables 6 and B.4" for line in lines) == panels
    marks = [line for line in lines if "Table B.1" in line.get_label()]
    assert [list(line.get_xdata()) for line in marks] == [[64.5, 66.8, 68.0, 69.1]] * panels
    said = " ".join(notes)
    assert "whether its points are among what the tables have is not known" in said
    assert "Tables 6 and B.4, linear / fine-tuned on 1%: 1000 epochs 69.3 / 48.3." in said
    assert "linear evaluation alone: 100 epochs 64.5, 200 epochs 66.8, 400 epochs 68.0" in said
