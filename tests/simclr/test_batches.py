import pytest
import torch

from simclr import batches
from simclr.batches import Batches, whole_batches
from simclr.randomness import permutation


def test_batches_are_an_epochs_order_in_whole_parts():
    made = Batches("order", 20, 6)
    assert made.per_epoch == whole_batches(20, 6) == 3
    for epoch in range(2):
        drawn = [made.at(5, 3 * epoch + place) for place in range(3)]
        assert [e for e, _ in drawn] == [epoch] * 3
        assert torch.equal(torch.cat([index for _, index in drawn]), permutation(5, "order", epoch, 20)[:18])


def test_an_order_is_drawn_once_an_epoch_and_anew_for_another_seed(monkeypatch):
    calls = []
    monkeypatch.setattr(batches, "permutation", lambda *args: calls.append(args) or permutation(*args))
    made = Batches("order", 20, 5)
    for step in (0, 1, 2, 3, 4, 5, 1):
        made.at(0, step)
    made.at(1, 1)
    assert [(seed, epoch) for seed, _, epoch, _ in calls] == [(0, 0), (0, 1), (0, 0), (1, 0)]


def test_processes_share_a_batch(monkeypatch):
    whole = Batches("order", 20, 6).at(0, 4)[1]
    monkeypatch.setattr(batches, "world_size", lambda: 3)
    parts = []
    for rank in range(3):
        monkeypatch.setattr(batches, "rank", lambda rank=rank: rank)
        parts.append(Batches("order", 20, 6).at(0, 4)[1])
    assert torch.equal(torch.cat(parts), whole) and {len(part) for part in parts} == {2}
    with pytest.raises(ValueError, match="batch_size 4 must be a multiple of the 3 processes"):
        Batches("order", 20, 4)


@pytest.mark.parametrize("batch_size", [0, -1, 21])
def test_a_batch_that_cannot_be_filled_is_refused(batch_size):
    with pytest.raises(ValueError, match=f"between 1 and the 20 images, found {batch_size}"):
        Batches("order", 20, batch_size)
