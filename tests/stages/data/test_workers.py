"""Views begun by other processes are the views of today, to the byte, whoever begins them."""

import os
import signal
import threading
import time
from functools import partial

import gin
import pytest
import torch

from common.errors import UserError
from common.machine import cores
from simclr.randomness import permutation
from simclr.views import ImageFeed, Update, ViewPolicy, rows_of
from stages.data import workers
from stages.data.photographs import Photographs
from tests.stages.data.real_photographs import file_list

N, BATCH, SEED = 24, 10, 3
POLICIES = [
    {},  # the default: crop, flip, color, blur
    {"ops": ("flip",), "ops_b": (), "shared": ("crop",)},
    {"ops": ("color", "crop", "flip"), "ops_b": ("cutout",)},
]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    return file_list(tmp_path_factory.mktemp("photographs"), N)


@pytest.fixture(autouse=True)
def bindings():
    gin.bind_parameter("color_distortion.strength", 1.0)


def order(seed, step):
    epoch, place = divmod(step, N // BATCH)
    return epoch, permutation(seed, "order", epoch, N)[place * BATCH :][:BATCH]


def feed(photographs, policy, images=None, views=(0, 1)):
    images = Photographs(photographs, workers=0) if images is None else images
    return ImageFeed(images, policy, order, total_steps=5, views=views)


def views_of(feed, steps):
    found = []
    for step in steps:
        epoch, index, images = feed.at(SEED, step)
        made = feed.policy(images, index, epoch, SEED) if len(feed.views) == 2 else None
        found.append(torch.stack(made or (feed.policy.one(images, index, epoch, SEED, *feed.views),)))
    return found


def same(found, expected):
    assert len(found) == len(expected)
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))


@pytest.mark.parametrize("settings", POLICIES, ids=["default", "shared", "before"])
def test_the_feed_gives_what_the_policy_makes_of_the_batch(photographs, settings):
    policy, images = ViewPolicy(size=24, **settings), Photographs(photographs)
    expected = []
    for step in range(5):
        epoch, index = order(SEED, step)
        expected.append(torch.stack(policy(rows_of(images, index), index, epoch, SEED)))
    same(views_of(feed(photographs, policy), range(5)), expected)
    stacked = torch.rand(N, 3, 90, 90, generator=torch.Generator().manual_seed(0))
    in_memory = feed(photographs, policy, images=stacked)
    for step in range(2):
        epoch, index = order(SEED, step)
        assert torch.equal(
            views_of(in_memory, [step])[0], torch.stack(policy(stacked[index], index, epoch, SEED))
        )


@pytest.mark.parametrize(("count", "part", "keep"), [(0, 3, 0), (2, 3, 0), (1, 4, 10**9)])
def test_the_number_of_processes_changes_no_byte(photographs, monkeypatch, count, part, keep):
    """Also where a batch is begun in parts, where photographs are kept decoded, and where a training goes on."""
    policy = ViewPolicy(size=24)
    expected = views_of(feed(photographs, policy), range(5))
    monkeypatch.setattr(workers, "PART", part)
    images = Photographs(photographs, workers=count, keep_bytes=keep)
    same(views_of(feed(photographs, policy, images=images), range(1, 5)), expected[1:])
    assert (images._kept is None) == (keep == 0)


def test_a_training_goes_on_anywhere_with_the_same_bytes(photographs):
    policy = ViewPolicy(size=24)
    expected = views_of(feed(photographs, policy, views=(5,)), range(5))
    same(views_of(feed(photographs, policy, views=(5,)), (3, 4, 1)), [expected[i] for i in (3, 4, 1)])


def test_two_batches_are_read_ahead_and_no_more_by_processes_that_end_with_the_feed(photographs, monkeypatch):
    monkeypatch.setattr(workers, "PART", 4)
    asked = []

    def counted(seed, step):
        asked.append(step)
        return order(seed, step)

    others = set(children())
    ahead = ImageFeed(Photographs(photographs, workers=1), ViewPolicy(size=24), counted, 100)
    ahead.at(SEED, 0)
    assert max(asked) in (2, 3)
    ahead.at(SEED, 1)
    assert max(asked) in (3, 4) and len(set(children()) - others) == 1
    del ahead
    for _ in range(100):
        if set(children()) <= others:
            return
        time.sleep(0.05)
    pytest.fail("a process that reads photographs outlived the training")


def test_a_photograph_that_a_process_cannot_read_is_named(photographs, tmp_path):
    own = file_list(tmp_path / "own", 6)
    path = own.root / own.entries[5].path
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    images, policy = Photographs(own, workers=1), ViewPolicy(size=24)
    updates = iter(
        [
            Update(0, torch.tensor([0, 1]), torch.tensor([0, 1])),
            Update(0, torch.tensor([5]), torch.tensor([5])),
        ]
    )

    begun = images.ahead(updates, partial(policy.begin, seed=0))
    assert next(begun).shape == (2, 2, 3, 24, 24)
    with pytest.raises(UserError, match="has changed") as caught:
        next(begun)
    assert caught.value.where == str(path) and caught.value.remedy


