"""docs/findings.md quotes the committed rows."""

import itertools
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scipy import stats

from reports.reading.folders import Folders
from reports.verdict import judge_scale

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "findings.md").read_text()
WORDS = " ".join(TEXT.split())  # free of line breaks


FAILS = 31.0  # a training with less than this fails, in the words of the text


def means(exhibit: str, knobs: list[str], scale: str = "reduced") -> pd.Series:
    rows = pd.read_csv(ROOT / "reports/evidence" / scale / exhibit / "rows.csv", dtype={"output_dim": str})
    return rows.groupby(knobs).value.mean()


def quoted(first: str) -> list[float]:
    """The numbers of the table's row that begins so."""
    (line,) = re.findall(rf"(?m)^\| {re.escape(first)} \|(.*)\|$", TEXT)
    return [float(number) for number in line.split("|") if number.strip()]


TRANSFORMATIONS = ("Crop", "Cutout", "Color", "Sobel", "Noise", "Blur", "Rotate")


@pytest.mark.parametrize(
    ("said", "metric"), [("", "top1"), (", contrastive accuracy", "contrastive_accuracy")]
)
def test_the_compositions(said, metric):
    measured = means("figure_05", ["metric", "first", "second"])[metric]
    others = TRANSFORMATIONS[1:]
    assert quoted(f"alone{said}") == pytest.approx([measured[a, a] for a in TRANSFORMATIONS], abs=0.051)
    assert quoted(f"after crop{said}") == pytest.approx([measured["Crop", a] for a in others], abs=0.051)
    if metric == "top1":
        assert quoted("before crop") == pytest.approx([measured[a, "Crop"] for a in others], abs=0.051)


def test_what_compositions_gain():
    measured = means("figure_05", ["metric", "first", "second"])
    top, tasks = measured["top1"], measured["contrastive_accuracy"]
    pairs = list(itertools.combinations(TRANSFORMATIONS, 2))
    best = min(top["Crop", "Color"], top["Color", "Crop"])
    others = top.drop([("Crop", "Color"), ("Color", "Crop"), ("Crop+Color", "both branches")])
    assert others.idxmax() == ("Noise", "Crop")
    assert f"the best of all 49, by {best - others.max():.1f} points of the next (noise with crop)" in WORDS

    below = [top["Crop", "Color"] - top[a, a] for a in TRANSFORMATIONS]
    assert f"crop alone is {below[0]:.1f} points below crop followed by colour" in WORDS
    assert f"are {min(below[1:]):.0f} to {max(below[1:]):.0f} below" in WORDS

    alone = [top[a, a] for a in TRANSFORMATIONS]
    composed = [top[pair] for a, b in pairs for pair in ((a, b), (b, a))]
    gain = sum(composed) / len(composed) - sum(alone) / len(alone)
    assert f"better than a single one by {gain:.1f} points on average" in WORDS
    with_crop = [top[pair] for a, b in pairs for pair in ((a, b), (b, a)) if "Crop" in pair]
    without = [top[pair] for a, b in pairs for pair in ((a, b), (b, a)) if "Crop" not in pair]
    averages = [sum(some) / len(some) for some in (with_crop, without, alone)]
    said = "these compositions average {:.1f}, those without crop {:.1f}, single ones {:.1f}"
    assert said.format(*averages) in WORDS

    def not_better(of: Any) -> int:
        """Compositions that are not better than both of their parts."""
        return sum(of[pair] <= max(of[a, a], of[b, b]) for a, b in pairs for pair in ((a, b), (b, a)))

    papers = pd.read_csv(ROOT / "params/paper/figure_05.csv").set_index(["first", "second"]).value
    said = f"{not_better(papers)} of the 42 compositions in the paper's own figure are not better"
    assert re.search(f"{said} .*, and {not_better(top)} of ours", WORDS)

    exchanged = {pair: abs(top[pair] - top[pair[::-1]]) for pair in pairs}
    most = sorted(exchanged, key=exchanged.__getitem__, reverse=True)
    assert all("Sobel" in pair for pair in most[:3])
    changed = [f"{exchanged[pair]:.1f}" for pair in (most[2], most[0])]
    assert f"the three most by {changed[0]} to {changed[1]}" in WORDS
    seeds = means("figure_05", ["metric", "first", "second", "seed"])["top1"]
    for first, second in most[:3]:
        differences = seeds[first, second] - seeds[second, first]
        reach = 2.776 * differences.std() / 5**0.5  # t of 4 degrees of freedom
        assert abs(differences.mean()) + reach > 5, "the intervals of these three reach beyond 5"
    assert all("Sobel" in pair for pair in pairs if exchanged[pair] > 1.0)
    assert "only pairs with Sobel change by more than 1.0 points" in WORDS

    without_crop = [tasks[a, b] for a in TRANSFORMATIONS[1:] for b in TRANSFORMATIONS[1:]]
    solved = sum(task > 90 for task in without_crop)
    assert f"{solved} of the 36 settings without crop come to more than 90 %" in WORDS
    best = max(top[a, b] for a in TRANSFORMATIONS[1:] for b in TRANSFORMATIONS[1:])
    assert f"none of them to more than {best:.1f} points" in WORDS
    hardest = sorted(tasks[a, b] for a in TRANSFORMATIONS for b in TRANSFORMATIONS)[:2]
    assert sorted([tasks["Sobel", "Crop"], tasks["Crop", "Sobel"]]) == hardest
    assert "crop with Sobel is the hardest ({:.0f} and {:.0f} %)".format(*hardest) in WORDS

    both = top["Crop+Color", "both branches"]
    assert f"({top['Crop', 'Color']:.1f} against {both:.1f} for both," in WORDS


