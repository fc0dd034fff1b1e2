"""The weighted nearest neighbours, by hand and in their limits."""

import math
import weakref

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from simclr.evaluation import shares_of
from simclr.knn import knn_scores

BANK = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0]])
LABELS = torch.tensor([0, 1, 1])


def test_votes_are_exponentials_of_the_cosine():
    scores = knn_scores([BANK], LABELS, torch.tensor([[5.0, 0.0]]), 3, k=3, temperature=0.5)
    expected = [1.0, math.exp(-1 / 0.5) + math.exp(-2 / 0.5), 0.0]
    assert scores[0].tolist() == pytest.approx(expected, rel=1e-6)


def test_one_neighbour_is_the_nearest_direction_whatever_the_lengths():
    scores = knn_scores([BANK], LABELS, torch.tensor([[0.1, 100.0], [7.0, 1.0]]), 2, k=1)
    assert scores.argmax(dim=1).tolist() == [1, 0]


def noise(rows: int, seed: int) -> torch.Tensor:
    return torch.randn(rows, 5, generator=torch.Generator().manual_seed(seed))


@settings(deadline=None)  # the first call starts kernels
@given(k=st.integers(1, 80), part=st.integers(1, 70), seed=st.integers(0, 99))
def test_the_scores_are_those_of_the_formula_however_the_bank_is_divided(k, part, seed):
    bank, queries, labels = noise(60, seed), noise(7, seed + 100), torch.arange(60) % 4
    cosines, nearest = (F.normalize(queries) @ F.normalize(bank).T).topk(min(k, 60), dim=1)
    votes = torch.exp((cosines - 1) / 0.1)[..., None] * F.one_hot(labels[nearest], 4)
    found = knn_scores(bank.split(part), labels, queries, 4, k=k)
    torch.testing.assert_close(found, votes.sum(dim=1), rtol=1e-5, atol=1e-12)


@given(part=st.integers(1, 9))
def test_of_equally_similar_rows_the_first_are_the_neighbours(part):
    bank = torch.tensor([[-1.0, 0.0], *[[1.0, 1.0]] * 8])
    scores = knn_scores(bank.split(part), torch.arange(9), torch.tensor([[0.0, 1.0]]), 9, k=3)
    assert scores[0].nonzero()[:, 0].tolist() == [1, 2, 3]


def test_the_bank_is_read_once_and_a_part_at_a_time():
    alive = []

    def parts():
        for seed in range(4):
            part = noise(50, seed)
            assert sum(reference() is not None for reference in alive) <= 1
            alive.append(weakref.ref(part))
            yield part
            del part

    knn_scores(parts(), torch.zeros(200, dtype=torch.int64), noise(3, 9), 1, k=2)
    assert len(alive) == 4


@given(k=st.integers(3, 1000))
def test_a_small_bank_votes_as_a_whole(k):
    queries = torch.tensor([[1.0, 1.0]])
    assert torch.equal(
        knn_scores([BANK], LABELS, queries, 2, k=k), knn_scores([BANK], LABELS, queries, 2, k=3)
    )


def test_no_neighbour_is_refused():
    with pytest.raises(ValueError, match="k must be at least 1"):
        knn_scores([BANK], LABELS, BANK, 2, k=0)


@pytest.mark.parametrize("k", [1, 3, 7, 200])
def test_two_processes_with_a_share_of_the_bank_each_vote_as_one(in_processes, k):
    bank, queries, labels = noise(21, 1).double(), noise(9, 2).double(), torch.arange(21) % 4
    expected = knn_scores([bank], labels, queries, 4, k=k)

    def votes(number: int) -> torch.Tensor:
        own = shares_of(len(bank))[number]
        return knn_scores(bank[own].split(4), labels, queries, 4, k=k, first=int(own[0]))

    for found in in_processes(2, votes):
        assert torch.equal(found, expected)
