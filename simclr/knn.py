"""Weighted nearest neighbours on frozen features (Wu et al., 2018, Section 3.4): no training, so it can run everywhere.

It is not in the SimCLR paper; later work reports it beside the linear evaluation, with k = 200 and temperature 0.1.
"""

from collections.abc import Iterable
from typing import Annotated

import gin
import torch
import torch.nn.functional as F
from torch import Tensor

from simclr.declared import Above, AtLeast
from simclr.distributed import gather_rows, world_size

COSINE = 2**30  # units of a cosine in a whole number: finer than float32 near 1
ROW = 2**32
NOBODY = -(2**62)  # less than any cosine with its row


@gin.configurable(denylist=["first"])
def knn_scores(
    bank: Iterable[Tensor],
    labels: Tensor,
    queries: Tensor,
    classes: int,
    k: Annotated[int, AtLeast(1)] = 200,
    temperature: Annotated[float, Above(0)] = 0.1,
    *,
    first: int | None = None,
) -> Tensor:
    """Scores (m, classes) of queries (m, d) by their k most similar rows of bank, labels int64 (n,).

    bank: its rows in consecutive parts (p, d), each of which is used once and let go: the features of ImageNet's
    training images would be 42 GB. Similarity is the cosine s; a neighbour votes for its class with weight
    exp(s / temperature); of equally similar rows the first ones are neighbours. With fewer than k rows all of them
    vote. first: with several processes `bank` may be a process's consecutive share of the rows; this is its first row.
    Raises ValueError for k below 1.
    """
    if k < 1:
        raise ValueError(f"knn_scores.k must be at least 1, found {k}")
    queries, seen = F.normalize(queries, dim=1), 0
    nearest = torch.empty(len(queries), 0, dtype=torch.int64, device=queries.device)
    for part in bank:
        cosines = queries @ F.normalize(part, dim=1).T
        rows = torch.arange(seen, seen + len(part), device=queries.device) + (first or 0)
        # Cosine and row in one number: the largest have the largest cosines, and of equal ones the first rows.
        packed = (cosines * COSINE).round().to(torch.int64) * ROW + (ROW - 1 - rows)
        nearest, seen = torch.cat([nearest, packed], dim=1), seen + len(part)
        nearest = nearest.topk(min(k, seen), dim=1).values
    if first is not None:
        nearest = _nearest_of_all(nearest, k)
    weights = torch.exp((nearest // ROW / COSINE - 1) / temperature)  # -1: in range, and no order changes
    voters = torch.arange(len(queries), device=queries.device)[:, None].expand_as(nearest)
    scores = torch.zeros(len(queries), classes, device=queries.device)
    return scores.index_put_((voters, labels[ROW - 1 - nearest % ROW]), weights, accumulate=True)


def _nearest_of_all(nearest: Tensor, k: int) -> Tensor:
    """The k largest of what the processes found, each int64 (m, up to k)."""
    filled = F.pad(nearest, (0, k - nearest.shape[1]), value=NOBODY)
    everywhere = torch.cat(gather_rows(filled).chunk(world_size()), dim=1)
    candidates = int((everywhere[:1] != NOBODY).sum())
    return everywhere.topk(min(k, candidates), dim=1).values