def test_one_branch_at_three_times_the_length():
    seeds = means("figure_05", ["metric", "first", "second", "seed"], "reduced_long")["top1"]
    crop, colour, both = (
        seeds[cell] for cell in (("Crop", "Crop"), ("Crop", "Color"), ("Crop+Color", "both branches"))
    )
    said = "({:.1f}) is {:.1f} points below crop followed by colour ({:.1f})"
    assert said.format(crop.mean(), (colour - crop).mean(), colour.mean()) in WORDS
    assert f"one branch costs {(both - colour).mean():.1f} points now, for each of the three seeds" in WORDS
    assert (both > colour).all()


@pytest.mark.parametrize(
    ("first", "depth", "epochs"),
    [("ResNet-8, 10 epochs", 8, 10), ("ResNet-14, 10 epochs", 14, 10), ("ResNet-20, 10 epochs", 20, 10),
     ("ResNet-8, 40 epochs", 8, 40)],
)  # fmt: skip
def test_depth_and_width(first, depth, epochs):
    measured = means("figure_07", ["metric", "training", "depth", "epochs", "width"])
    expected = measured["top1", "SimCLR linear eval", depth, epochs].tolist()
    assert quoted(first) == pytest.approx(expected, abs=0.051)


def test_depth_and_width_with_labels():
    measured = means("figure_07", ["metric", "training", "epochs", "width"])["top1"]
    labels, long = measured["supervised", 20], measured["SimCLR linear eval", 40]
    assert quoted("ResNet-8, labels, 20 epochs") == pytest.approx(labels.tolist(), abs=0.051)
    assert f"from {labels[1] - long[1]:.1f} to {labels[2] - long[2]:.1f} points" in WORDS
    eight = means("figure_07", ["metric", "training", "depth", "epochs", "width"])[
        "top1", "SimCLR linear eval", 8, 10
    ]
    gaps = [f"{labels[width] - eight[width]:.1f}" for width in (1, 2, 4)]
    assert f"After 10 it does not: {gaps[0]}, {gaps[1]} and {gaps[2]}" in WORDS
    forty = means("table_b3", ["metric", "augmentation", "epochs", "architecture"], "reduced_long")["top1"]
    found = [forty["Crop", 40, name] for name in ("ResNet-8", "ResNet-8 (2x)")]
    gaps = [found[0] - long[1], found[1] - long[2]]
    assert "40 bring them to {:.1f} and {:.1f}".format(*found) in WORDS
    assert "{:.1f} and {:.1f} points above SimCLR".format(*gaps) in WORDS
    assert f"lifts both widths, by {long[1] - eight[1]:.1f} and {long[2] - eight[2]:.1f} points" in WORDS


def test_depth_at_three_times_the_length():
    short, long = (
        means("figure_07", ["metric", "training", "epochs", "width", "depth"], scale)["top1"][
            "SimCLR linear eval", epochs, 1
        ].tolist()
        for scale, epochs in (("reduced", 10), ("reduced_long", 30))
    )
    assert "ResNet-20 end at {:.1f}, {:.1f} and {:.1f}, where".format(*long) in WORDS
    assert short == sorted(short, reverse=True)
    assert f"ten epochs leave them {short[0] - short[2]:.1f} points apart and in this order" in WORDS
    steps = [short[0] - short[1], short[1] - short[2]]
    assert "after 10 epochs, by {:.1f} and {:.1f} points a step".format(*steps) in WORDS


def test_deeper_networks_fine_tuned():
    measured = means("figure_b6", ["metric", "label_fraction", "architecture"])["top1"]
    depths = [f"ResNet-{depth}" for depth in (8, 14, 20)]
    tuned, linear = (
        ", ".join(f"{measured[kind, name]:.1f}" for name in depths[:2])
        + f" and {measured[kind, depths[2]]:.1f}"
        for kind in ("10%", "linear eval")
    )
    assert f"{tuned} with 10 % of the labels, where linear evaluation has {linear}" in WORDS


