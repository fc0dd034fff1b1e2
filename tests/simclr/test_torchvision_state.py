"""torchvision's ResNets with our weights give our h, where there is such a ResNet."""

import pytest
import torch
from torch import nn

from simclr.encoder import ResNet, resnet
from simclr.torchvision_state import SameMaxPool, to_torchvision

torchvision = pytest.importorskip("torchvision")


def untidy(depth: int) -> ResNet:
    """An encoder none of whose numbers is an initial one, in float64."""
    with torch.device("meta"):
        encoder = resnet(depth=depth)
    encoder = encoder.to_empty(device="cpu").double().eval()
    generator = torch.Generator().manual_seed(depth)
    with torch.no_grad():
        for name, tensor in encoder.state_dict().items():
            noise = torch.rand(tensor.shape, generator=generator, dtype=torch.float64)
            fan_in = tensor[0].numel() if tensor.dim() == 4 else 1
            tensor.copy_((noise - 0.5) * (6 / fan_in) ** 0.5 if tensor.dim() == 4 else 0.5 + noise)
            if name.endswith(("bias", "running_mean")):
                tensor.sub_(1)
    return encoder


def theirs(depth: int, encoder: ResNet, classifier: nn.Linear | None = None) -> nn.Module:
    network = getattr(torchvision.models, f"resnet{depth}")(num_classes=5).double().eval()
    if classifier is None:
        network.fc = nn.Identity()
    network.load_state_dict(to_torchvision(encoder, classifier))  # strict: every name and shape
    return network


@torch.no_grad()
@pytest.mark.parametrize("depth", [50, 101])
def test_with_our_pool_torchvision_gives_our_h_at_every_size(depth):
    encoder = untidy(depth)
    network = theirs(depth, encoder)
    network.maxpool = SameMaxPool()
    for side in (64, 65, 71):
        images = torch.rand(2, 3, side, side, dtype=torch.float64)
        torch.testing.assert_close(network(images), encoder(images), rtol=1e-9, atol=1e-9)


@torch.no_grad()
@pytest.mark.parametrize(("side", "same"), [(64, False), (65, True), (66, True), (67, False)])
def test_torchvisions_own_pool_gives_it_where_the_stems_output_is_odd(side, same):
    encoder = untidy(50)
    images = torch.rand(2, 3, side, side, dtype=torch.float64)
    assert torch.allclose(theirs(50, encoder)(images), encoder(images), rtol=1e-9, atol=1e-9) is same


@torch.no_grad()
def test_a_classifier_becomes_the_last_layer():
    encoder, classifier = untidy(50), nn.Linear(2048, 5).double()
    network, images = theirs(50, encoder, classifier), torch.rand(1, 3, 65, 65, dtype=torch.float64)
    torch.testing.assert_close(network(images), classifier(encoder(images)), rtol=1e-9, atol=1e-9)


def test_the_state_is_a_copy():
    encoder = untidy(50)
    state = to_torchvision(encoder)
    state["conv1.weight"].zero_()
    assert bool(encoder.stem.conv.weight.any()) and all(t.is_contiguous() for t in state.values())


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"depth": 18}, "basic blocks .* project the shortcut of the first group too"),
        ({"depth": 34}, "basic blocks .* project the shortcut of the first group too"),
        ({"depth": 50, "width": 2}, "64 channels in their stem, this encoder 128"),
        ({"depth": 50, "stem": "cifar"}, "have the ImageNet stem"),
        ({"depth": 8}, "basic blocks"),
    ],
)
def test_an_encoder_without_a_counterpart_is_refused_with_the_reason(settings, why):
    with torch.device("meta"):
        encoder = resnet(**settings)
    with pytest.raises(ValueError, match=why):
        to_torchvision(encoder)
