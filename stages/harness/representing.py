"""Which frozen vector an evaluation looks at: h, as the paper does, or z = g(h) (Section 4.2, Table 3, Figure B.4)."""

from __future__ import annotations

import gin
import torch
from torch import Tensor, nn

from simclr.heads import Projected
from simclr.views import Images, as_images, evaluation_view
from stages.harness.errors import UserError
from stages.harness.job import Job

BATCH, PHOTOGRAPHS = 500, 100  # at their own size photographs may take megabytes each


class Nothing(nn.Module):
    """Images -> one constant: what is learnt from it is the chance level ("random guess" in Table 3)."""

    feature_dim = 1

    def forward(self, images: Tensor) -> Tensor:
        return images.new_zeros(len(images), 1)


@gin.configurable
def representation(job: Job, layer: str = "h") -> nn.Module:
    """The upstream run's network up to `layer`, "h" or "z", frozen and in evaluation mode; "none" tells nothing."""
    if layer not in ("h", "z", "none"):
        raise UserError("no such representation", expected="representation.layer h | z | none", found=layer)
    network = Nothing() if layer == "none" else job.upstream_encoder()
    if layer == "z":
        network = Projected(network, job.upstream_head(network.feature_dim))
    return network.requires_grad_(False).eval().to(memory_format=torch.channels_last)


@torch.no_grad()
def features_of(network: nn.Module, images: Images, size: int) -> Tensor:
    """Features (n, d) of uint8 images, a tensor (n, 3, H, W) or photographs, under the test preprocessing."""
    network.eval()
    images, parts = as_images(images), []
    for batch in images.split(BATCH if isinstance(images, Tensor) else PHOTOGRAPHS):
        view = evaluation_view(batch, size).to(memory_format=torch.channels_last)
        parts.append(network(view))
    return torch.cat(parts)
