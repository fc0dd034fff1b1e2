"""Images of different sizes: what a list gives is what each image alone gives, and equal sizes are a tensor."""

import gin
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simclr.classification import linear_evaluation
from simclr.encoder import resnet
from simclr.training import Pretraining
from simclr.views import (
    Ragged,
    ViewPolicy,
    as_float,
    as_images,
    crop_boxes_official,
    crop_boxes_torchvision,
    evaluation_view,
    resize,
    resize_shorter_side,
    resized_crop,
    shorter_side_view,
)

SIZES = [(40, 56), (61, 33), (24, 24), (50, 50), (96, 48)]
METHODS = ["bicubic_tf2", "bicubic_tf1", "bilinear"]
EVALUATIONS = pytest.mark.parametrize("view", [evaluation_view, shorter_side_view, resize])


def noise(*sizes: tuple[int, int]) -> Ragged:
    generator = torch.Generator().manual_seed(0)
    return Ragged(torch.randint(0, 256, (3, *size), generator=generator, dtype=torch.uint8) for size in sizes)


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_a_ragged_batch_is_indexed_and_divided_as_a_tensor_is():
    images = noise(*SIZES)
    chosen = images[torch.tensor([4, 0])]
    assert isinstance(chosen, Ragged) and [tuple(image.shape[1:]) for image in chosen] == [SIZES[4], SIZES[0]]
    assert isinstance(images[1:3], Ragged) and images[1:3][0] is images[1]
    assert [len(part) for part in images.split(2)] == [2, 2, 1]
    assert [side.tolist() for side in images.sides()] == [list(side) for side in zip(*SIZES, strict=True)]
    assert images.device == torch.device("cpu") == Ragged().device
    assert isinstance(as_images(list(images)), Ragged) and as_images(images) is images


@EVALUATIONS
def test_equal_sizes_give_what_the_tensor_gives(view):
    images = noise(*[(45, 60)] * 3)
    stacked = torch.stack(list(images))
    close(view(images, 40), view(as_float(stacked), 40))


@EVALUATIONS
def test_every_image_is_seen_alone(view):
    images = noise(*SIZES)
    together = view(images, 40)
    assert together.shape == (len(SIZES), 3, 40, 40) and together.dtype == torch.float32
    close(together, torch.cat([view(as_float(image[None]), 40) for image in images]))


@pytest.mark.parametrize("method", METHODS)
def test_crops_of_many_images_are_those_of_each(method):
    images, boxes = (
        noise(*SIZES),
        torch.tensor([[3, 5, 20, 30], [0, 0, 61, 33], [1, 2, 9, 9], [7, 7, 40, 4], [90, 1, 6, 47]]),
    )
    flip = torch.tensor([True, False, True, False, True])
    found = resized_crop(images, boxes, 16, flip, method)
    each = [
        resized_crop(as_float(image[None]), boxes[i : i + 1], 16, flip[i : i + 1], method)
        for i, image in enumerate(images)
    ]
    close(found, torch.cat(each))


@EVALUATIONS
def test_neither_the_batch_nor_the_threads_nor_the_layout_changes_a_bit(view):
    images, threads = noise(*SIZES * 3), torch.get_num_threads()
    expected = torch.cat([view(images[i : i + 1], 40) for i in range(len(images))])
    assert torch.equal(view(images, 40), expected)
    decoded = images.map(lambda image: image.permute(1, 2, 0).contiguous().permute(2, 0, 1))
    assert torch.equal(view(decoded, 40), expected)
    try:
        torch.set_num_threads(2)
        assert torch.equal(view(images, 40), expected)
    finally:
        torch.set_num_threads(threads)


def test_an_image_of_the_right_size_is_copied_to_the_bit():
    images = noise((24, 24), (24, 24))
    assert torch.equal(resize(images, 24), as_float(torch.stack(list(images))))
    assert torch.equal(shorter_side_view(images, 24), as_float(torch.stack(list(images))))


