"""How well one view is identified from the other: what is logged beside any contrastive loss."""

import torch
from torch import Tensor

from simclr.distributed import gather_rows
from simclr.losses.global_batch import normalize, own_columns


def contrastive_statistics(
    za: Tensor, zb: Tensor, temperature: float, l2_normalize: bool = True
) -> tuple[Tensor, Tensor]:
    """How well view b is identified from view a: (accuracy in percent, entropy in nats), over n anchors.

    Both look at the N cross-view candidates only and from a to b only, as the official metrics do (Table 5).
    """
    za, zb = (normalize(za), normalize(zb)) if l2_normalize else (za, zb)
    logits = za.detach() @ gather_rows(zb.detach()).T / temperature
    accuracy = 100 * (logits.argmax(dim=1) == own_columns(za)).to(logits.dtype).mean()
    p = logits.softmax(dim=1)
    return accuracy, -(p * torch.log(p + 1e-8)).sum(dim=1).mean()
