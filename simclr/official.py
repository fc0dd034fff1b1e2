"""Weights of the official TensorFlow code (google-research/simclr, version 1) in our networks.

Its variables are numbered in the order of their creation: the stem, then every block with its shortcut before its
residual branch; `base_model/conv2d_7` stands with `base_model/batch_normalization_7`. Kernels are (H, W, in, out).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from simclr.encoder import ConvLayer, ResNet

BATCH_NORM = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
ENCODER, HEAD, CLASSIFIER = "base_model", "head_contrastive", "head_supervised/linear_layer/dense"
# Variables of the optimizer, and averages of variables, which are no part of the network.
NOT_WEIGHTS = ("Momentum", "LARSOptimizer", "ExponentialMovingAverage")


def encoder_variables(encoder: ResNet) -> dict[str, str]:
    """{official variable: our name in encoder.state_dict()}, in the order of creation."""
    names = {}
    for number, layer in enumerate(_conv_layers(encoder)):
        suffix = f"_{number}" if number else ""
        names[f"{ENCODER}/conv2d{suffix}/kernel"] = f"{layer}.conv.weight"
        names |= _batch_norm(f"{ENCODER}/batch_normalization{suffix}", f"{layer}.batch_norm")
    return names


def head_variables(head: nn.Sequential) -> dict[str, str]:
    """The same for a projection head with batch norm; its last one has no shift, in both."""
    names = {}
    for number, layer in enumerate(head):
        scope = f"{HEAD}/nl_{number}"
        names[f"{scope}/dense/kernel"] = f"{number}.dense.weight"
        names |= {
            official: ours
            for official, ours in _batch_norm(f"{scope}/batch_normalization", f"{number}.batch_norm").items()
            if ours.rpartition(".")[2] != "bias" or layer.batch_norm.bias is not None
        }
    return names


def state_from(
    variables: Mapping[str, Tensor], names: Mapping[str, str], network: nn.Module
) -> dict[str, Tensor]:
    """The state of `network` from official variables. ValueError names what is missing or of another shape."""
    state, wanted = {}, network.state_dict()
    absent = [official for official in names if official not in variables]
    if absent:
        raise ValueError(f"{len(absent)} variables are missing, the first is {absent[0]}")
    for official, ours in names.items():
        value = from_official_layout(variables[official])
        if value.shape != wanted[ours].shape:
            raise ValueError(
                f"{official} is {tuple(value.shape)} in our layout, {tuple(wanted[ours].shape)} was expected"
            )
        state[ours] = value.to(wanted[ours].dtype)
    return state


def from_official_layout(value: Tensor) -> Tensor:
    """(H, W, in, out) -> (out, in, H, W); (in, out) -> (out, in); others stay."""
    if value.dim() == 4:
        return value.permute(3, 2, 0, 1).contiguous()
    return value.T.contiguous() if value.dim() == 2 else value


def left_over(variables: Mapping[str, Tensor], names: Mapping[str, str]) -> list[str]:
    """Encoder variables of the checkpoint without a place in our encoder; any of them means another architecture."""
    ours = set(names)
    return sorted(
        name
        for name in variables
        if name.startswith(f"{ENCODER}/")
        and name not in ours
        and not any(word in name for word in NOT_WEIGHTS)
    )


def _batch_norm(scope: str, layer: str) -> dict[str, str]:
    return {f"{scope}/{official}": f"{layer}.{ours}" for official, ours in BATCH_NORM.items()}


def _conv_layers(encoder: ResNet) -> Iterator[str]:
    """Names of the convolutions with batch norm, shortcuts first within a block."""
    yield "stem"
    for g, group in enumerate(encoder.groups):
        for b, block in enumerate(group):
            scope = f"groups.{g}.{b}"
            if isinstance(block.shortcut, ConvLayer):
                yield f"{scope}.shortcut"
            yield from (f"{scope}.residual.{place}" for place in range(len(block.residual)))


def classifier_from(variables: Mapping[str, Tensor]) -> nn.Linear | None:
    """The checkpoint's linear classifier h -> logits, if it has one."""
    kernel, bias = (variables.get(f"{CLASSIFIER}/{name}") for name in ("kernel", "bias"))
    if kernel is None or bias is None:
        return None
    layer = nn.Linear(*kernel.shape)
    with torch.no_grad():
        layer.weight.copy_(from_official_layout(kernel))
        layer.bias.copy_(bias)
    return layer