@pytest.mark.parametrize("sample", [crop_boxes_torchvision, crop_boxes_official])
@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 300), st.integers(1, 300)), min_size=1, max_size=20))
def test_boxes_of_many_sizes_are_those_of_each_size(sample, sizes):
    """Also where no attempt fits and the fallback depends on the image."""
    unit = torch.rand(len(sizes), 200, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    sides = [torch.tensor(side) for side in zip(*sizes, strict=True)]
    bounds = {"area": (0.3, 1.0), "aspect": (3 / 4, 4 / 3), "attempts": 3}
    found = sample(lambda rows, k: unit[rows, :k], len(sizes), *sides, **bounds)
    each = [
        sample(lambda rows, k, i=i: unit[i : i + 1, :k], 1, *size, **bounds) for i, size in enumerate(sizes)
    ]
    assert torch.equal(found, torch.cat(each))


def test_the_shorter_side_view_is_a_resize_and_a_crop():
    """Against both steps done at full width: columns of the resized image, not of a crop made before."""
    image = as_float(noise((30, 75))[0][None])
    whole = torch.cat([resize_shorter_side(image, 20)], dim=0)
    tall = torch.nn.functional.interpolate(image, size=(20, 50), mode="bicubic", align_corners=False)
    assert whole.shape == (1, 3, 20, 20)
    # torch's cubic has a = -0.75: close, not equal; a shift by one column is ten times farther
    near = (whole - tall[..., 15:35]).abs().mean()
    assert all((whole - tall[..., 15 + d : 35 + d]).abs().mean() > 3 * near for d in (-1, 1))


def test_the_shorter_side_view_of_a_ramp_is_known():
    """A linear image stays linear under the cubic: pixel j of the crop lies at (j + offset + 0.5) * scale - 0.5."""
    ramp = (torch.arange(80.0) / 100).expand(1, 3, 32, 80)
    found = shorter_side_view(ramp, 16)
    expected = ((torch.arange(16) + 12 + 0.5) * 2 - 0.5) / 100
    torch.testing.assert_close(found[0, 0, 5], expected, atol=1e-5, rtol=0)


def test_a_square_image_is_resized_once():
    images = as_float(noise((50, 50))[0][None])
    close(shorter_side_view(images, 20), resize(images, 20).clamp(0, 1))
    close(shorter_side_view(images, 64), resize(images, 64).clamp(0, 1))


POLICIES = [
    {"ops": ("crop", "flip", "color", "blur")},
    {"ops": ("flip", "cutout")},  # no crop: the whole image is resized first
    {"ops": ("color", "gaussian_noise", "crop", "flip")},  # before the crop, at each image's own size
    {"ops": ("flip",), "ops_b": (), "shared": ("crop",)},
    {"ops": ("crop",), "shared": ("flip",)},
]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: "+".join(policy["ops"]))
def test_views_of_a_list_are_those_of_each_image(policy):
    gin.bind_parameter("color_distortion.strength", 1.0)
    views, images, index = ViewPolicy(size=20, **policy), noise(*SIZES), torch.arange(7, 7 + len(SIZES))
    a, b, drawn = views(images, index, 2, 3, return_parameters=True)
    assert a.shape == b.shape == (len(SIZES), 3, 20, 20)
    for i, image in enumerate(images):
        alone = views(image[None], index[i : i + 1], 2, 3, return_parameters=True)
        for found, expected in zip((a, b), alone[:2], strict=True):
            torch.testing.assert_close(found[i], expected[0], atol=2e-5, rtol=0)  # colour amplifies 1e-7
        for ours, theirs in zip(drawn, alone[2], strict=True):
            assert ours.keys() == theirs.keys()
            assert all(torch.equal(ours[name][i], theirs[name][0]) for name in ours)


def test_a_plain_list_and_equal_sizes_give_the_views_of_the_tensor():
    views, images, index = ViewPolicy(size=20, ops=("crop", "flip")), noise(*[(30, 40)] * 4), torch.arange(4)
    stacked = views(torch.stack(list(images)), index, 0, 0)
    for found, expected in zip(views(list(images), index, 0, 0), stacked, strict=True):
        close(found, expected)
    close(views.one(list(images), index, 0, 0), stacked[0])


def test_a_grey_image_in_a_list_is_named():
    with pytest.raises(ValueError, match=r"\(1, 30, 40\)"):
        ViewPolicy(size=20, ops=("crop",))([torch.zeros(1, 30, 40)], torch.arange(1), 0, 0)


SMALL = {
    "ViewPolicy.size": 8,
    "ViewPolicy.ops": ("crop", "flip"),
    "resnet.depth": 8,
    "resnet.stem": "cifar",
    "resnet.base_channels": 4,
    "projection_head.out_dim": 8,
    "nt_xent.temperature": 0.5,
    "Lars.weight_decay": 1e-6,
    "Pretraining.warmup_epochs": 0,
}


@pytest.mark.parametrize("kind", [list, Ragged])
def test_trainings_read_a_list_as_they_read_a_tensor(kind):
    for name, value in SMALL.items():
        gin.bind_parameter(name, value)
    images, labels = noise(*[(12, 14)] * 12), torch.arange(12) % 3
    stacked = torch.stack(list(images))
    pretrainings = [Pretraining(x, 0, batch_size=4, epochs=1, base_lr=0.1) for x in (stacked, kind(images))]
    losses = [training.step()["loss"] for training in pretrainings]
    torch.testing.assert_close(losses[0], losses[1], atol=1e-5, rtol=0)
    settings_ = {"batch_size": 4, "epochs": 1, "base_lr": 0.1}
    linear = [
        linear_evaluation(resnet(seed=0), x, labels, 3, 0, **settings_) for x in (stacked, kind(images))
    ]
    outcomes = [
        (training.step()["loss"], training.logits(x))
        for training, x in zip(linear, (stacked, kind(images)), strict=True)
    ]
    torch.testing.assert_close(outcomes[0], outcomes[1], atol=1e-5, rtol=0)


def test_a_pretraining_on_photographs_of_all_sizes_takes_its_steps():
    for name, value in SMALL.items():
        gin.bind_parameter(name, value)
    training = Pretraining(noise(*SIZES * 2), 0, batch_size=5, epochs=1, base_lr=0.1)
    assert all(torch.isfinite(training.step()["loss"]) for _ in range(2))
