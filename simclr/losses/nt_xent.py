"""NT-Xent (Equation 1), with negatives of the global batch.

Table 2 as printed: the objective is of ONE anchor u (d,), to be maximized, with positive (d,) and negatives (K, d); its
closed-form gradient is with respect to u. All rows are taken as l2-normalized already.
"""

import gin
import torch
import torch.nn.functional as F
from torch import Tensor

from simclr.losses.global_batch import similarities


@gin.configurable
def nt_xent(
    za: Tensor,
    zb: Tensor,
    temperature: float = gin.REQUIRED,
    l2_normalize: bool = True,
    negatives: str = "both",
) -> Tensor:
    """Normalized temperature-scaled cross entropy, Equation 1: mean of -log(exp(s+ / t) / sum(exp(s / t))).

    negatives="both": the other 2N - 2 rows of the global batch. "other_view": the N - 1 rows of the other
    view only, as in Table 4 (footnote 8, Appendix B.10). The official code sums its two halves, so it
    minimizes 2 L. Raises ValueError for inputs that do not pair up or an unknown `negatives`.
    """
    positive, negative = similarities(za, zb, l2_normalize, negatives)
    logits = torch.cat([positive[:, None], negative], dim=1) / temperature
    return F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long, device=logits.device))


def objective_nt_xent(u: Tensor, positive: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """u.v+ / t - log sum over {v+, v-} of exp(u.v / t)."""
    logits = torch.cat([positive[None], negatives]) @ u / temperature
    return logits[0] - logits.logsumexp(dim=0)


def gradient_nt_xent(u: Tensor, positive: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """(1 - p+) / t v+ - sum over v- of p(v-) / t v-, with p the softmax of u.v / t: (d,)."""
    p = (torch.cat([positive[None], negatives]) @ u / temperature).softmax(dim=0)
    return ((1 - p[0]) * positive - p[1:] @ negatives) / temperature
