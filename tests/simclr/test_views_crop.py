"""Crop boxes and resampling: properties that hold for any draw."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from simclr.randomness import uniform
from simclr.views import (
    centre_box,
    crop_boxes_official,
    crop_boxes_torchvision,
    evaluation_view,
    resize,
    resized_crop,
)

SAMPLERS = pytest.mark.parametrize("sample", [crop_boxes_torchvision, crop_boxes_official])
METHODS = ["bicubic_tf2", "bicubic_tf1", "bilinear"]
PAPER = {"area": (0.08, 1.0), "aspect": (3 / 4, 4 / 3)}
IMAGES = torch.rand(2, 3, 12, 10, generator=torch.Generator().manual_seed(0))


def uniforms_at(index):
    def uniforms(rows, attempts):
        return uniform(1, "test", 0, index[rows], 0, 4 * attempts).reshape(len(rows), attempts, 4)

    return uniforms


@SAMPLERS
@settings(max_examples=40, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 2**31))
def test_boxes_lie_inside_the_image(sample, height, width, start):
    boxes = sample(uniforms_at(torch.arange(start, start + 50)), 50, height, width, **PAPER)
    y, x, h, w = boxes.unbind(1)
    assert boxes.dtype == torch.int64
    assert bool(((h > 0) & (w > 0) & (y >= 0) & (x >= 0) & (y + h <= height) & (x + w <= width)).all())


@SAMPLERS
def test_a_box_depends_only_on_its_own_draws(sample):
    together = sample(uniforms_at(torch.arange(200)), 200, 40, 30, **PAPER)
    apart = [sample(uniforms_at(torch.tensor([i])), 1, 40, 30, **PAPER) for i in range(200)]
    assert torch.equal(together, torch.cat(apart))


@SAMPLERS
def test_later_attempts_are_used_only_after_earlier_ones_fail(sample):
    """Half of these boxes need more than one attempt; the one taken is the first that fits."""
    narrow = {"area": (0.5, 1.0), "aspect": (3 / 4, 4 / 3)}
    few = sample(uniforms_at(torch.arange(300)), 300, 20, 40, attempts=1, **narrow)
    many = sample(uniforms_at(torch.arange(300)), 300, 20, 40, attempts=100, **narrow)
    fallback = sample(lambda rows, k: torch.full((len(rows), k, 4), float("nan")), 1, 20, 40, **narrow)
    first_fits = (few != fallback).any(1)
    assert 0 < first_fits.sum() < 300
    assert torch.equal(few[first_fits], many[first_fits])


def test_when_nothing_fits_torchvision_takes_the_centre_and_tensorflow_the_whole():
    uniforms, bounds = uniforms_at(torch.arange(3)), {"area": (0.9, 1.0), "aspect": (3 / 4, 4 / 3)}
    assert crop_boxes_torchvision(uniforms, 3, 10, 100, **bounds).tolist() == [[0, 43, 10, 13]] * 3
    assert crop_boxes_torchvision(uniforms, 3, 100, 10, **bounds).tolist() == [[43, 0, 13, 10]] * 3
    assert crop_boxes_official(uniforms, 3, 10, 100, **bounds).tolist() == [[0, 0, 10, 100]] * 3


@pytest.mark.parametrize("method", METHODS)
def test_a_crop_at_its_own_size_copies_pixels(method):
    boxes = torch.tensor([[2, 1, 7, 7], [5, 3, 7, 7]])
    expected = torch.stack([IMAGES[0, :, 2:9, 1:8], IMAGES[1, :, 5:12, 3:10]])
    assert torch.equal(resized_crop(IMAGES, boxes, 7, None, method), expected)


@pytest.mark.parametrize("method", METHODS)
def test_a_constant_stays_constant_and_pixels_outside_the_crop_have_no_say(method):
    images = torch.full((1, 3, 12, 10), 5.0)
    images[:, :, 3:9, 2:7] = 0.25
    crop = resized_crop(images, torch.tensor([[3, 2, 6, 5]]), 8, None, method)
    torch.testing.assert_close(crop, torch.full((1, 3, 8, 8), 0.25), atol=1e-6, rtol=0)


@pytest.mark.parametrize("method", METHODS)
def test_flip_mirrors_the_result(method):
    boxes = torch.tensor([[1, 2, 9, 6], [0, 0, 12, 10]])
    plain = resized_crop(IMAGES, boxes, 8, None, method)
    flipped = resized_crop(IMAGES, boxes, 8, torch.tensor([True, False]), method)
    assert torch.equal(flipped, torch.stack([plain[0].flip(2), plain[1]]))


def test_bilinear_is_torchs_up_to_the_rounding_of_positions():
    """Positions are multiples of 1/1024, so a pixel of [0, 1] is off by at most half of that per axis."""
    expected = F.interpolate(IMAGES, size=(17, 17), mode="bilinear", align_corners=False)
    torch.testing.assert_close(resize(IMAGES, 17, "bilinear"), expected, atol=1e-3, rtol=0)


def test_resize_leaves_an_image_of_the_right_size_alone():
    square = IMAGES[:, :, :10]
    assert resize(square, 10) is square


def test_an_unknown_method_is_named():
    with pytest.raises(ValueError, match="lanczos"):
        resize(IMAGES, 4, "lanczos")


def test_evaluation_crops_only_above_32_pixels():
    generator = torch.Generator().manual_seed(1)
    small = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8, generator=generator)
    assert torch.equal(evaluation_view(small, 32), small / 255)
    assert torch.equal(evaluation_view(small, 16), resize(small / 255, 16).clamp(0, 1))
    large = small.repeat(1, 1, 2, 3)
    y, x, h, w = centre_box(64, 96)
    expected = resize(large[:, :, y : y + h, x : x + w] / 255, 40).clamp(0, 1)
    torch.testing.assert_close(evaluation_view(large, 40), expected, atol=1e-6, rtol=0)
