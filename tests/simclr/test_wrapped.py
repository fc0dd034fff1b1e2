import pytest
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from simclr.wrapped import feature_dim, not_averaged, wrapped
from tests.simclr.small import small_resnet


def test_alone_an_encoder_stays_as_it_is_and_says_how_wide_it_is():
    encoder = small_resnet()
    assert wrapped(encoder) is encoder and feature_dim(encoder) == 16
    assert list(not_averaged(encoder)) == list(encoder.parameters())
    with pytest.raises(ValueError, match="Linear has no feature_dim"):
        feature_dim(nn.Linear(2, 2))


def test_what_a_wrapper_holds_is_averaged_by_it_and_by_nobody_else(in_processes):
    def work(rank: int) -> tuple:
        encoder, head = small_resnet(), nn.Linear(16, 2)
        made = wrapped(encoder)
        by_hand = DistributedDataParallel(small_resnet())
        rest = [id(p) for p in not_averaged(made, head)]
        frozen = small_resnet().requires_grad_(False)
        made(torch.rand(2, 3, 8, 8) + rank).sum().backward()
        return (
            type(made).__name__,
            rest == [id(p) for p in head.parameters()],
            wrapped(by_hand) is by_hand and wrapped(frozen) is frozen,
            feature_dim(by_hand),
            encoder.stem.conv.weight.grad,
        )

    one, other = in_processes(2, work)
    assert one[:4] == other[:4] == ("DistributedDataParallel", True, True, 16)
    assert torch.equal(one[4], other[4])
