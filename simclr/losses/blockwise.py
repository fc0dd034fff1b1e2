"""Softmax over the whole batch, a block of anchors at a time: memory grows with the batch, not with its square.

A block holds whole rows of similarities, so its softmax is complete and its slopes follow at once, up to the factor
that reaches the loss from above. The forward pass leaves slopes of the size of its inputs and the backward pass only
scales them: three products of matrices in all, as the whole matrix takes, and none made twice.
"""

from typing import Any

import torch
from torch import Tensor

# Smaller matrices of similarities are made whole: they cost little, and small runs keep their bits.
BLOCKWISE_FROM = 2**22
# Similarities in one block: about what the cache of a core holds, and what keeps a GPU busy.
BLOCK = {"cpu": 2**20, "accelerator": 2**25}


def rows_at_once(rows: int, columns: int, device: torch.device) -> int:
    """How many of `rows` anchors, with `columns` similarities each, to treat at once: all, or a block of them."""
    if rows * columns < BLOCKWISE_FROM:
        return rows
    return max(1, BLOCK["cpu" if device.type == "cpu" else "accelerator"] // columns)


def cross_entropy(
    anchors: Tensor, candidates: Tensor, first: int, temperature: float, same_view: bool
) -> Tensor:
    """Mean over anchors of -log softmax(similarities / temperature) at the anchor's positive: a scalar.

    anchors (2n, d): n images in view a, then in view b. candidates (2N, d): likewise of the whole batch, in which the
    anchors' images stand from row `first` of each view on. An anchor is compared with the N rows of the other view and,
    with same_view, with the N - 1 other rows of its own. Differentiable once, by anchors and candidates.
    """
    # Products keep the inputs' precision in whatever region the loss is called.
    with torch.autocast(anchors.device.type, enabled=False):
        return _CrossEntropy.apply(anchors, candidates, first, temperature, same_view)


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, anchors: Tensor, candidates: Tensor, first: int, temperature: float, same_view: bool
    ) -> Tensor:
        by_anchors, by_candidates = torch.zeros_like(anchors), torch.zeros_like(candidates)
        n, total = len(anchors) // 2, len(candidates) // 2
        rows = rows_at_once(n, len(candidates), anchors.device)
        costs = []
        for view, start in ((view, start) for view in range(2) for start in range(0, n, rows)):
            block = slice(view * n + start, view * n + min(start + rows, n))
            own, other = view * total, (1 - view) * total
            seen = slice(None) if same_view else slice(other, other + total)
            # Divided before the product: n x d numbers and not n x 2N.
            similarities = (anchors[block] / temperature) @ candidates[seen].T
            if same_view:  # an anchor is no candidate of its own
                similarities.diagonal(own + first + start).fill_(-torch.inf)
            positives = similarities.diagonal(first + start + (other if same_view else 0))
            cost, scale = _to_slopes(similarities, positives)
            costs.append(cost)
            scale = scale[:, None] / (temperature * len(anchors))
            by_anchors[block] = (similarities @ candidates[seen]).mul_(scale)
            # Added up over blocks in their order, so the last bits are the same in every run.
            by_candidates[seen].addmm_(similarities.T, anchors[block] * scale)
        ctx.save_for_backward(by_anchors, by_candidates)
        return torch.cat(costs).mean()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # create_graph=True: the slopes would pass for constants
            raise RuntimeError("NT-Xent in blocks has no second derivative; use nt_xent_whole")
        by_anchors, by_candidates = ctx.saved_tensors
        return by_anchors * gradient, by_candidates * gradient, None, None, None


def _to_slopes(logits: Tensor, positives: Tensor) -> tuple[Tensor, Tensor]:
    """Cross entropy of each row of logits (r, K), and a factor (r,): factor * logits is then its slope by the logits.

    `positives` (r,) is a view into logits. Overwrites logits: a block is the largest thing here, so there is one.
    """
    largest = logits.amax(dim=1)
    gap = largest - positives
    sums = logits.sub_(largest[:, None]).exp_().sum(dim=1)
    positives.sub_(sums)
    return sums.log() + gap, sums.reciprocal()
