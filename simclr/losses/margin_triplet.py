"""Margin triplet loss (Table 2), with negatives of the global batch.

Where the paper is silent we chose: the loss takes the MEAN over negatives; an anchor without a semi-hard negative costs
nothing. The printed formula shows a single negative.

Table 2 as printed: the objective is of ONE anchor u (d,), to be maximized, with positive (d,) and negatives (K, d); its
closed-form gradient is with respect to u. All rows are taken as l2-normalized already.
"""

from typing import Annotated

import gin
import torch.nn.functional as F
from torch import Tensor

from simclr.declared import AtLeast, OneOf, enforce
from simclr.losses.global_batch import hardest_below, mean_over_negatives, similarities


@gin.configurable
def margin_triplet(
    za: Tensor,
    zb: Tensor,
    margin: Annotated[float, AtLeast(0)] = gin.REQUIRED,
    l2_normalize: bool = True,
    negatives: Annotated[str, OneOf("both", "other_view")] = "both",
    semi_hard: bool = False,
) -> Tensor:
    """Margin loss of Table 2: mean of max(s- - s+ + m, 0).

    semi_hard=True keeps one negative per anchor: the most similar with s+ - m < s- < s+ (Schroff et al.,
    2015; Section 5.1). With m = 0 there is none, and the loss is 0. Other arguments as for `nt_xent`.
    """
    enforce(margin_triplet, margin=margin, negatives=negatives)
    positive, negative = similarities(za, zb, l2_normalize, negatives)
    if semi_hard:
        negative = hardest_below(negative, positive)  # a negative outside the margin costs 0 anyway
    return mean_over_negatives(F.relu(negative - positive[:, None] + margin), negative, semi_hard).mean()


def objective_margin_triplet(u: Tensor, positive: Tensor, negatives: Tensor, margin: float) -> Tensor:
    """-mean over v- of max(u.v- - u.v+ + m, 0)."""
    return -F.relu(negatives @ u - positive @ u + margin).mean()


def gradient_margin_triplet(u: Tensor, positive: Tensor, negatives: Tensor, margin: float) -> Tensor:
    """Mean over v- of v+ - v- where u.v+ - u.v- < m, else 0: (d,)."""
    inside = (positive @ u - negatives @ u < margin).to(u.dtype)
    return (inside[:, None] * (positive - negatives)).mean(dim=0)
