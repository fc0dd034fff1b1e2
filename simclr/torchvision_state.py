"""An encoder's weights for torchvision's ResNet of the same shape.

What has a counterpart: ResNet-50, 101 and 152 of width 1 with the ImageNet stem. ResNet-18 and 34 have none: here the
first block of every group projects its shortcut, as in the official code, in torchvision only where shapes change,
which in the first group of basic blocks they do not. Other widths have none either: torchvision's stem has 64 channels.

Two things are no weights. Images are in [0, 1], without torchvision's mean and standard deviation. And the max pool
pads as TensorFlow's "SAME": use `SameMaxPool`. torchvision's own pool gives the same h only where the stem's output has
odd sides, which is for images whose sides are 4 k + 1 or 4 k + 2 pixels; 224 is not among them.

    network = torchvision.models.resnet50()
    network.maxpool, network.fc = SameMaxPool(), torch.nn.Identity()
    network.load_state_dict(to_torchvision(encoder))
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from simclr.encoder import ConvLayer, ResNet, same_max_pool

CHANNELS = 64  # of torchvision's stem
BATCH_NORM = ("weight", "bias", "running_mean", "running_var")


class SameMaxPool(nn.Module):
    """The max pool of this library's encoders, to stand in for torchvision's: network.maxpool = SameMaxPool()."""

    def forward(self, x: Tensor) -> Tensor:
        return same_max_pool(x)


def to_torchvision(encoder: ResNet, classifier: nn.Linear | None = None) -> dict[str, Tensor]:
    """The state_dict of torchvision's ResNet, as copies; with `classifier` (h -> logits) as its last layer `fc`.

    Without one, torchvision's network must have none either: network.fc = torch.nn.Identity(). See the module for the
    pool and the range of pixels. Raises ValueError for an encoder that has no counterpart, and says why.
    """
    _require_counterpart(encoder)
    state: dict[str, Tensor] = {}
    for layer, conv, norm in _layers(encoder):
        state[f"{conv}.weight"] = layer.conv.weight
        state |= {f"{norm}.{name}": getattr(layer.batch_norm, name) for name in BATCH_NORM}
        state[f"{norm}.num_batches_tracked"] = torch.tensor(
            0
        )  # torch's batch norm keeps one, ours needs none
    if classifier is not None:
        state |= {"fc.weight": classifier.weight, "fc.bias": classifier.bias}
    return {name: t.detach().clone(memory_format=torch.contiguous_format) for name, t in state.items()}


def _require_counterpart(encoder: ResNet) -> None:
    first = encoder.groups[0][0]
    if not encoder.pool_stem:
        raise ValueError(
            "torchvision's ResNets have the ImageNet stem (7x7/2 and max pool), this encoder the one of CIFAR"
        )
    if len(first.residual) == 2:
        raise ValueError(
            "no torchvision ResNet has this encoder's shape: its basic blocks (depth 18 or 34) project the shortcut of "
            "the first group too, as the official code does; only bottlenecks (50, 101, 152) do so in torchvision"
        )
    channels = encoder.stem.conv.out_channels
    if channels != CHANNELS:
        raise ValueError(
            f"torchvision's ResNets have {CHANNELS} channels in their stem, this encoder {channels}: "
            "only width 1 has a counterpart"
        )


def _layers(encoder: ResNet) -> Iterator[tuple[ConvLayer, str, str]]:
    """Every layer, with torchvision's names of its convolution and its batch norm."""
    yield encoder.stem, "conv1", "bn1"
    for g, group in enumerate(encoder.groups, start=1):
        for b, block in enumerate(group):
            for place, layer in enumerate(block.residual, start=1):
                yield layer, f"layer{g}.{b}.conv{place}", f"layer{g}.{b}.bn{place}"
            if isinstance(block.shortcut, ConvLayer):
                yield block.shortcut, f"layer{g}.{b}.downsample.0", f"layer{g}.{b}.downsample.1"
