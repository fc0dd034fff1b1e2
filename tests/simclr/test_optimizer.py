import pytest
import torch
from torch import nn

from simclr.optimizer import matches_any
from simclr.sgd import Sgd


@pytest.fixture
def layer() -> nn.Linear:
    return nn.Linear(3, 2)


def test_parameters_without_gradient_stay_and_zero_grad_drops_gradients(layer):
    before = layer.bias.detach().clone()
    optimizer = Sgd(layer.named_parameters())
    layer.weight.grad = torch.ones_like(layer.weight)
    optimizer.step(0.1)
    assert torch.equal(layer.bias, before)
    optimizer.zero_grad()
    assert layer.weight.grad is None


def test_momentum_survives_a_round_trip(layer):
    first, second = Sgd(layer.named_parameters()), Sgd(layer.named_parameters())
    layer.weight.grad = torch.randn(2, 3)
    first.step(0.1)
    second.load_state_dict({name: v.clone() for name, v in first.state_dict().items()})
    assert torch.equal(second.state_dict()["weight"], layer.weight.grad)


def test_foreign_state_is_an_error_that_names_the_difference(layer):
    optimizer = Sgd(layer.named_parameters())
    with pytest.raises(ValueError, match=r"missing \['bias'\], unexpected \['scale'\]"):
        optimizer.load_state_dict({"weight": torch.zeros(2, 3), "scale": torch.zeros(1)})
    with pytest.raises(ValueError, match=r"momentum buffer of bias: expected shape \(2,\), found \(5,\)"):
        optimizer.load_state_dict({"weight": torch.zeros(2, 3), "bias": torch.zeros(5)})


def test_nothing_to_train_is_an_error(layer):
    with pytest.raises(ValueError, match="no trainable parameter"):
        Sgd((name, p) for name, p in layer.requires_grad_(False).named_parameters())


def test_exclusions_are_searched_anywhere_in_the_name():
    assert matches_any("groups.0.batch_norm.weight", ("batch_norm", "bias"))
    assert not matches_any("groups.0.conv.weight", ("batch_norm", "bias"))
    assert not matches_any("anything", None)
