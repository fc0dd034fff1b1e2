"""The weighted nearest neighbours, by hand and in their limits."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from simclr.knn import knn_scores

BANK = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0]])
LABELS = torch.tensor([0, 1, 1])


def test_votes_are_exponentials_of_the_cosine():
    scores = knn_scores(BANK, LABELS, torch.tensor([[5.0, 0.0]]), 3, k=3, temperature=0.5)
    expected = [1.0, math.exp(-1 / 0.5) + math.exp(-2 / 0.5), 0.0]
    assert scores[0].tolist() == pytest.approx(expected, rel=1e-6)


def test_one_neighbour_is_the_nearest_direction_whatever_the_lengths():
    scores = knn_scores(BANK, LABELS, torch.tensor([[0.1, 100.0], [7.0, 1.0]]), 2, k=1)
    assert scores.argmax(dim=1).tolist() == [1, 0]


@given(k=st.integers(3, 1000))
def test_a_small_bank_votes_as_a_whole(k):
    queries = torch.tensor([[1.0, 1.0]])
    assert torch.equal(knn_scores(BANK, LABELS, queries, 2, k=k), knn_scores(BANK, LABELS, queries, 2, k=3))


def test_no_neighbour_is_refused():
    with pytest.raises(ValueError, match="k must be at least 1"):
        knn_scores(BANK, LABELS, BANK, 2, k=0)
