"""Colour operators: properties, and references that compute the same thing another way."""

import colorsys
import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms.v2 import functional as torchvision

from simclr.views import (
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    color_jitter,
    equalize,
    grayscale,
    solarize,
)

GENERATOR = torch.Generator().manual_seed(0)
IMAGES = torch.rand(24, 3, 5, 4, generator=GENERATOR)
CHANNEL = st.integers(0, 255).map(lambda level: level / 255)


def pixel(*rgb):
    return torch.tensor(rgb, dtype=torch.float32).reshape(1, 3, 1, 1)


@settings(max_examples=200, deadline=None)
@given(st.tuples(CHANNEL, CHANNEL, CHANNEL), st.floats(0, 2), st.floats(-1, 1))
def test_saturation_and_hue_are_those_of_hsv(rgb, factor, delta):
    h, s, v = colorsys.rgb_to_hsv(*rgb)
    saturated = adjust_saturation(pixel(*rgb), torch.tensor([factor]))
    turned = adjust_hue(pixel(*rgb), torch.tensor([delta]))
    close = {"atol": 5e-6, "rtol": 0}
    torch.testing.assert_close(saturated, pixel(*colorsys.hsv_to_rgb(h, min(1.0, s * factor), v)), **close)
    torch.testing.assert_close(turned, pixel(*colorsys.hsv_to_rgb((h + delta) % 1, s, v)), **close)


def test_a_third_of_a_turn_permutes_the_channels():
    third = torch.full((24,), 1 / 3)
    torch.testing.assert_close(adjust_hue(IMAGES, third), IMAGES[:, [2, 0, 1]], atol=2e-6, rtol=0)


def test_contrast_zero_is_each_channels_mean_and_one_changes_nothing():
    mean = IMAGES.mean((2, 3), keepdim=True).expand_as(IMAGES)
    torch.testing.assert_close(adjust_contrast(IMAGES, torch.zeros(24)), mean)
    torch.testing.assert_close(adjust_contrast(IMAGES, torch.ones(24)), IMAGES)


def test_brightness_adds_or_multiplies():
    value = torch.linspace(0, 1, 24)
    column = value[:, None, None, None]
    assert torch.equal(adjust_brightness(IMAGES, value), IMAGES + column)
    assert torch.equal(adjust_brightness(IMAGES, value, "multiplicative"), IMAGES * column)
    with pytest.raises(ValueError, match="gamma"):
        adjust_brightness(IMAGES, value, "gamma")


@pytest.mark.parametrize("clip", ["each", "end"])
def test_jitter_follows_each_images_own_order(clip):
    order = torch.tensor(list(itertools.permutations(range(4))))
    b, c, s, h = (torch.rand(24, generator=GENERATOR) * 0.8 + 0.1 for _ in range(4))
    got = color_jitter(IMAGES, b, c, s, h, order, clip=clip)
    steps = (
        lambda x, i: adjust_brightness(x, b[i : i + 1]),
        lambda x, i: adjust_contrast(x, c[i : i + 1]),
        lambda x, i: adjust_saturation(x, s[i : i + 1]),
        lambda x, i: adjust_hue(x, h[i : i + 1]),
    )
    for i in range(24):
        expected = IMAGES[i : i + 1]
        for op in order[i].tolist():
            expected = steps[op](expected, i)
            expected = expected.clamp(0, 1) if clip == "each" else expected
        torch.testing.assert_close(got[i : i + 1], expected.clamp(0, 1), atol=1e-6, rtol=0)


def test_the_order_and_the_place_of_the_clip_matter():
    ones, order = torch.ones(24), torch.arange(4).expand(24, 4)
    settings = (0.5 * ones, 0.5 * ones, 1.5 * ones, 0.2 * ones)
    each, end = (color_jitter(IMAGES, *settings, order, clip=clip) for clip in ("each", "end"))
    assert (each - end).abs().max() > 0.01
    assert (each - color_jitter(IMAGES, *settings, order.flip(1))).abs().max() > 0.01


def test_an_order_of_minus_one_leaves_the_image_alone_even_outside_the_range():
    images, ones = IMAGES * 3 - 1, torch.ones(24)
    order = torch.arange(4).repeat(24, 1)
    order[::2] = -1
    got = color_jitter(images, 0.1 * ones, ones, ones, ones, order)
    assert torch.equal(got[::2], images[::2])
    assert bool(((got[1::2] >= 0) & (got[1::2] <= 1)).all())
    with pytest.raises(ValueError, match="never"):
        color_jitter(images, ones, ones, ones, ones, order, clip="never")


def test_grayscale_is_the_luminance_in_all_channels():
    grey = grayscale(pixel(1.0, 0.5, 0.25))
    torch.testing.assert_close(grey, torch.full((1, 3, 1, 1), 0.2989 + 0.2935 + 0.0285))


def test_solarize_inverts_from_the_threshold_up():
    got = solarize(pixel(0.25, 0.5, 1.0))
    assert torch.equal(got, pixel(0.25, 0.5, 0.0))


@pytest.mark.parametrize("levels", [1, 2, 3, 40, 256])
def test_equalize_is_torchvisions(levels):
    images = torch.randint(0, levels, (6, 3, 20, 20), dtype=torch.uint8, generator=GENERATOR)
    images = images * (256 // levels)
    assert torch.equal((equalize(images / 255) * 255).round(), torchvision.equalize(images).float())
