"""A ResNet in numbers, layer by layer: its operations, its parameters, and what a backward pass must keep.

For the backward pass of one view autograd keeps, in the order of the network, the input of every convolution and of
every batch norm (which is the output of every convolution and of every ReLU), and the places (int64) of the max pool.
The sum over all tensors that autograd saves is the same.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stages.planning.code_hashes import tree_of

INDEX_BYTES = 8  # of a place in the max pool


@dataclass(frozen=True)
class Layer:
    """A convolution and its batch norm: channels, kernel, side of its output, and whether a ReLU of its own follows."""

    incoming: int
    outgoing: int
    kernel: int
    side: int
    relu: bool = True

    @property
    def outputs(self) -> int:
        return self.outgoing * self.side**2

    @property
    def parameters(self) -> int:
        return self.incoming * self.outgoing * self.kernel**2 + 2 * self.outgoing


@dataclass(frozen=True)
class Network:
    """A ResNet at one size of image."""

    layers: tuple[Layer, ...]
    size: int
    pooled_side: int  # of the max pool's output, 0 without one
    passing: int  # numbers in memory at once when one view passes forwards only, but for the view itself

    @property
    def flops(self) -> float:
        """Multiplications and additions of the convolutions for one image."""
        return float(sum(2 * each.outputs * each.incoming * each.kernel**2 for each in self.layers))

    @property
    def parameters(self) -> int:
        """The number of weights of the convolutions and batch norms."""
        return sum(each.parameters for each in self.layers)

    def kept_bytes(self, element: int) -> int:
        """Bytes that are kept for the backward pass of one view, at `element` bytes a number."""
        numbers = 3 * self.size**2 + sum(each.outputs * (2 if each.relu else 1) for each in self.layers)
        pooled = self.layers[0].outgoing * self.pooled_side**2
        return element * (numbers + pooled) + INDEX_BYTES * pooled

    @property
    def features(self) -> int:
        """The length of h."""
        return self.layers[-1].outgoing


def network_of(bindings: Mapping[str, Any], size: int) -> Network:
    """The network that `resnet.*` bindings describe, for images of `size` pixels a side."""
    shape = {
        key.removeprefix("resnet."): value for key, value in bindings.items() if key.startswith("resnet.")
    }
    return _network(
        shape["depth"], shape.get("width", 1), shape.get("stem", "imagenet"), shape.get("base_channels"), size
    )


@functools.cache
def _network(depth: int, width: int, stem: str, base_channels: int | None, size: int) -> Network:
    blocks, bottleneck, base = _architectures()[depth]
    channels, pooled = (base_channels or base) * width, stem == "imagenet"
    side = _half(size) if pooled else size
    layers = [Layer(3, channels, 7 if pooled else 3, side)]
    passing = 2 * layers[0].outputs
    side, incoming = _half(side) if pooled else side, channels
    pooled_side = side if pooled else 0
    for g, count in enumerate(blocks):
        for b in range(count):
            after = _half(side) if g > 0 and b == 0 else side
            block = list(_block(incoming, channels * 2**g, side, after, bottleneck, project=b == 0))
            layers += block
            passing = max(passing, _passing(block, incoming * side**2))
            side, incoming = after, channels * 2**g * (4 if bottleneck else 1)
    return Network(tuple(layers), size, pooled_side, passing)


def _passing(block: list[Layer], entered: int) -> int:
    """Numbers in memory at once in a block: what entered it waits for the sum, and each layer leaves two outputs.

    At the sum they are what the last layer read, its output and, of the shortcut, two outputs or that and the sum.
    """
    read, most = 0, 0
    for layer in block:
        if layer.relu:
            most = max(most, entered + read + 2 * layer.outputs)
            before, read = read, layer.outputs
    projects = not block[-1].relu
    return max(most, entered + before + (3 if projects else 2) * read)


def _block(
    incoming: int, width: int, side: int, after: int, bottleneck: bool, project: bool
) -> Iterator[Layer]:
    """The layers of one block. The ReLU after its last convolution follows the sum with the shortcut."""
    outgoing = 4 * width if bottleneck else width
    if bottleneck:
        yield Layer(incoming, width, 1, side)
        yield Layer(width, width, 3, after)
        yield Layer(width, outgoing, 1, after)
    else:
        yield Layer(incoming, width, 3, after)
        yield Layer(width, outgoing, 3, after)
    if project:
        yield Layer(incoming, outgoing, 1, after, relu=False)


@functools.cache
def _architectures() -> dict[int, tuple[tuple[int, ...], bool, int]]:
    """simclr.encoder.ARCHITECTURES, read from the source."""
    for node in tree_of("simclr.encoder").body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ARCHITECTURES":
            return ast.literal_eval(node.value)
    raise LookupError("simclr.encoder has no ARCHITECTURES")


def _half(side: int) -> int:
    return (side + 1) // 2
