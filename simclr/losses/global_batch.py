"""Similarities of the global batch, as every loss here sees them.

za[i] and zb[i] are projections of two views of image i, each (n, d). A loss is to be minimized and returns the mean
over this process's 2n anchors: averaged over processes that is the loss of the global batch, and the gradient is
exact (see simclr.distributed).
"""

import torch
from torch import Tensor

from simclr.distributed import gather_rows, rank


def normalize(z: Tensor) -> Tensor:
    """Rows divided by their Euclidean norm. 1e-12 guards the SQUARED norm (official code; torch differs)."""
    return z * z.square().sum(dim=1, keepdim=True).clamp_min(1e-12).rsqrt()


def paired(za: Tensor, zb: Tensor, l2_normalize: bool) -> tuple[Tensor, Tensor]:
    """Both views, normalized if wished. Raises ValueError unless they are of one shape (n, d)."""
    if za.dim() != 2 or za.shape != zb.shape:
        raise ValueError(f"za and zb must both be (n, d), found {tuple(za.shape)} and {tuple(zb.shape)}")
    return (normalize(za), normalize(zb)) if l2_normalize else (za, zb)


def similarities(za: Tensor, zb: Tensor, l2_normalize: bool, negatives: str) -> tuple[Tensor, Tensor]:
    """Dot products of this process's 2n anchors with the global batch: positives (2n,) and negatives (2n, K).

    K is 2N ("both") or N ("other_view"); entries that are no negatives (the anchor, its positive) are -inf.
    """
    za, zb = paired(za, zb, l2_normalize)
    all_a, all_b = gather_rows(za), gather_rows(zb)
    columns = own_columns(za)[:, None]
    own = columns == torch.arange(len(all_a), device=za.device)

    def of(anchors: Tensor, same_view: Tensor, other_view: Tensor) -> tuple[Tensor, Tensor]:
        across = anchors @ other_view.T
        positive, negative = across.gather(1, columns)[:, 0], across.masked_fill(own, -torch.inf)
        if negatives == "both":
            within = (anchors @ same_view.T).masked_fill(own, -torch.inf)
            negative = torch.cat([negative, within], dim=1)
        return positive, negative

    (positive_a, negative_a), (positive_b, negative_b) = of(za, all_a, all_b), of(zb, all_b, all_a)
    return torch.cat([positive_a, positive_b]), torch.cat([negative_a, negative_b])


def hardest_below(negative: Tensor, positive: Tensor) -> Tensor:
    """The largest negative (n, K) that is below the positive (n,), as (n, 1); -inf where there is none."""
    return negative.masked_fill(negative >= positive[:, None], -torch.inf).amax(dim=1, keepdim=True)


def own_columns(z: Tensor) -> Tensor:
    """Where this process's rows stand in the gathered batch."""
    return torch.arange(len(z), device=z.device) + rank() * len(z)


def mean_over_negatives(cost: Tensor, negative: Tensor, semi_hard: bool) -> Tensor:
    """Mean of the cost (n, K) of each anchor over its negatives, those above -inf: (n,)."""
    count = 1 if semi_hard else (negative > -torch.inf).sum(dim=1).clamp_min(1)
    return cost.sum(dim=1) / count
