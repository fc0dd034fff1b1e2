"""The library's collections of images keep the protocol that trainings rely on, and each feeds a training alike."""

from functools import partial

import pytest
import torch

from simclr.finetuning import Rows, take
from simclr.views import Begun, ImageCollection, ImageFeed, Ragged, ReadsAhead, Update, ViewPolicy
from tests.simclr.image_collections import check_collection


def noise(*sizes):
    generator = torch.Generator().manual_seed(0)
    return Ragged(torch.randint(0, 256, (3, *size), generator=generator, dtype=torch.uint8) for size in sizes)


EQUAL = torch.stack(list(noise(*[(20, 24)] * 5)))
RAGGED = noise((20, 24), (31, 18), (9, 9), (16, 40), (25, 25))
CHOSEN = torch.tensor([3, 0, 4])
COLLECTIONS = {
    "tensor": (EQUAL, list(EQUAL)),
    "ragged": (RAGGED, list(RAGGED)),
    "rows": (Rows(RAGGED, CHOSEN), [RAGGED[i] for i in CHOSEN.tolist()]),
    "rows of a tensor": (Rows(EQUAL, CHOSEN), [EQUAL[i] for i in CHOSEN.tolist()]),
    "taken rows": (take(EQUAL, CHOSEN), [EQUAL[i] for i in CHOSEN.tolist()]),
    "rows of rows": (take(Rows(RAGGED, CHOSEN), torch.tensor([2, 2, 1])), [RAGGED[4], RAGGED[4], RAGGED[0]]),
}


@pytest.mark.parametrize("name", COLLECTIONS)
def test_every_collection_is_read_alike(name):
    check_collection(*COLLECTIONS[name])


@pytest.mark.parametrize(
    "wrong", [[EQUAL[0]], {0: EQUAL[0]}, iter(EQUAL), None], ids=["list", "dict", "iterator", "none"]
)
def test_other_things_are_no_collection(wrong):
    assert not isinstance(wrong, ImageCollection)


class Memory:
    """Reads ahead, and remembers which images it was asked for."""

    device = torch.device("cpu")

    def __init__(self, images):
        self.images, self.updates = images, []

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        raise AssertionError("a training reads what reads ahead in no other way")

    split = __getitem__

    def ahead(self, updates, begin):
        for update in updates:
            self.updates.append(update)
            yield begin(self.images[update.rows], update.index, update.epoch)


def order(seed, step):
    return step // 2, torch.tensor([[1, 2], [0, 1]][step % 2])


@pytest.mark.parametrize("images", [EQUAL, RAGGED], ids=["tensor", "ragged"])
def test_rows_read_ahead_keep_their_own_addresses(images):
    memory, policy = Memory(images), ViewPolicy(size=16, ops=("crop", "flip"))
    rows = Rows(memory, CHOSEN)
    assert isinstance(memory, ReadsAhead) and isinstance(rows, ReadsAhead)
    feed = ImageFeed(rows, policy, order, 4)
    for step in (0, 1, 3):
        epoch, index, begun = feed.at(7, step)
        assert epoch == step // 2 and torch.equal(index, order(7, step)[1]) and isinstance(begun, Begun)
        expected = policy(images[CHOSEN[index]], index, epoch, 7)
        assert all(torch.equal(*pair) for pair in zip(policy(begun, index, epoch, 7), expected, strict=True))
    assert [update.rows.tolist() for update in memory.updates] == [[0, 4], [3, 0], [3, 0]]
    assert isinstance(memory.updates[0], Update)


def counted(asked, seed, step):
    asked.append((seed, step))
    return order(seed, step)


def test_an_update_is_drawn_once():
    """Drawing the order of a million images takes as long as several updates."""
    for images in (EQUAL, Memory(EQUAL)):
        asked = []
        feed = ImageFeed(images, ViewPolicy(size=16, ops=("flip",)), partial(counted, asked), 4)
        for seed, step in ((0, 0), (0, 1), (0, 2), (0, 1), (5, 2)):
            assert len(feed.at(seed, step)[2]) == 2
        assert asked == [(0, 0), (0, 1), (0, 2), (0, 1), (5, 2)]
