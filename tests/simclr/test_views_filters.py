"""Blur, noise, cutout, rotation, Sobel and AutoAugment."""

import math

import pytest
import torch
import torch.nn.functional as F

from simclr.views import autoaugment, cutout, gaussian_blur, gaussian_noise, motion_blur, rotate, sobel

IMAGES = torch.rand(4, 3, 11, 11, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("kernel_size", "taps"), [(1, 1), (2, 3), (3, 3), (4, 5), (22, 23), (40, 41)])
def test_gaussian_blur_is_the_zero_padded_convolution(kernel_size, taps):
    sigma = torch.tensor([0.1, 0.5, 1.3, 2.0])
    offset = torch.arange(taps) - taps // 2
    for i, s in enumerate(sigma):
        kernel = torch.exp(-(offset**2) / (2 * s * s))
        kernel = torch.outer(kernel, kernel) / kernel.sum() ** 2
        expected = F.conv2d(IMAGES[i][:, None], kernel[None, None], padding=taps // 2)[:, 0]
        got = gaussian_blur(IMAGES, sigma, kernel_size)[i]
        torch.testing.assert_close(got, expected, atol=1e-6, rtol=0)


def test_motion_blur_averages_along_its_line():
    horizontal, vertical = torch.zeros(4), torch.full((4,), math.pi / 2)
    padded = F.pad(IMAGES, (1, 1, 1, 1), mode="replicate")
    rows = (padded[:, :, 1:-1, :-2] + padded[:, :, 1:-1, 1:-1] + padded[:, :, 1:-1, 2:]) / 3
    columns = (padded[:, :, :-2, 1:-1] + padded[:, :, 1:-1, 1:-1] + padded[:, :, 2:, 1:-1]) / 3
    three = torch.full((4,), 3.0)
    torch.testing.assert_close(motion_blur(IMAGES, three, horizontal, 5), rows, atol=1e-6, rtol=0)
    torch.testing.assert_close(motion_blur(IMAGES, three, vertical, 5), columns, atol=1e-6, rtol=0)
    torch.testing.assert_close(motion_blur(IMAGES, three / 3, vertical, 5), IMAGES, atol=1e-6, rtol=0)


def test_motion_blur_keeps_a_constant_at_any_angle():
    flat = torch.full((4, 3, 9, 9), 0.4)
    angle, length = torch.tensor([0.1, 1.0, 2.0, 3.0]), torch.tensor([1.0, 2.5, 4.0, 7.0])
    torch.testing.assert_close(motion_blur(flat, length, angle, 7), flat)


def test_sobel_shows_vertical_edges_and_nothing_else():
    edge = torch.zeros(1, 3, 6, 6)
    edge[..., 3:] = 0.5
    relief = sobel(edge)
    assert torch.equal(relief[0, 0, 0], torch.tensor([0.5, 0.5, 1.0, 1.0, 0.5, 0.5]))
    assert torch.equal(sobel(edge.mT), torch.full((1, 3, 6, 6), 0.5))
    assert torch.equal(sobel(1 - edge), 1 - relief)


def test_noise_is_scaled_per_image_and_clipped():
    sigma, noise = torch.tensor([0.0, 0.1, 0.2, 5.0]), torch.randn(IMAGES.shape)
    got = gaussian_noise(IMAGES, sigma, noise)
    assert torch.equal(got[0], IMAGES[0])
    torch.testing.assert_close(got[1], (IMAGES[1] + 0.1 * noise[1]).clamp(0, 1))
    assert bool(((got >= 0) & (got <= 1)).all())


def test_cutout_fills_a_square_and_loses_what_hangs_over():
    cut = cutout(IMAGES, torch.tensor([[5, 5], [0, 0], [10, 10], [0, 5]]), 4, 2.0) == 2.0
    assert cut[:, 0].sum((1, 2)).tolist() == [16, 4, 9, 8]
    assert bool(cut[0, :, 3:7, 3:7].all())


def test_rotate_turns_each_image_counter_clockwise():
    turned = rotate(IMAGES, torch.tensor([0, 1, 2, 3]))
    assert all(torch.equal(turned[k], torch.rot90(IMAGES[k], k, (1, 2))) for k in range(4))
    with pytest.raises(ValueError, match="square"):
        rotate(IMAGES[:, :, :5], torch.zeros(4, dtype=torch.int64))


@pytest.mark.parametrize("policy", ["imagenet", "cifar10"])
def test_autoaugment_depends_on_each_images_seed_and_disturbs_nobody(policy):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    together = autoaugment(IMAGES, torch.arange(4), policy)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(4)
    assert torch.equal(autoaugment(IMAGES[2:], torch.tensor([2, 3]), policy), together[2:])
    many = autoaugment(IMAGES[:1].expand(20, -1, -1, -1), torch.arange(20), policy)
    assert len({image.numpy().tobytes() for image in many}) >= 5  # policies often leave an image as it is
    assert bool(((many >= 0) & (many <= 1)).all())


def test_an_unknown_autoaugment_policy_is_named():
    with pytest.raises(ValueError, match="svhn_like"):
        autoaugment(IMAGES, torch.arange(4), "svhn_like")