@pytest.mark.parametrize("kind", ["linear", "nonlinear"])
def test_the_heads(kind):
    measured = means("figure_08", ["projection", "output_dim"])
    expected = [measured[kind, width] for width in ("8", "16", "32", "64", "128")] + [measured["none", "64"]]
    assert quoted(kind) == pytest.approx(expected, abs=0.1)


def test_narrow_heads():
    seeds = means("figure_08", ["projection", "output_dim", "seed"])
    narrow = sorted(seeds[kind, width, seed] for kind in ("linear", "nonlinear") for width in ("8", "16")
                    for seed in range(5))  # fmt: skip
    assert f"sixteen end at {narrow[0]:.0f} to {narrow[15]:.0f}" in WORDS and narrow[16] > 34
    cells = means("figure_08", ["projection", "output_dim"])
    behind = [cells[kind, "64"] - cells[kind, "32"] for kind in ("linear", "nonlinear")]
    assert "ours are {:.1f} and {:.1f} points below 64".format(*behind) in WORDS


@pytest.mark.parametrize(
    ("scale", "first"),
    [
        ("reduced_long", "top-1"),
        ("reduced_wide", "top-1, 32 channels"),
        ("reduced_sampler", "top-1, official boxes"),
    ],
)
def test_the_heads_elsewhere(scale, first):
    measured = means("figure_08", ["metric", "projection"], scale)["top1"]
    rows = means("figure_08", ["metric", "projection", "representation"], scale)["top1"]
    expected = [rows["nonlinear", "h"], rows["nonlinear", "z"], measured["linear"], measured["none"]]
    assert quoted(first) == pytest.approx(expected, abs=0.051)


def settings_of(loss: str) -> dict[str, pd.DataFrame]:
    """Top-1 of Table 4 without and with mining, a row for each setting: on validation, and on the test split."""
    rows = pd.read_csv(ROOT / "reports/evidence/reduced/table_04/rows.csv").fillna(0.0)
    keys = ["semi_hard_mining", "lr", "margin", "temperature", "split"]
    every = rows[rows.loss == loss].groupby(keys).value.mean().unstack("split").reset_index()
    return {mining: every[every.semi_hard_mining == mining] for mining in ("no", "yes")}


@pytest.mark.parametrize(
    ("first", "loss"),
    [("NT-Logistic", "NT-Logistic"), ("margin triplet", "Margin triplet"), ("NT-Xent", "NT-Xent")],
)
def test_the_losses(first, loss):
    found = [some.sort_values("validation").test.iloc[-1] for some in settings_of(loss).values() if len(some)]
    assert quoted(first) == pytest.approx(found, abs=0.051)


def test_what_mining_gains():
    gains = {
        loss: (settings_of(loss)["yes"].test.to_numpy() - settings_of(loss)["no"].test.to_numpy()).tolist()
        for loss in ("Margin triplet", "NT-Logistic")
    }
    assert "by 1.1 points, and in all four settings; the logistic one by 0.3" in WORDS
    assert min(gains["Margin triplet"]) > 0 and len(gains["Margin triplet"]) == 4
    most, _, least, gain = sorted(gains["NT-Logistic"])
    assert f"gains {gain:.1f} point, and it costs {-least:.1f} to {-most:.1f} in the other three" in WORDS
    assert gain == gains["NT-Logistic"][3]  # of the higher rate, and the higher temperature


@pytest.mark.parametrize("norm", ["global", "local"])
@pytest.mark.parametrize(
    ("said", "metric"), [("contrastive accuracy", "contrastive_accuracy"), ("top-1 of its encoder", "top1")]
)
def test_the_batch_norms(norm, said, metric):
    measured = means("table_06", ["ablation", "metric", "seed"])[f"{norm} batch norm", metric]
    assert quoted(f"{norm}, {said}") == pytest.approx(measured.tolist(), abs=0.051)


def test_the_classifier_beside_the_encoder():
    measured = means("table_06", ["ablation", "metric"])["on-line classifier"]
    expected = rf"reaches {measured['online_top1']:.1f}, .* afterwards {measured['top1']:.1f}"
    assert re.search(expected, WORDS)


@pytest.mark.parametrize(
    ("first", "fraction"),
    [
        ("1 % of the labels", "1%"),
        ("10 % of the labels", "10%"),
        ("linear evaluation, all labels", "linear eval"),
    ],
)
def test_the_labels(first, fraction):
    measured = means("figure_b5", ["metric", "label_fraction", "pretrain_epochs"])["top1", fraction]
    assert quoted(first) == pytest.approx(measured.tolist(), abs=0.051)


@pytest.mark.parametrize("batch", [64, 256, 1024])
def test_the_batches(batch):
    measured = means("figure_09", ["metric", "batch_size", "epochs"])["top1", batch]
    assert quoted(f"batch {batch}") == pytest.approx(measured.tolist(), abs=0.051)