def test_a_process_that_dies_is_an_error_and_no_hang(photographs):
    others = set(children())
    ahead = ImageFeed(Photographs(photographs, workers=1), ViewPolicy(size=24), order, 10_000)
    ahead.at(SEED, 0)
    (child,) = set(children()) - others
    os.kill(int(child), signal.SIGKILL)
    with pytest.raises(UserError, match="ended before"):
        for step in range(1, 50):
            ahead.at(SEED, step)


@pytest.mark.parametrize("steps_before", [0, 2], ids=["at its start", "at work"])
def test_a_process_outlives_the_request_that_the_whole_job_gets(photographs, steps_before):
    """Slurm sends SIGTERM to all processes: the training still gets the batches that its checkpoint waits for."""
    others = set(children())
    ahead = ImageFeed(Photographs(photographs, workers=1), ViewPolicy(size=24), order, 100)
    begun = threading.Thread(target=lambda: [ahead.at(SEED, step) for step in range(steps_before + 1)])
    begun.start()
    if steps_before:
        begun.join()
    while not (readers := set(children()) - others):
        time.sleep(0.001)
    for reader in readers:
        for request in workers.REQUESTS:
            os.kill(int(reader), request)
    begun.join()
    for step in range(steps_before + 1, steps_before + 12):
        ahead.at(SEED, step)
    assert set(children()) - others == readers


class BrokenLoader:
    """Gives one answer, and then the error of a process that ended."""

    num_workers = 1

    def __init__(self, error):
        self.error = error

    def __iter__(self):
        yield torch.zeros(1)
        raise self.error


# What torch 2 raises, each seen: it waits for the process, or the process ends while a tensor is handed over.
ENDS = [
    RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly"),
    RuntimeError("unable to write to file </torch_7>: No space left on device (28), shared memory"),
    ConnectionRefusedError(111, "Connection refused"),
    ConnectionResetError(104, "Connection reset by peer"),
    FileNotFoundError(2, "No such file or directory"),
    EOFError(),
]


@pytest.mark.parametrize("error", ENDS, ids=lambda error: type(error).__name__)
def test_whenever_a_process_ends_the_error_is_the_same(error):
    answers = workers._answers(BrokenLoader(error))
    next(answers)
    with pytest.raises(UserError, match="ended before") as caught:
        next(answers)
    assert caught.value.found and caught.value.remedy


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("Caught RuntimeError in DataLoader worker process 0.\nOriginal Traceback: ..."),
        OSError("Caught OSError in DataLoader worker process 0.\nOriginal Traceback: ..."),
        RuntimeError("a fault of ours"),
    ],
    ids=["raised in a process", "an OSError there", "raised here"],
)
def test_a_fault_in_the_code_is_not_told_as_a_process_that_ended(error):
    answers = workers._answers(BrokenLoader(error))
    next(answers)
    with pytest.raises(type(error)) as caught:
        next(answers)
    assert caught.value is error


def children():
    """Process numbers of the spawned children of this process."""
    with open(f"/proc/{os.getpid()}/task/{threading.get_native_id()}/children") as listed:
        return [pid for pid in listed.read().split() if "spawn_main" in command(pid)]


def command(pid):
    with open(f"/proc/{pid}/cmdline") as line:
        return line.read()


def test_a_gpu_has_its_share_of_the_cores_and_a_run_on_a_cpu_its_own(monkeypatch):
    monkeypatch.setattr(workers, "cores", lambda: 8)
    for gpus, spare in {1: 7, 2: 3, 16: 0}.items():
        monkeypatch.setattr(workers, "sharing_gpus", lambda gpus=gpus: gpus)
        assert [workers.spare_cores(torch.device(name)) for name in ("cuda", "cpu")] == [spare, 0]


@pytest.mark.parametrize(("steps", "started", "kept"), [(2, 0, False), (3, 0, True), (9, 4, True)])
def test_processes_and_memory_are_taken_where_they_are_worth_it(
    photographs, monkeypatch, steps, started, kept
):
    """24 photographs, 10 at a time: two updates read none twice, and nine are here called long."""
    chosen = []
    monkeypatch.setattr("stages.data.photographs.WORTH", 80)
    monkeypatch.setattr("stages.data.photographs.spare_cores", lambda device: 4)
    monkeypatch.setattr(
        "stages.data.photographs.begun_by_workers", lambda *given: chosen.append(given[-1]) or ()
    )
    images = Photographs(photographs, keep_bytes=10**9)
    index = torch.arange(10)
    made = list(
        images.ahead((Update(0, index, index) for _ in range(steps)), lambda *given: torch.zeros(1, 10))
    )
    assert (sum(chosen), images._kept is not None) == (started, kept)
    assert len(made) == (0 if started else steps)


def test_cores_are_those_that_the_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {4, 9}, raising=False)
    assert cores() == 2
    monkeypatch.delattr(os, "sched_getaffinity")
    assert cores() == os.cpu_count()
