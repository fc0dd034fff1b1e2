"""Weighted nearest neighbours on frozen features (Wu et al., 2018, Section 3.4): no training, so it can run everywhere.

Not in the SimCLR paper; later work reports it beside the linear evaluation, with k = 200 and temperature 0.1.
"""

import gin
import torch
import torch.nn.functional as F
from torch import Tensor

QUERIES = 512  # rows at a time: the similarities of 512 queries to 1.28 million images are 2.6 GB


@gin.configurable
def knn_scores(
    bank: Tensor, labels: Tensor, queries: Tensor, classes: int, k: int = 200, temperature: float = 0.1
) -> Tensor:
    """Scores (m, classes) of queries (m, d) by their k most similar rows of bank (n, d), labels int64 (n,).

    Similarity is the cosine s; a neighbour votes for its class with weight exp(s / temperature). With fewer than k rows
    all of them vote. Raises ValueError for k below 1.
    """
    if k < 1:
        raise ValueError(f"knn_scores.k must be at least 1, found {k}")
    bank, votes = F.normalize(bank, dim=1), F.one_hot(labels, classes).to(bank.dtype)
    scores = []
    for rows in F.normalize(queries, dim=1).split(QUERIES):
        similarity, nearest = (rows @ bank.T).topk(min(k, len(bank)), dim=1)
        weights = torch.exp((similarity - 1) / temperature)  # -1: in range, and no order changes
        scores.append((weights[..., None] * votes[nearest]).sum(dim=1))
    return torch.cat(scores)
