"""ResNet encoders f(.): image -> h, as the official code builds them.

Where the usual torchvision ResNet differs: the first block of EVERY group has a projection shortcut, also
where shapes match; the 3x3/2 max pool pads as TensorFlow's "SAME" (below and right only, for an even input);
the last batch norm of each residual branch starts at scale 0; convolutions start from a truncated normal of
variance 1 / fan_in, not 2. Both put a bottleneck's stride in its 3x3 convolution.
"""

import math
from typing import Annotated

import gin
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simclr.batch_norm import BatchNorm
from simclr.declared import Between, OneOf
from simclr.randomness import truncated_normal

# depth: (blocks per group, bottleneck?, base channels). 8, 14 and 20 are He et al.'s CIFAR family (2016,
# Section 4.2).
ARCHITECTURES = {
    8: ((1, 1, 1), False, 16),
    14: ((2, 2, 2), False, 16),
    20: ((3, 3, 3), False, 16),
    18: ((2, 2, 2, 2), False, 64),
    34: ((3, 4, 6, 3), False, 64),
    50: ((3, 4, 6, 3), True, 64),
    101: ((3, 4, 23, 3), True, 64),
    152: ((3, 8, 36, 3), True, 64),
}
TRUNCATED_STD = 0.87962566103423978  # of a standard normal cut at 2


class Convolution(nn.Conv2d):
    """nn.Conv2d that leaves its weight unset, and so the global random generator untouched."""

    def reset_parameters(self) -> None:
        """`resnet` fills the weights."""


class ConvLayer(nn.Module):
    """Convolution without bias, then batch norm. Padding is (kernel - 1) / 2 on every side."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int):
        super().__init__()
        self.conv = Convolution(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False)
        self.batch_norm = BatchNorm(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.batch_norm(self.conv(x))


class Block(nn.Module):
    """relu(residual(x) + shortcut(x)): two 3x3 layers, or a bottleneck of 1x1, 3x3 and 4 times wider 1x1."""

    def __init__(self, in_channels: int, channels: int, stride: int, bottleneck: bool, project: bool):
        super().__init__()
        out = 4 * channels if bottleneck else channels
        if bottleneck:
            layers = [(channels, 1, 1), (channels, 3, stride), (out, 1, 1)]
        else:
            layers = [(channels, 3, stride), (out, 3, 1)]
        self.shortcut = ConvLayer(in_channels, out, 1, stride) if project else nn.Identity()
        self.residual = nn.ModuleList()
        for width, kernel, step in layers:
            self.residual.append(ConvLayer(in_channels, width, kernel, step))
            in_channels = width
        nn.init.zeros_(self.residual[-1].batch_norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        out = x
        for layer in self.residual[:-1]:
            out = F.relu(layer(out), inplace=True)
        return F.relu(self.residual[-1](out) + self.shortcut(x), inplace=True)


class ResNet(nn.Module):
    """Images (n, 3, H, W) with values in [0, 1] -> h (n, feature_dim). Build one with `resnet`.

    Neither mean nor standard deviation of the data is subtracted (official code).
    """

    def __init__(self, blocks: tuple[int, ...], bottleneck: bool, stem: str, channels: int):
        super().__init__()
        self.pool_stem = stem == "imagenet"
        self.stem = ConvLayer(3, channels, 7, 2) if self.pool_stem else ConvLayer(3, channels, 3, 1)
        self.groups = nn.ModuleList()
        in_channels = channels
        for g, count in enumerate(blocks):
            group, width = nn.Sequential(), channels * 2**g
            for b in range(count):
                stride = 2 if g > 0 and b == 0 else 1
                group.append(Block(in_channels, width, stride, bottleneck, project=b == 0))
                in_channels = 4 * width if bottleneck else width
            self.groups.append(group)
        self.feature_dim = in_channels

    def forward(self, images: Tensor) -> Tensor:
        x = F.relu(self.stem(images), inplace=True)
        if self.pool_stem:
            x = same_max_pool(x)
        for group in self.groups:
            x = group(x)
        # In float32 at least: a mean of bfloat16 numbers is worth more bits than they have.
        return x.mean(dim=(2, 3), dtype=torch.promote_types(x.dtype, torch.float32))


@gin.configurable
def resnet(
    depth: Annotated[int, OneOf(*ARCHITECTURES)] = gin.REQUIRED,
    width: Annotated[int, Between(1, 64)] = 1,
    stem: Annotated[str, OneOf("imagenet", "cifar")] = "imagenet",
    base_channels: Annotated[int | None, Between(1, 4096)] = None,
    seed: int = 0,
) -> ResNet:
    """A ResNet of 18, 34 (basic), 50, 101, 152 (bottleneck) or 8, 14, 20 layers (CIFAR family: 3 groups).

    width multiplies every channel count, the stem's too (Figure 7 uses 1, 2, 4). base_channels replaces the
    stem's 64 (16 in the CIFAR family). stem: "imagenet" is 7x7/2 and max pool, "cifar" 3x3/1 without pool
    (Appendix B.9). Initial weights are a pure function of (seed, parameter name). Raises ValueError for
    another depth or stem.
    """
    if depth not in ARCHITECTURES:
        raise ValueError(f"resnet.depth must be one of {sorted(ARCHITECTURES)}, found {depth!r}")
    if stem not in ("imagenet", "cifar"):
        raise ValueError(f'resnet.stem must be "imagenet" or "cifar", found {stem!r}')
    blocks, bottleneck, channels = ARCHITECTURES[depth]
    encoder = ResNet(blocks, bottleneck, stem, (base_channels or channels) * width)
    _initialize_convolutions(encoder, seed)
    return encoder


def millions(encoder: nn.Module) -> float:
    """How many parameters it has, in millions, batch norm's included (Figures 1 and 7, Table 6)."""
    return sum(parameter.numel() for parameter in encoder.parameters()) / 1e6


def same_max_pool(x: Tensor) -> Tensor:
    """3x3/2 max pool padded as TensorFlow's "SAME": by 1 at the end of an even side, at both of an odd."""
    # ceil_mode lets the last window of an even side hang over the edge, where torch counts only what is
    # inside.
    return F.max_pool2d(x, 3, 2, padding=(x.shape[2] % 2, x.shape[3] % 2), ceil_mode=True)


@torch.no_grad()
def _initialize_convolutions(encoder: ResNet, seed: int) -> None:
    for name, weight in encoder.named_parameters():
        if weight.dim() != 4 or weight.is_meta:
            continue
        rows = torch.arange(len(weight), device=weight.device)
        fan_in = weight[0].numel()
        draw = truncated_normal(seed, f"encoder.{name}", 0, rows, 0, fan_in)
        weight.copy_(draw.view(weight.shape) / (TRUNCATED_STD * math.sqrt(fan_in)))