@pytest.mark.parametrize(("first", "method"), [("SimCLR", "SimCLR"), ("with labels", "Supervised")])
def test_stronger_colour(first, method):
    measured = means("table_01", ["method", "augmentation"])[method]
    assert quoted(first) == pytest.approx(
        [measured[name] for name in ("1/8", "1/4", "1/2", "1", "1 (+Blur)", "AutoAug")], abs=0.051
    )


def test_trainings_that_fail_at_full_colour():
    measured = means("table_01", ["method", "augmentation", "seed"])["SimCLR", "1"]
    low, high = sorted(measured[measured < FAILS]), sorted(measured[measured >= FAILS])
    assert "Three trainings of eight" in WORDS and (len(low), len(high)) == (3, 5)
    assert (
        f"end at {low[0]:.0f} to {low[-1]:.0f}; the other five are at {high[0]:.0f} to {high[-1]:.0f}"
        in WORDS
    )
    every = means("table_01", ["method", "augmentation", "seed"])["SimCLR"]
    blurred = [every[name] for name in ("1 (+Blur)", "1 (+Blur, no flip)")]
    assert [(some < FAILS).sum() for some in blurred] == [5, 5]
    assert "({:.1f} and {:.1f} on average)".format(*(some.mean() for some in blurred)) in WORDS
    auto, half = every["AutoAug"].mean(), every["1/2"].mean()
    said = "AutoAugment, {:.1f}, is therefore {:.0f} points above the full strength, .* it is {:.0f} below"
    assert re.search(said.format(auto, auto - measured.mean(), half - auto), WORDS)


@pytest.mark.parametrize(
    ("first", "setting", "method"),
    [
        ("SimCLR, linear", "linear", "SimCLR"),
        ("labels, linear", "linear", "Supervised"),
        ("SimCLR, fine-tuned", "fine-tuned", "SimCLR"),
        ("labels, fine-tuned", "fine-tuned", "Supervised"),
        ("random, fine-tuned", "fine-tuned", "Random init"),
    ],
)
def test_other_data_sets(first, setting, method):
    measured = means("table_08", ["metric", "setting", "method", "dataset"])["top1", setting, method]
    assert quoted(first) == pytest.approx([measured["Fashion-MNIST"], measured["Digits"]], abs=0.051)


@pytest.mark.parametrize(
    ("first", "scale"), [("200 and 400 steps", "reduced"), ("600 and 1,200 steps", "reduced_long")]
)
def test_more_steps_of_fine_tuning(first, scale):
    measured = means("table_08", ["metric", "dataset", "setting", "method"], scale)["top1", "Digits"]
    cells = [("linear", "SimCLR"), ("fine-tuned", "SimCLR"), ("fine-tuned", "Random init")]
    linear, tuned, start = (measured[cell] for cell in cells)
    assert quoted(first) == pytest.approx([linear, tuned, start], abs=0.051)
    if scale == "reduced":
        assert f"{start - tuned:.1f} points of a random start and {linear - tuned:.1f} of linear" in WORDS
    else:
        assert max(linear, start) - tuned < 0.5 and "within half a point" in WORDS


def test_the_narrow_network_on_other_data_sets():
    measured = means("table_b5", ["metric", "setting", "method", "dataset"])["top1", "linear"]
    ahead = {
        name: measured["SimCLR", name] - measured["Supervised", name] for name in ("Digits", "Fashion-MNIST")
    }
    behind = measured["Supervised", "CIFAR10 from digits"] - measured["SimCLR", "CIFAR10 from digits"]
    said = f"by {ahead['Digits']:.0f} points and on Fashion-MNIST by {ahead['Fashion-MNIST']:.1f}"
    assert re.search(f"{said}, .* behind by {behind:.1f}", WORDS)


@pytest.mark.parametrize(
    ("first", "network"), [("ResNet-8", "ResNet-8"), ("ResNet-8, twice as wide", "ResNet-8 (2x)")]
)
def test_colour_with_labels(first, network):
    measured = means("table_b3", ["metric", "architecture", "augmentation", "epochs"])["top1", network]
    longer = means("table_b3", ["metric", "architecture", "augmentation", "epochs"], "reduced_long")[
        "top1", network
    ]
    assert longer["+Color", 40] == pytest.approx(measured["+Color", 40]), "the same runs"
    cells = [("Crop", 20), ("+Color", 20), ("+Color+Blur", 20)]
    expected = [*(measured[cell] for cell in cells), longer["Crop", 40], longer["+Color", 40]]
    assert quoted(first) == pytest.approx(expected, abs=0.051)


def test_the_classes_in_h_and_in_z():
    measured = means("figure_b4", ["metric", "panel"])
    said = "silhouette {:.2f} and {:.2f}, nearest neighbours {:.1f} and {:.1f} %".format(
        *measured["silhouette"][["h", "z"]], *measured["knn_accuracy"][["h", "z"]]
    )
    assert said in WORDS


