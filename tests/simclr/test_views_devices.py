"""Parameters are drawn on the CPU and pixels made where the images lie: every operator on a pretended GPU."""

import gin
import pytest
import torch

from simclr.views import OPERATORS, Ragged, ViewPolicy, evaluation_view, shorter_side_view
from tests.elsewhere import elsewhere

SIDES = [(20, 24), (33, 16), (16, 16)]
INDEX = torch.arange(len(SIDES))


def photographs() -> Ragged:
    random = torch.Generator().manual_seed(0)
    return Ragged(torch.randint(0, 256, (3, *side), generator=random, dtype=torch.uint8) for side in SIDES)


def stacked() -> torch.Tensor:
    return torch.stack([image[:, :16, :16] for image in photographs()])


@pytest.mark.parametrize("make", [stacked, photographs])
@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_gives_the_pixels_of_the_cpu(name, make):
    gin.bind_parameter("color_distortion.strength", 1.0)
    policy = ViewPolicy(size=16, ops=(name,))
    expected = policy(make(), INDEX, 0, 0)
    with elsewhere() as device:
        found = [view.cpu() for view in policy(make().to(device), INDEX, 0, 0)]
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))


@pytest.mark.parametrize("view", [evaluation_view, shorter_side_view])
@pytest.mark.parametrize("make", [stacked, photographs])
def test_a_test_view_has_the_pixels_of_the_cpu(view, make):
    expected = view(make(), 40)
    with elsewhere() as device:
        assert torch.equal(view(make().to(device), 40).cpu(), expected)
