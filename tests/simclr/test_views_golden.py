"""Operators against vectors from the official TensorFlow code (tests/golden/augment*.npz, cases in the JSON).

Tolerances in units of pixel values in [0, 1]. Single operators and resampling agree to a few float32
roundings; in a chain the hue's division by chroma multiplies them.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from simclr.randomness import uniform
from simclr.views import (
    Address,
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    centre_box,
    color_jitter,
    crop_boxes_official,
    crop_boxes_torchvision,
    evaluation_view,
    gaussian_blur,
    grayscale,
    resized_crop,
)
from simclr.views.standard import ColorDistortion

FOLDER = Path(__file__).parents[1] / "golden"
ARRAYS = np.load(FOLDER / "augment.npz")
STATISTICS = np.load(FOLDER / "augment_stats.npz")
SUMMARY = json.loads((FOLDER / "augment_stats.json").read_text())
CASES = json.loads((FOLDER / "augment_cases.json").read_text())
LINEAR, COLOUR = 2e-6, 1e-5  # resampling and blur; anything with a colour operator
KERNELS = pytest.mark.parametrize(("suffix", "resample"), [("", "bicubic_tf2"), ("_tf1", "bicubic_tf1")])
SIZES = ["32x32", "96x96", "224x224", "256x256", "375x500", "500x375"]
PAPER = {"area": (0.08, 1.0), "aspect": (3 / 4, 4 / 3)}


def each(group):
    return pytest.mark.parametrize("case", CASES[group], ids=lambda case: case["key"])


def image(name):
    stored = ARRAYS[f"img_{name}"] / np.float32(255) if f"img_{name}" in ARRAYS else ARRAYS[f"imgf_{name}"]
    return torch.from_numpy(stored).permute(2, 0, 1)[None]


def error(images, key):
    return float(np.abs(images[0].permute(1, 2, 0).numpy() - ARRAYS[key]).max())


def one(value):
    return torch.tensor([value], dtype=torch.float32)


def jitter(images, case):
    factors = (one(case[name]) for name in ("brightness", "contrast", "saturation", "hue"))
    mode = "additive" if case["impl"] == "simclrv1" else "multiplicative"
    return color_jitter(images, *factors, torch.tensor([case["perm"]]), mode)


@each("pointops")
def test_colour_operators(case):
    ops = {
        "brightness_simclrv1_additive": adjust_brightness,
        "brightness_simclrv2_multiplicative": lambda x, v: adjust_brightness(x, v, "multiplicative"),
        "contrast": adjust_contrast,
        "saturation": adjust_saturation,
        "hue": adjust_hue,
        "grayscale": lambda x, v: grayscale(x),
    }
    assert error(ops[case["op"]](image(case["image"]), one(case.get("factor") or 0.0)), case["key"]) < COLOUR


@each("jitter")
def test_color_jitter(case):
    assert error(jitter(image(case["image"]), case), case["key"]) < COLOUR


@KERNELS
@each("crop_resize")
def test_resized_crop(case, suffix, resample):
    box = torch.tensor([[case[side] for side in "yxhw"]])
    crop = resized_crop(image(case["image"]), box, case["out"], None, resample)
    assert error(crop, case["key"] + suffix) < LINEAR


@KERNELS
@each("eval")
def test_evaluation_view(case, suffix, resample):
    crop = case.get("crop", True)
    view = evaluation_view(image(case["image"]), case["out"], crop, resample=resample)
    assert error(view, case["key"] + (suffix if crop else "")) < LINEAR


@pytest.mark.parametrize("row", ARRAYS["center_crop_table"].tolist(), ids=str)
def test_centre_box(row):
    height, width, _, crop_height, crop_width, y, x = row
    assert centre_box(height, width) == (y, x, crop_height, crop_width)


@each("blur")
def test_gaussian_blur(case):
    blurred = gaussian_blur(image(case["image"]), one(case["sigma"]), case["kernel_size_arg"])
    assert error(blurred, case["key"]) < LINEAR


def test_gaussian_blur_of_a_batch_with_one_sigma():
    case = CASES["batch_blur"][0]
    images = torch.from_numpy(ARRAYS["imgbatch_32"] / np.float32(255)).permute(0, 3, 1, 2)
    blurred = gaussian_blur(images, one(case["sigma"]).expand(4), case["height"] // 10)
    chosen = torch.tensor(case["blurred"])[:, None, None, None]
    got = torch.where(chosen, blurred, images).clamp(0, 1).permute(0, 2, 3, 1).numpy()
    assert np.abs(got - ARRAYS[case["key"]]).max() < LINEAR


@KERNELS
@each("pipeline")
def test_the_whole_training_pipeline(case, suffix, resample):
    box = torch.tensor([[case["box"][side] for side in "yxhw"]])
    view = resized_crop(image(case["image"]), box, case["out"], torch.tensor([case["flip"]]), resample)
    view = jitter(view, case) if case["jitter_applied"] else view
    view = grayscale(view) if case["gray_applied"] else view
    assert error(view.clamp(0, 1), case["key"] + suffix) < COLOUR


def boxes(sample, size, n=20_000):
    height, width = map(int, size.split("x"))

    def uniforms(rows, attempts):
        return uniform(0, "golden", 0, rows, 0, 4 * attempts).reshape(len(rows), attempts, 4)

    drawn = sample(uniforms, n, height, width, **PAPER).numpy()
    h, w = drawn[:, 2], drawn[:, 3]
    return drawn, {"area": h * w / (height * width), "aspect": w / h, "height": h, "width": w}


def quantile_distance(sample, quantiles, levels):
    """How far the empirical distribution function misses the levels at the quantiles (0 inside a step)."""
    below = np.array([(sample < q - 1e-9).mean() for q in quantiles])
    up_to = np.array([(sample <= q + 1e-9).mean() for q in quantiles])
    return float(np.maximum(below - levels, levels - up_to).max())


def histogram_distance(sample, edges, counts):
    """Kolmogorov-Smirnov distance at the edges of a histogram."""
    ours, theirs = np.histogram(sample, edges)[0], counts
    return float(np.abs(ours.cumsum() / ours.sum() - theirs.cumsum() / theirs.sum()).max())


@pytest.mark.parametrize("size", SIZES)
def test_official_boxes_have_the_official_law(size):
    drawn, measured = boxes(crop_boxes_official, size)
    levels = STATISTICS["quantile_levels"]
    for name, sample in measured.items():
        assert quantile_distance(sample, STATISTICS[f"crop_{size}_{name}_quantiles"], levels) < 0.015, name
    for name in ("area", "aspect"):
        edges, counts = STATISTICS[f"{name}_hist_edges"], STATISTICS[f"crop_{size}_{name}_hist"]
        assert histogram_distance(measured[name], edges, counts) < 0.015, name
    for name, offset, extent, span in (("yoff", 0, 2, 0), ("xoff", 1, 3, 1)):
        room = int(size.split("x")[span]) - drawn[:, extent]
        ratio = drawn[room > 0, offset] / room[room > 0]
        edges, counts = STATISTICS["ratio_offset_edges"], STATISTICS[f"crop_{size}_{name}_hist"]
        assert histogram_distance(ratio, edges, counts) < 0.015, name
        assert ratio.max() < 1  # TensorFlow never draws the last offset
    assert measured["area"].min() >= 0.1


@pytest.mark.parametrize("size", SIZES)
def test_torchvision_boxes_have_torchvisions_law(size):
    # The stored quantiles come from 20 000 simulated draws, to four digits: compare quantile with quantile.
    sample = boxes(crop_boxes_torchvision, size)[1]["area"]
    expected = SUMMARY[f"crop_{size}"]["torchvision_style_area_quantiles"]
    assert np.abs(np.quantile(sample, STATISTICS["quantile_levels"]) - expected).max() < 0.015


def test_the_two_samplers_can_be_told_apart():
    """The distances above are far below what the other sampler scores."""
    sample = boxes(crop_boxes_torchvision, "224x224")[1]["area"]
    quantiles = STATISTICS["crop_224x224_area_quantiles"]
    assert quantile_distance(sample, quantiles, STATISTICS["quantile_levels"]) > 0.05


def color_draws(n=20_000, **settings):
    zeros = torch.zeros(n, dtype=torch.int64)
    return ColorDistortion(**settings).draw(Address(0, "golden", 0, torch.arange(n), zeros))


@pytest.mark.parametrize("strength", [0.5, 1.0])
@pytest.mark.parametrize("mode", ["additive", "multiplicative"])
def test_jitter_factors_have_the_official_law(strength, mode):
    drawn = color_draws(strength=strength, brightness_mode=mode)
    names = {"additive": "brightness_delta_simclrv1", "multiplicative": "brightness_factor_simclrv2"}
    keys = {"brightness": names[mode], "contrast": "contrast_factor", "saturation": "saturation_factor"}
    for name, key in (keys | {"hue": "hue_delta"}).items():
        quantiles = STATISTICS[f"jitter_s{strength}_{key}_quantiles"]
        distance = quantile_distance(drawn[name].numpy(), quantiles, STATISTICS["quantile_levels"])
        assert distance < 0.015, name


def test_jitter_orders_and_probabilities_have_the_official_law():
    drawn = color_draws(strength=1.0)
    counts = drawn["order"].unique(dim=0, return_counts=True)[1].double()
    assert len(counts) == len(STATISTICS["perm_codes"]) == 24
    expected = 20_000 / 24
    assert ((counts - expected) ** 2 / expected).sum() < 49.7  # chi-squared, 23 degrees of freedom, 0.001
    official = SUMMARY["pipeline"]
    assert 1 - drawn["jittered"].double().mean() == pytest.approx(official["frac_unjittered"], abs=0.015)
    assert drawn["grey"].double().mean() == pytest.approx(official["frac_gray_any"], abs=0.015)
