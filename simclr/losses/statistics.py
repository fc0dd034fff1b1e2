"""How well one view is identified from the other: what is logged beside any contrastive loss."""

import torch
from torch import Tensor

from simclr.distributed import gather_rows
from simclr.losses.blockwise import rows_at_once
from simclr.losses.global_batch import normalize, own_columns


def contrastive_statistics(
    za: Tensor, zb: Tensor, temperature: float, l2_normalize: bool = True
) -> tuple[Tensor, Tensor]:
    """How well view b is identified from view a: (accuracy in percent, entropy in nats), over n anchors.

    Both look at the N cross-view candidates only and from a to b only, as the official metrics do (Table 5).
    """
    za, zb = (normalize(za), normalize(zb)) if l2_normalize else (za, zb)
    candidates, columns = gather_rows(zb.detach()), own_columns(za)
    rows = rows_at_once(len(za), len(candidates), za.device)
    parts = [
        _of_rows(anchors @ candidates.T / temperature, own)
        for anchors, own in zip(za.detach().split(rows), columns.split(rows), strict=True)
    ]
    right, entropies = (torch.cat(each) for each in zip(*parts, strict=True))
    return 100 * right.to(za.dtype).mean(), entropies.mean()


def _of_rows(logits: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """Whether each row is identified, and its entropy."""
    p = logits.softmax(dim=1)
    return logits.argmax(dim=1) == columns, -(p * torch.log(p + 1e-8)).sum(dim=1)
