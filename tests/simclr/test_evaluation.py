"""A network over a whole data set: the same features however it is cut, and by however many processes."""

import pytest
import torch
from torch import nn

from simclr.evaluation import evaluated, evaluated_parts
from simclr.views import Ragged

IMAGES = torch.randint(0, 256, (7, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


class Corners(nn.Module):
    """The mean and the first pixel of every image."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.stack([images.mean((1, 2, 3)), images[:, 0, 0, 0]], dim=1)


def test_parts_are_asked_for_by_number():
    whole = evaluated(Corners(), IMAGES, 8)
    some = torch.tensor([5, 0, 0])
    assert torch.equal(torch.cat(list(evaluated_parts(Corners(), IMAGES, 8, index=some))), whole[some])


@pytest.mark.parametrize("images", [IMAGES, Ragged(IMAGES), IMAGES[:1]], ids=["tensor", "list", "one"])
@pytest.mark.parametrize("processes", [2, 4])
def test_several_processes_get_the_features_of_one(in_processes, images, processes):
    expected = evaluated(Corners(), images, 8)
    for found in in_processes(processes, lambda number: evaluated(Corners(), images, 8)):
        assert torch.equal(found, expected)