@pytest.mark.parametrize("ablation", ["global batch norm", "local batch norm", "on-line classifier"])
@pytest.mark.parametrize(("scale", "size"), [("reduced_long", "30 epochs"), ("reduced_wide", "32 channels")])
def test_the_last_rows_of_table_6_elsewhere(ablation, scale, size):
    measured = means("table_06", ["ablation", "metric"], scale)[ablation]
    names = [name for name in ("contrastive_accuracy", "top1", "online_top1") if name in measured.index]
    assert quoted(f"{ablation}, {size}") == pytest.approx([measured[name] for name in names], abs=0.051)


def test_a_third_of_the_rate():
    measured = means("table_01", ["augmentation"], "reduced_gentle")
    assert quoted("a third of the rate") == pytest.approx(
        [measured[name] for name in ("1/8", "1/4", "1/2", "1", "1 (+Blur)")], abs=0.051
    )
    seeds = sorted(means("table_01", ["augmentation", "seed"], "reduced_gentle")["1"])
    assert seeds[0] < FAILS < seeds[1] and "one training of five fails" in WORDS
    below = measured["1/2"] - sum(seeds[1:]) / 4
    said = f"the others end at {seeds[1]:.0f} to {seeds[-1]:.0f} as before, {below:.0f} below the half"
    assert said in WORDS


def test_batches_and_length_at_a_third_of_the_rate():
    measured = means("figure_09", ["metric", "batch_size", "epochs"], "reduced_gentle")["top1"]
    assert f"from {measured[1024, 5]:.1f} at 5 epochs to {measured[1024, 40]:.1f} at 40" in WORDS
    assert f"{measured[64, 5]:.1f}" == f"{measured[1024, 5]:.1f}"
    assert f"equal after 5 epochs ({measured[64, 5]:.1f} each)" in WORDS
    assert f"1024 is {measured[1024, 40] - measured[64, 40]:.1f} points ahead after 40" in WORDS
    usual = means("figure_09", ["metric", "batch_size", "epochs"])["top1"]
    gains = [measured[1024, 5] - usual[1024, 5], usual[64, 5] - measured[64, 5]]
    assert "1024 gains {:.1f} points after 5 epochs, and 64 loses {:.1f}".format(*gains) in WORDS
    assert f"the higher rate has them {usual[64, 5] - usual[1024, 5]:.0f} points apart" in WORDS


@pytest.mark.parametrize("ablation", ["global batch norm", "local batch norm"])
def test_batch_norm_at_a_third_of_the_rate(ablation):
    measured = means("table_06", ["ablation", "metric"], "reduced_gentle")[ablation]
    expected = [measured["contrastive_accuracy"], measured["top1"]]
    assert quoted(f"{ablation}, a third of the rate") == pytest.approx(expected, abs=0.051)


def test_how_far_the_classifier_beside_the_encoder_is_behind():
    behind = [
        measured["top1"] - measured["online_top1"]
        for scale in ("reduced_long", "reduced")
        for measured in (means("table_06", ["ablation", "metric"], scale)["on-line classifier"],)
    ]
    assert "is {:.1f} points behind linear evaluation, where it was {:.1f}".format(*behind) in WORDS


SIZES = {
    "reduced": "", "reduced_long": ", 30 epochs", "reduced_wide": ", 32 channels",
    "reduced_sampler": ", official boxes",
}  # fmt: skip
FEWER = [("yes", 0.1), ("yes", 0.5), ("no", 10.0)]


@pytest.mark.parametrize(
    ("scale", "norm", "temperature"),
    [(scale, *cell) for scale in ("reduced_long", "reduced_wide", "reduced_sampler") for cell in FEWER]
    + [
        ("reduced", *cell)
        for cell in [("yes", 0.05), ("yes", 0.1), ("yes", 0.5), ("yes", 1.0), ("no", 10.0), ("no", 100.0)]
    ],
)
def test_the_temperatures(scale, norm, temperature):
    measured = means("table_05", ["l2_norm", "temperature", "metric"], scale)
    expected = [measured[norm, temperature, name] for name in ("contrastive_accuracy", "entropy", "top1")]
    first = f"{'normalized' if norm == 'yes' else 'not normalized'}, {temperature}{SIZES[scale]}"
    assert quoted(first) == pytest.approx(expected, abs=0.051)


@pytest.mark.parametrize("batch", [64, 256, 1024])
def test_the_batches_with_more_images(batch):
    measured = means("figure_09", ["metric", "batch_size", "epochs"], "reduced_images")["top1", batch]
    assert quoted(f"batch {batch}, 40,000 images") == pytest.approx(measured.tolist(), abs=0.051)


@pytest.mark.parametrize("fraction", ["1%", "10%"])
def test_the_labels_with_more_images(fraction):
    measured = means("figure_b5", ["metric", "label_fraction", "pretrain_epochs"], "reduced_images")
    first = f"{fraction.replace('%', ' %')}, 40,000 images"
    assert quoted(first) == pytest.approx(measured["top1", fraction].tolist(), abs=0.051)


