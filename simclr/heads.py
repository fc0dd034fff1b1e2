"""Projection heads g(.): h -> z (Section 4.2, Figure 8)."""

from typing import Annotated

import gin
import torch
from torch import Tensor, nn

from simclr.batch_norm import BatchNorm
from simclr.declared import Between, OneOf
from simclr.randomness import normal
from simclr.wrapped import feature_dim

DENSE_STD = 0.01  # official code


class Dense(nn.Linear):
    """nn.Linear with weights N(0, 0.01^2) that are a function of (seed, name), and bias 0 (official code)."""

    def __init__(self, in_dim: int, out_dim: int, bias: bool, seed: int, name: str):
        self._address = seed, f"{name}.weight"
        super().__init__(in_dim, out_dim, bias=bias)

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the initial weights again."""
        if self.bias is not None:
            self.bias.zero_()
        if not self.weight.is_meta:
            seed, purpose = self._address
            rows = torch.arange(self.out_features, device=self.weight.device)
            self.weight.copy_(DENSE_STD * normal(seed, purpose, 0, rows, 0, self.in_features))


class DenseLayer(nn.Module):
    """Dense layer, optionally batch norm and ReLU. A layer with batch norm needs no bias of its own."""

    def __init__(self, in_dim: int, out_dim: int, hidden: bool, batch_norm: bool, seed: int, name: str):
        super().__init__()
        self.dense = Dense(in_dim, out_dim, not batch_norm, seed, f"{name}.dense")
        # The last layer's batch norm has no shift (official code).
        self.batch_norm = BatchNorm(out_dim, shift=hidden) if batch_norm else nn.Identity()
        self.activation = nn.ReLU(inplace=True) if hidden else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.batch_norm(self.dense(x)))


@gin.configurable
def projection_head(
    in_dim: int,
    kind: Annotated[str, OneOf("none", "linear", "nonlinear")] = "nonlinear",
    out_dim: Annotated[int, Between(1, 65536)] = 128,
    hidden_layers: Annotated[int, Between(0, 16)] = 1,
    batch_norm: bool = True,
    seed: int = 0,
) -> nn.Sequential:
    """g: (n, in_dim) -> (n, out_dim) of one of Figure 8's kinds.

    "nonlinear": `hidden_layers` layers of width in_dim with ReLU, then one of out_dim (default: one hidden
    layer). "linear": a single layer. "none": z = h, and out_dim is ignored. batch_norm=True is the official
    code: every layer is dense without bias, then batch norm, the last without shift. batch_norm=False gives
    dense layers with bias, closer to the paper's W2 relu(W1 h). Weights are N(0, 0.01^2), addressed by (seed,
    parameter name). Raises ValueError for another kind.
    """
    if kind not in ("none", "linear", "nonlinear"):
        raise ValueError(f'projection_head.kind must be "none", "linear" or "nonlinear", found {kind!r}')
    if kind == "nonlinear" and hidden_layers < 1:
        raise ValueError(
            f'a nonlinear head needs hidden_layers >= 1, found {hidden_layers}; use kind "linear"'
        )
    if kind == "none":
        return nn.Sequential()
    head = nn.Sequential()
    hidden = hidden_layers if kind == "nonlinear" else 0
    for i in range(hidden):
        head.append(DenseLayer(in_dim, in_dim, True, batch_norm, seed, f"head.{i}"))
    head.append(DenseLayer(in_dim, out_dim, False, batch_norm, seed, f"head.{hidden}"))
    return head


class Projected(nn.Module):
    """Images -> z = g(h), in the place of an encoder: what is evaluated when z is the representation (Section 4.2)."""

    def __init__(self, encoder: nn.Module, head: nn.Sequential):
        super().__init__()
        self.encoder, self.head = encoder, head
        self.feature_dim = head[-1].dense.out_features if len(head) else feature_dim(encoder)

    def forward(self, images: Tensor) -> Tensor:
        h = self.encoder(images)
        with torch.autocast(h.device.type, enabled=False):  # as in pretraining: the encoder alone in bfloat16
            return self.head(h.to(torch.promote_types(h.dtype, torch.float32)))
