"""NT-Xent (Equation 1), NT-Logistic and margin triplet (Table 2), with negatives of the global batch.

za[i] and zb[i] are projections of two views of image i, each (n, d); all three losses are to be minimized and
return the mean over this process's 2n anchors. Averaged over processes that is the loss of the global batch,
and the gradient is exact (see simclr.distributed). Where the paper is silent we chose: NT-Logistic and margin
triplet take the MEAN over negatives, with weight 1 for the positive term; an anchor without a semi-hard
negative has no negative term.
"""

import gin
import torch
import torch.nn.functional as F
from torch import Tensor

from simclr.distributed import gather_rows, rank


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


@gin.configurable
def nt_logistic(
    za: Tensor,
    zb: Tensor,
    temperature: float = gin.REQUIRED,
    l2_normalize: bool = True,
    negatives: str = "both",
    semi_hard: bool = False,
) -> Tensor:
    """Logistic loss of Table 2: mean of -log sigmoid(s+ / t) - mean over negatives of log sigmoid(-s- / t).

    semi_hard=True keeps one negative per anchor, the most similar of those less similar than the positive:
    the triplet's rule without its margin, which this loss does not have. Other arguments as for `nt_xent`.
    """
    positive, negative = similarities(za, zb, l2_normalize, negatives)
    if semi_hard:
        negative = hardest_below(negative, positive)
    repulsion = F.softplus(negative / temperature)  # 0 for a missing negative, at -inf
    return (F.softplus(-positive / temperature) + _mean_over_negatives(repulsion, negative, semi_hard)).mean()


@gin.configurable
def margin_triplet(
    za: Tensor,
    zb: Tensor,
    margin: float = gin.REQUIRED,
    l2_normalize: bool = True,
    negatives: str = "both",
    semi_hard: bool = False,
) -> Tensor:
    """Margin loss of Table 2: mean of max(s- - s+ + m, 0).

    semi_hard=True keeps one negative per anchor: the most similar with s+ - m < s- < s+ (Schroff et al.,
    2015; Section 5.1). With m = 0 there is none, and the loss is 0. Other arguments as for `nt_xent`.
    """
    positive, negative = similarities(za, zb, l2_normalize, negatives)
    if semi_hard:
        negative = hardest_below(negative, positive)  # a negative outside the margin costs 0 anyway
    return _mean_over_negatives(F.relu(negative - positive[:, None] + margin), negative, semi_hard).mean()


def contrastive_statistics(
    za: Tensor, zb: Tensor, temperature: float, l2_normalize: bool = True
) -> tuple[Tensor, Tensor]:
    """How well view b is identified from view a: (accuracy in percent, entropy in nats), over n anchors.

    Both look at the N cross-view candidates only and from a to b only, as the official metrics do (Table 5).
    """
    za, zb = (normalize(za), normalize(zb)) if l2_normalize else (za, zb)
    logits = za.detach() @ gather_rows(zb.detach()).T / temperature
    accuracy = 100 * (logits.argmax(dim=1) == _own_columns(za)).to(logits.dtype).mean()
    p = logits.softmax(dim=1)
    return accuracy, -(p * torch.log(p + 1e-8)).sum(dim=1).mean()


def normalize(z: Tensor) -> Tensor:
    """Rows divided by their Euclidean norm. 1e-12 guards the SQUARED norm (official code; torch differs)."""
    return z * z.square().sum(dim=1, keepdim=True).clamp_min(1e-12).rsqrt()


def similarities(za: Tensor, zb: Tensor, l2_normalize: bool, negatives: str) -> tuple[Tensor, Tensor]:
    """Dot products of this process's 2n anchors with the global batch: positives (2n,) and negatives (2n, K).

    K is 2N ("both") or N ("other_view"); entries that are no negatives (the anchor, its positive) are -inf.
    """
    if za.dim() != 2 or za.shape != zb.shape:
        raise ValueError(f"za and zb must both be (n, d), found {tuple(za.shape)} and {tuple(zb.shape)}")
    if negatives not in ("both", "other_view"):
        raise ValueError(f'negatives must be "both" or "other_view", found {negatives!r}')
    za, zb = (normalize(za), normalize(zb)) if l2_normalize else (za, zb)
    all_a, all_b = gather_rows(za), gather_rows(zb)
    columns = _own_columns(za)[:, None]
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


# Table 2, as printed: objectives of ONE anchor u (d,), to be maximized, with positive (d,) and negatives (K,
# d), and their closed-form gradients with respect to u. All rows are taken as l2-normalized already. The
# printed NT-Logistic and margin formulas show a single negative; for K of them we average, as above.


def objective_nt_xent(u: Tensor, positive: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """u.v+ / t - log sum over {v+, v-} of exp(u.v / t)."""
    logits = torch.cat([positive[None], negatives]) @ u / temperature
    return logits[0] - logits.logsumexp(dim=0)


def gradient_nt_xent(u: Tensor, positive: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """(1 - p+) / t v+ - sum over v- of p(v-) / t v-, with p the softmax of u.v / t: (d,)."""
    p = (torch.cat([positive[None], negatives]) @ u / temperature).softmax(dim=0)
    return ((1 - p[0]) * positive - p[1:] @ negatives) / temperature


def objective_nt_logistic(u: Tensor, positive: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """log sigmoid(u.v+ / t) + mean over v- of log sigmoid(-u.v- / t)."""
    return F.logsigmoid(positive @ u / temperature) + F.logsigmoid(-(negatives @ u) / temperature).mean()


def gradient_nt_logistic(u: Tensor, positive: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """sigmoid(-u.v+ / t) / t v+ - mean over v- of sigmoid(u.v- / t) / t v-: (d,)."""
    attraction = torch.sigmoid(-(positive @ u) / temperature)
    repulsion = torch.sigmoid(negatives @ u / temperature) / len(negatives)
    return (attraction * positive - repulsion @ negatives) / temperature


def objective_margin_triplet(u: Tensor, positive: Tensor, negatives: Tensor, margin: float) -> Tensor:
    """-mean over v- of max(u.v- - u.v+ + m, 0)."""
    return -F.relu(negatives @ u - positive @ u + margin).mean()


def gradient_margin_triplet(u: Tensor, positive: Tensor, negatives: Tensor, margin: float) -> Tensor:
    """Mean over v- of v+ - v- where u.v+ - u.v- < m, else 0: (d,)."""
    inside = (positive @ u - negatives @ u < margin).to(u.dtype)
    return (inside[:, None] * (positive - negatives)).mean(dim=0)


def _own_columns(z: Tensor) -> Tensor:
    """Where this process's rows stand in the gathered batch."""
    return torch.arange(len(z), device=z.device) + rank() * len(z)


def _mean_over_negatives(cost: Tensor, negative: Tensor, semi_hard: bool) -> Tensor:
    count = 1 if semi_hard else (negative > -torch.inf).sum(dim=1).clamp_min(1)
    return cost.sum(dim=1) / count