def test_what_more_images_change():
    few, many = (
        means("figure_09", ["metric", "batch_size", "epochs"], scale)["top1"]
        for scale in ("reduced", "reduced_images")
    )
    ahead = [many[1024, epochs] - many[64, epochs] for epochs in (5, 10)]
    assert f"1024 is {ahead[0]:.1f} points ahead of 64 after 5 epochs" in WORDS
    assert f"where it was {few[64, 20] - few[1024, 20]:.1f} behind" in WORDS
    behind = [few[64, 10] - few[1024, 5], many[64, 10] - many[1024, 5]]
    assert re.search("them {:.1f} points behind; .*, {:.1f}[.]".format(*behind), WORDS)
    assert "from {:.1f} to {:.1f} points".format(*ahead) in WORDS
    knobs = ["metric", "label_fraction", "pretrain_epochs"]
    few, many = (means("figure_b5", knobs, scale)["top1"] for scale in ("reduced", "reduced_images"))
    longer = [many[name, 10] - many[name, 5] for name in ("1%", "10%")]
    assert "brings {:.1f} points with 1 % of the labels and {:.1f} with 10 %".format(*longer) in WORDS
    longer = [few[name, 40] - few[name, 20] for name in ("1%", "10%")]
    assert "a quarter of the images it brought {:.1f} and {:.1f}".format(*longer) in WORDS


def test_strong_colour_with_more_images():
    measured = means("table_01", ["metric", "augmentation", "seed"], "reduced_images")["top1"]
    full, half = sorted(measured["1"]), sorted(measured["1/2"])
    assert "two trainings of five fail, and end at {:.0f} and {:.0f};".format(*full[:2]) in WORDS
    said = "the other three end at {:.0f} to {:.0f}, and those at a half at {:.0f} to {:.0f}"
    assert said.format(full[2], full[4], half[0], half[-1]) in WORDS


def test_the_batch_of_1024_without_the_seed_that_fails():
    measured = means("figure_09", ["metric", "batch_size", "epochs", "seed"])["top1"]
    gaps = measured[1024] - measured[64]
    without = gaps[gaps.index.get_level_values("seed") != 2].groupby("epochs").mean()
    behind = "behind batch 64 by {:.1f} points after 5 epochs, {:.1f} after 10 and {:.1f} after 20".format(
        *-without[[5, 10, 20]]
    )
    assert f"{behind}, and are {without[40]:.1f} ahead after 40" in WORDS


def test_the_rate_by_the_square_root_of_the_batch():
    measured = means("table_b1", ["metric", "lr_scaling", "batch_size", "epochs"])["top1"]
    gains = [measured["sqrt", batch, 5] - measured["linear", batch, 5] for batch in (64, 1024)]
    assert re.search("by {:.1f} points only. .* it grows to {:.1f} at batch".format(*gains), WORDS)
    assert f"({measured['sqrt', 64, 20] - measured['linear', 64, 20]:.1f} after 20 epochs)" in WORDS
    longer = means("figure_b2", ["metric", "batch_size", "epochs"])["top1"]
    said = "by {:.1f} and {:.1f} points from 5 to 40 epochs"
    assert said.format(*(longer[batch, 40] - longer[batch, 5] for batch in (64, 1024))) in WORDS


def test_fine_tuning_on_all_labels_and_broader_augmentation():
    measured = means("table_b2", ["metric", "architecture", "label_fraction", "initialisation"])["top1"]
    narrow, wide = "ResNet-8", "ResNet-8 (2x)"
    gains = {
        name: measured[name, "100%", "broader aug pretraining"] - measured[name, "100%", "from scratch"]
        for name in (narrow, wide)
    }
    said = f"the wide network is {gains[wide]:.1f} points above training from scratch"
    assert re.search(f"{said} for .* the narrow one {gains[narrow]:.1f}, where", WORDS)
    forty = means("table_b3", ["metric", "augmentation", "epochs", "architecture"], "reduced_long")["top1"]
    tuned = [measured[name, "100%", "broader aug pretraining"] for name in (narrow, wide)]
    said = "{:.1f} and {:.1f} against {:.1f} and {:.1f}"
    assert said.format(*forty["Crop", 40][[narrow, wide]], *tuned) in WORDS
    linear = measured.xs("100% (linear eval)", level="label_fraction")
    costs = [
        linear[name, "default aug pretraining"] - linear[name, "broader aug pretraining"]
        for name in (narrow, wide)
    ]
    assert "{:.1f} points of the narrow network and {:.1f} of the wide".format(*costs) in WORDS


def test_the_narrow_network_fine_tuned():
    measured = means("table_b5", ["metric", "setting", "method", "dataset"])["top1", "fine-tuned"]
    ahead = measured["Supervised"] - measured["SimCLR"]
    assert f"by {ahead['Fashion-MNIST']:.1f} points on Fashion-MNIST and by a tenth on the digits" in WORDS
    assert f"{ahead['Digits']:.1f}" == "0.1"
    assert f"worse by {-ahead['CIFAR10 from digits']:.1f} on CIFAR-10 with an encoder of digits" in WORDS


