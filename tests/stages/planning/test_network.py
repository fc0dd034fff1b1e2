"""The numbers of a network, counted without building it, are those of the network that is built."""

import weakref

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from simclr.encoder import resnet
from stages.planning.network import network_of


def test_a_resnet_50_costs_what_everybody_says():
    """4.1 thousand million multiply-adds at 224 px, so twice as many operations."""
    assert network_of({"resnet.depth": 50}, 224).flops == pytest.approx(8.2e9, rel=0.01)


@pytest.mark.parametrize(
    ("depth", "stem", "size"), [(8, "cifar", 15), (18, "imagenet", 45), (50, "cifar", 9)]
)
def test_operations_are_those_of_the_convolutions(depth, stem, size):
    """Against the outputs that the network really has, odd sides included."""
    shape = {"depth": depth, "stem": stem, "base_channels": 4, "width": 2}
    counted, encoder = [], resnet(**shape).eval()
    for layer in encoder.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_hook(
                lambda conv, _, out: counted.append(2 * out.numel() * conv.weight[0].numel())
            )
    with torch.no_grad():
        encoder(torch.zeros(1, 3, size, size))
    assert network_of({f"resnet.{key}": value for key, value in shape.items()}, size).flops == sum(counted)


SHAPES = [
    {"depth": 8, "stem": "cifar", "base_channels": 4},
    {"depth": 18, "stem": "cifar"},
    {"depth": 34, "width": 2, "base_channels": 8},
    {"depth": 50, "base_channels": 8},
]


@pytest.mark.parametrize("shape", SHAPES)
def test_parameters_are_those_of_the_network(shape):
    counted = sum(each.numel() for each in resnet(**shape).parameters())
    assert network_of({f"resnet.{key}": value for key, value in shape.items()}, 32).parameters == counted


@pytest.mark.parametrize(
    ("depth", "size", "float32", "bfloat16"), [(50, 224, 86e6, 44e6), (18, 32, 5.0e6, 2.5e6)]
)
def test_what_is_kept_for_the_backward_pass_is_what_was_measured(depth, size, float32, bfloat16):
    """By summing all tensors that autograd saves, with torch's own batch norm."""
    network = network_of({"resnet.depth": depth, "resnet.stem": "cifar" if depth == 18 else "imagenet"}, size)
    assert network.kept_bytes(4) == pytest.approx(float32, rel=0.02)
    assert network.kept_bytes(2) == pytest.approx(bfloat16, rel=0.02)


class Memory(TorchDispatchMode):
    """The most bytes of tensors that were alive at once, of those that were made under it."""

    def __init__(self):
        super().__init__()
        self.most, self._alive = 0, {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        for storage in (
            each.untyped_storage() for each in tree_leaves(made) if isinstance(each, torch.Tensor)
        ):
            if storage._cdata not in self._alive:
                self._alive[storage._cdata] = storage.nbytes()
                weakref.finalize(storage, self._alive.pop, storage._cdata, None)
        self.most = max(self.most, sum(self._alive.values()))
        return made


@pytest.mark.parametrize(
    ("depth", "width", "stem", "size"),
    [
        (18, 1, "imagenet", 224),
        (18, 4, "imagenet", 224),
        (50, 1, "imagenet", 224),
        (50, 4, "imagenet", 224),
        (152, 2, "imagenet", 224),
        (50, 1, "cifar", 32),
        (8, 1, "cifar", 16),
    ],
)
def test_what_a_forward_pass_alone_holds_is_what_the_network_holds(depth, width, stem, size):
    """By counting the memory of the real network, on a device that has none."""
    with torch.device("meta"):
        encoder = resnet(depth=depth, width=width, stem=stem).eval()
        images = torch.empty(500, 3, size, size)
    with torch.no_grad(), Memory() as memory:
        encoder(images)
    network = network_of({"resnet.depth": depth, "resnet.width": width, "resnet.stem": stem}, size)
    assert 500 * 4 * network.passing == pytest.approx(memory.most, rel=0.02)


def test_features_are_those_of_the_network():
    for shape in SHAPES:
        of = {f"resnet.{key}": value for key, value in shape.items()}
        assert network_of(of, 32).features == resnet(**shape).feature_dim
