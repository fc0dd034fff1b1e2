"""How the transfer data sets are scored besides top-1 (Appendix B.8), in percent."""

from __future__ import annotations

import torch
from torch import Tensor


def mean_per_class(predictions: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Mean over the classes that occur of each class's share of right predictions; both int64 (n,)."""
    sizes = torch.bincount(labels, minlength=classes)
    right = torch.bincount(labels[predictions == labels], minlength=classes)
    return (right[sizes > 0].double() / sizes[sizes > 0]).mean() * 100


def map11(scores: Tensor, labels: Tensor) -> Tensor:
    """11-point interpolated average precision (VOC 2007), mean over classes; scores and 0/1 labels (n, classes)."""
    return torch.stack([_ap11(scores[:, c], labels[:, c]) for c in range(labels.shape[1])]).mean() * 100


def _ap11(scores: Tensor, labels: Tensor) -> Tensor:
    found = labels[scores.argsort(descending=True, stable=True)].double().cumsum(0)
    precision = found / torch.arange(1, len(found) + 1, device=found.device)
    recall = found / found[-1].clamp_min(1)
    points = [precision[recall >= k / 10 - 1e-12] for k in range(11)]
    return torch.stack([part.max() if len(part) else precision.new_zeros(()) for part in points]).mean()