def test_the_spread_of_two_optimizers():
    rows = pd.read_csv(ROOT / "reports/evidence/reduced/table_06/rows.csv")
    top1 = rows[rows.metric == "top1"].set_index("seed").groupby("ablation").value
    lars, sgd = top1.get_group("LARS"), top1.get_group("momentum SGD")
    assert sgd.max() < FAILS and (lars < FAILS).sum() == 1
    assert f"fail, {lars.mean() - sgd.mean():.0f} points below LARS on average" in WORDS
    assert f"spread over seeds, {sgd.std():.1f} points, says nothing; that of LARS, {lars.std():.1f}" in WORDS
    assert f"the one seed that fails ({lars[lars >= FAILS].std():.1f} without it)" in WORDS


def test_narrow_heads_and_a_low_temperature_at_a_third_of_the_rate():
    gentle, usual = (
        means("figure_08", ["metric", "projection", "output_dim"], scale)["top1"]
        for scale in ("reduced_gentle", "reduced")
    )
    heads = ("linear", "nonlinear")
    said = "the linear one ends at {:.1f}, the nonlinear one at {:.1f} ({:.1f} and {:.1f} at the higher rate)"
    assert (
        said.format(*(gentle[head, "16"] for head in heads), *(usual[head, "16"] for head in heads)) in WORDS
    )
    assert "64 dimensions at {:.1f} and {:.1f}".format(*(gentle[head, "64"] for head in heads)) in WORDS
    lowest = means("table_05", ["metric", "temperature"], "reduced_gentle")["top1", 0.05]
    assert f"A temperature of 0.05 fails at this rate, too ({lowest:.1f})" in WORDS


ELSEWHERE = {
    "#three-times-the-length": "reduced_long",
    "#twice-the-width": "reduced_wide",
    "#a-third-of-the-rate": "reduced_gentle",
    "#four-times-the-images": "reduced_images",
    "#crop-boxes-of-the-official-code": "reduced_sampler",
}
CLAIMS = r"[A-I]\d+(?:(?:,| and|, and) [A-I]\d+)*"


def said_verdicts() -> list[tuple[str, str, str]]:
    """(scale, claim, verdict) wherever the text gives a claim a verdict: the claims before it in its sentence.

    Of a sentence without a claim those at the head of its paragraph. The scale is that of the section, or of the
    section to which the sentence links.
    """
    found = []
    for section in re.split(r"(?m)^## ", TEXT)[1:]:
        title, _, body = section.partition("\n")
        home = ELSEWHERE.get("#" + title.lower().replace(" ", "-"), "reduced")
        for paragraph in re.split(r"\n\n|\n- ", body):
            text = " ".join(paragraph.replace("**", "").replace("*", "").split())
            head = re.match(rf"(?:- )?({CLAIMS})\b", text)
            for sentence in re.split(r"(?<=[.;]) ", text):
                links = [scale for link, scale in ELSEWHERE.items() if link in sentence]
                for match in re.finditer(r"\b(confirmed|contradicted|inconclusive)\b", sentence):
                    named = re.findall(CLAIMS, sentence[: match.start()]) or ([head[1]] if head else [])
                    scale = links[0] if links else home
                    found += [
                        (scale, each, match[1]) for each in re.findall(r"[A-I]\d+", "".join(named[-1:]))
                    ]
    return found


@pytest.fixture(scope="module")
def judged(tmp_path_factory) -> dict[tuple[str, str], dict[str, Any]]:
    """The claims with their verdicts, by scale and name, judged from the committed rows."""
    here = Folders(
        tmp_path_factory.mktemp("judged"), ROOT / "params", ROOT / "reports/evidence", committed=True
    )
    return {
        (scale, claim["id"]): claim
        for scale in ("reduced", *ELSEWHERE.values())
        for claim in judge_scale(scale, here)["claims"]
    }


def test_every_verdict_that_the_text_gives_is_the_boards(judged):
    said = said_verdicts()
    assert len(said) > 20
    assert {
        (scale, claim): verdict
        for scale, claim, verdict in said
        if judged[scale, claim]["verdict"] != verdict
    } == {}


def test_the_correlations_are_the_boards(judged):
    d9, f4 = (judged["reduced", claim] for claim in ("D9", "F4"))
    assert f"a rank correlation of {d9['effect']:.2f} where the paper has {d9['paper_effect']:.1f}" in WORDS
    assert (f4["part"], f"with 1 % of the labels it is {f4['effect']:.2f}" in WORDS) == (1, True)


