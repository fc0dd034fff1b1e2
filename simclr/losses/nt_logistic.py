"""NT-Logistic (Table 2), with negatives of the global batch.

Where the paper is silent we chose: the loss takes the MEAN over negatives, with weight 1 for the positive term; an
anchor without a semi-hard negative has no negative term. The printed formula shows a single negative.

Table 2 as printed: the objective is of ONE anchor u (d,), to be maximized, with positive (d,) and negatives (K, d); its
closed-form gradient is with respect to u. All rows are taken as l2-normalized already.
"""

from typing import Annotated

import gin
import torch
import torch.nn.functional as F
from torch import Tensor

from simclr.declared import Above, OneOf, enforce
from simclr.losses.global_batch import hardest_below, mean_over_negatives, similarities


@gin.configurable
def nt_logistic(
    za: Tensor,
    zb: Tensor,
    temperature: Annotated[float, Above(0)] = gin.REQUIRED,
    l2_normalize: bool = True,
    negatives: Annotated[str, OneOf("both", "other_view")] = "both",
    semi_hard: bool = False,
) -> Tensor:
    """Logistic loss of Table 2: mean of -log sigmoid(s+ / t) - mean over negatives of log sigmoid(-s- / t).

    semi_hard=True keeps one negative per anchor, the most similar of those less similar than the positive:
    the triplet's rule without its margin, which this loss does not have. Other arguments as for `nt_xent`.
    """
    enforce(nt_logistic, temperature=temperature, negatives=negatives)
    positive, negative = similarities(za, zb, l2_normalize, negatives)
    if semi_hard:
        negative = hardest_below(negative, positive)
    repulsion = F.softplus(negative / temperature)  # 0 for a missing negative, at -inf
    return (F.softplus(-positive / temperature) + mean_over_negatives(repulsion, negative, semi_hard)).mean()


def objective_nt_logistic(u: Tensor, positive: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """log sigmoid(u.v+ / t) + mean over v- of log sigmoid(-u.v- / t)."""
    return F.logsigmoid(positive @ u / temperature) + F.logsigmoid(-(negatives @ u) / temperature).mean()


def gradient_nt_logistic(u: Tensor, positive: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """sigmoid(-u.v+ / t) / t v+ - mean over v- of sigmoid(u.v- / t) / t v-: (d,)."""
    attraction = torch.sigmoid(-(positive @ u) / temperature)
    repulsion = torch.sigmoid(negatives @ u / temperature) / len(negatives)
    return (attraction * positive - repulsion @ negatives) / temperature
