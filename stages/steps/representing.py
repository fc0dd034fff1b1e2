"""Which frozen vector an evaluation reads: h, as in the paper, or z = g(h) (Section 4.2, Table 3, Figure B.4)."""

from __future__ import annotations

from typing import Annotated

import gin
import torch
from torch import Tensor, nn

from common.errors import UserError
from simclr.declared import OneOf
from simclr.heads import Projected
from stages.running.job import Job


class Nothing(nn.Module):
    """Images -> one constant. What is learnt from it is the chance level ("random guess" in Table 3)."""

    feature_dim = 1

    def forward(self, images: Tensor) -> Tensor:
        return images.new_zeros(len(images), 1)


@gin.configurable
def representation(job: Job, layer: Annotated[str, OneOf("h", "z", "none")] = "h") -> nn.Module:
    """The upstream run's network up to `layer`, "h" or "z", frozen and in evaluation mode; "none" is a constant."""
    if layer not in ("h", "z", "none"):
        raise UserError("no such representation", expected="representation.layer h | z | none", found=layer)
    network = Nothing() if layer == "none" else job.upstream_encoder()
    if layer == "z":
        network = Projected(network, job.upstream_head(network.feature_dim))
    return network.requires_grad_(False).eval().to(memory_format=torch.channels_last)
