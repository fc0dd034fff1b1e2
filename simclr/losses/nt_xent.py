"""NT-Xent (Equation 1), with negatives of the global batch.

Table 2 as printed: the objective is of ONE anchor u (d,), to be maximized, with positive (d,) and negatives (K, d); its
closed-form gradient is with respect to u. All rows are taken as l2-normalized already.
"""

from typing import Annotated

import gin
import torch
import torch.nn.functional as F
from torch import Tensor

from simclr.declared import Above, OneOf, enforce
from simclr.distributed import gather_rows, rank, world_size
from simclr.losses.blockwise import BLOCKWISE_FROM, cross_entropy
from simclr.losses.global_batch import paired, similarities


@gin.configurable
def nt_xent(
    za: Tensor,
    zb: Tensor,
    temperature: Annotated[float, Above(0)] = gin.REQUIRED,
    l2_normalize: bool = True,
    negatives: Annotated[str, OneOf("both", "other_view")] = "both",
) -> Tensor:
    """Normalized temperature-scaled cross entropy, Equation 1: mean of -log(exp(s+ / t) / sum(exp(s / t))).

    negatives="both": the other 2N - 2 rows of the global batch. "other_view": the N - 1 rows of the other
    view only, as in Table 4 (footnote 8, Appendix B.10). The official code sums its two halves, so it
    minimizes 2 L. Raises ValueError for inputs that do not pair up, an unknown `negatives` or a temperature that
    is not positive. From BLOCKWISE_FROM similarities on they are made a block at a time.
    """
    # 2n anchors of this process, each with the 2N rows of all
    whole = 4 * len(za) * len(za) * world_size() < BLOCKWISE_FROM
    return (nt_xent_whole if whole else nt_xent_blockwise)(za, zb, temperature, l2_normalize, negatives)


def nt_xent_whole(
    za: Tensor, zb: Tensor, temperature: float, l2_normalize: bool = True, negatives: str = "both"
) -> Tensor:
    """`nt_xent` over the whole matrix of similarities, kept for the backward pass."""
    enforce(nt_xent, temperature=temperature, negatives=negatives)
    positive, negative = similarities(za, zb, l2_normalize, negatives)
    logits = torch.cat([positive[:, None], negative], dim=1) / temperature
    return F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long, device=logits.device))


def nt_xent_blockwise(
    za: Tensor, zb: Tensor, temperature: float, l2_normalize: bool = True, negatives: str = "both"
) -> Tensor:
    """`nt_xent` without ever holding the matrix; equal up to rounding, and differentiable once."""
    enforce(nt_xent, temperature=temperature, negatives=negatives)
    za, zb = paired(za, zb, l2_normalize)
    # Both views travel in one message: (N, 2, d).
    candidates = gather_rows(torch.stack([za, zb], dim=1)).transpose(0, 1).flatten(0, 1)
    same_view = negatives == "both"
    return cross_entropy(torch.cat([za, zb]), candidates, rank() * len(za), temperature, same_view)


def objective_nt_xent(u: Tensor, positive: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """u.v+ / t - log sum over {v+, v-} of exp(u.v / t)."""
    logits = torch.cat([positive[None], negatives]) @ u / temperature
    return logits[0] - logits.logsumexp(dim=0)


def gradient_nt_xent(u: Tensor, positive: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """(1 - p+) / t v+ - sum over v- of p(v-) / t v-, with p the softmax of u.v / t: (d,)."""
    p = (torch.cat([positive[None], negatives]) @ u / temperature).softmax(dim=0)
    return ((1 - p[0]) * positive - p[1:] @ negatives) / temperature