def test_the_official_crop_boxes():
    cells = means("figure_05", ["metric", "first", "second", "seed"], "reduced_sampler")
    crop, colour, both = (
        cells["top1", first, second]
        for first, second in (("Crop", "Crop"), ("Crop", "Color"), ("Crop+Color", "both branches"))
    )
    full = means("table_01", ["metric", "augmentation", "seed"], "reduced_sampler")["top1", "1"]
    expected = [some.mean() for some in (crop, colour, both, full)]
    assert quoted("top-1 on five seeds, official boxes") == pytest.approx(expected, abs=0.051)
    assert f"crop alone is {(colour - crop).mean():.1f} points below crop followed by colour, with" in WORDS
    fails, others = sorted(full[full < FAILS]), sorted(full[full >= FAILS])
    assert len(fails) == 2 and "two trainings of five fail, and the others end at 34 to 36" in WORDS
    assert (round(others[0]), round(others[-1])) == (34, 36)
    tasks = cells["contrastive_accuracy", "Crop+Color", "both branches"]
    sisters, others = both.drop(0), tasks.drop(0)
    said = "{:.0f} % of contrastive accuracy where they have {:.0f} to {:.0f}, and {:.1f} points where they"
    assert said.format(tasks[0], others.min(), others.max(), both[0]) in WORDS
    assert f"have {sisters.min():.1f} to {sisters.max():.1f}. With it" in WORDS
    heads = means("figure_08", ["metric", "projection"], "reduced_sampler")["top1"]
    layers = means("figure_08", ["metric", "projection", "representation"], "reduced_sampler")["top1"]
    assert f"a linear head is {heads['linear'] - heads['none']:.1f} points above none, and h" in WORDS
    assert f"h {layers['nonlinear', 'h'] - layers['nonlinear', 'z']:.1f} above z" in WORDS


def made_again() -> pd.DataFrame:
    """reruns.csv, with the points by which each number moved."""
    rows = pd.read_csv(ROOT / "reports/evidence/reduced/reruns.csv")
    return rows.assign(moved=rows.again - rows.committed)


def test_what_was_made_again_on_another_processor():
    rows = made_again()
    drawn = rows[rows.fingerprint.isin(rows.fingerprint.unique()[:16])]
    at_home = drawn[drawn.processor == drawn.processor_again]
    assert (len(at_home), at_home.fingerprint.nunique()) == (24, 6)
    assert (at_home.moved == 0).all(), "the six that this Intel had made"
    away = drawn[drawn.processor != drawn.processor_again].groupby("fingerprint").moved
    same = away.agg(lambda moved: (moved == 0).all())
    assert (same.sum(), len(same)) == (1, 10)

    rows = rows[~rows.processor_again.str.contains("MKL_CBWR")]
    chosen = rows[~rows.fingerprint.isin(drawn.fingerprint) & (rows.stage == "linear_eval")]
    evaluated = chosen.groupby("metric").moved.agg(["mean", "sem", "count"])
    top1, neighbours = evaluated.loc["top1"], evaluated.loc["knn_top1"]
    assert (top1["count"], neighbours["count"]) == (18, 18)
    assert f"top-1 moved by {top1['mean']:.1f} points on average (standard error {top1['sem']:.1f})" in WORDS
    assert f"nearest neighbours by {neighbours['mean']:.1f} ({neighbours['sem']:.1f})" in WORDS
    assert f"moved by more than {rows[rows.metric.isin(['top1', 'knn_top1'])].moved.abs().max():.1f}" in WORDS


def test_two_comparisons_with_a_side_from_each_processor():
    rows = made_again()
    evaluated = rows[(rows.metric == "top1") & rows.run.str.startswith("part1-augmentation3")]
    evaluated = evaluated.sort_values("run")
    rounded = evaluated.processor_again.str.endswith("MKL_CBWR=AVX2")
    assert quoted("again, with another rounding") == pytest.approx(evaluated[rounded].again, abs=0.051)
    evaluated = evaluated[~rounded]
    assert quoted("made on the AMD") == pytest.approx(evaluated.committed.tolist(), abs=0.051)
    assert quoted("made again on the Intel") == pytest.approx(evaluated.again.tolist(), abs=0.051)
    branches = means("figure_05", ["metric", "first", "second", "seed"])["top1", "Crop", "Color"]
    depths = means("figure_07", ["metric", "training", "epochs", "width", "depth", "seed"])
    deepest = depths["top1", "SimCLR linear eval", 10, 1, 20]
    ahead, behind = (
        [
            float((other.to_numpy() - both.to_numpy()).mean())
            for both in (evaluated.again, evaluated.committed)
        ]
        for other in (branches, deepest)
    )
    said = "is {:.1f} points ahead of both (committed: {:.1f})"
    assert said.format(*ahead) in WORDS
    assert "ResNet-20 is {:.1f} behind ResNet-8 (committed: {:.1f};".format(*(-x for x in behind)) in WORDS
    moved = deepest.to_numpy() - evaluated.again.to_numpy()
    assert f"p {stats.ttest_1samp(moved, 0).pvalue:.2f}" in WORDS
