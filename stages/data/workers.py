"""Photographs decoded and cropped by other processes while the training computes.

torch's DataLoader starts the processes and keeps their answers in order; its sampler is the training's own order, so
that neither the number of processes nor their speed changes a byte. A batch is cut into parts by its size alone, and
only begun views (v, p, 3, size, size) cross from process to process.
"""

from __future__ import annotations

import itertools
import multiprocessing
import signal
import threading
from collections import deque
from collections.abc import Iterator
from multiprocessing import resource_tracker
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from common.errors import UserError
from common.machine import cores, sharing_gpus
from simclr.views import Ragged
from simclr.views.images import Begin, Update
from stages.data.decoding import photograph
from stages.data.file_lists import FileList
from stages.data.kept import Kept

PART = 32  # images at least that a process begins at once
PARTS = 64  # of a batch at most: each that waits holds a file open
BATCHES_AHEAD = 2
WORTH = 5_000  # images; to start a process takes as long as to decode so many
REQUESTS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)  # to stop; SIGUSR1 comes through srun
OUTLIVE_SECONDS = 60  # more than a checkpoint is waited for


class Part(NamedTuple):
    """Consecutive images of an update, with the files that they are in, if they are not kept decoded."""

    epoch: int
    index: list[int]
    rows: list[int]
    files: FileList | None


class Begun(Dataset):
    """begun[part]: the views of its images as `begin` begins them, or the UserError that says why not."""

    def __init__(self, kept: Kept | None, begin: Begin) -> None:
        self.kept, self.begin = kept, begin

    def __getitem__(self, part: Part) -> Tensor | UserError:
        try:
            if self.kept is not None:
                images = self.kept[part.rows]
            else:
                images = Ragged(photograph(part.files, place) for place in range(len(part.rows)))
            return self.begin(images, torch.tensor(part.index), part.epoch)
        except UserError as error:  # an exception would come through the loader without its pieces
            return error


def looked_ahead(updates: Iterator[Update], enough: int) -> tuple[int, Iterator[Update]]:
    """How many images these updates read, counted no further than to `enough`, and the updates."""
    images, seen = 0, []
    while images < enough and (update := next(updates, None)) is not None:
        seen.append(update)
        images += len(update.rows)
    return images, itertools.chain(seen, updates)


def spare_cores(device: torch.device) -> int:
    """Cores for a run besides its first: without GPUs there is a run on every core, else each GPU has its share."""
    if device.type == "cpu" or multiprocessing.current_process().daemon:  # a daemon may have no children
        return 0
    return max(0, cores() // max(1, sharing_gpus()) - 1)


def begun_by_workers(
    files: FileList,
    kept: Kept | None,
    updates: Iterator[Update],
    begin: Begin,
    device: torch.device,
    workers: int,
) -> Iterator[Tensor]:
    """begin(images, index, epoch) of each update, on `device`, two batches ahead of what was asked for.

    UserError if a photograph cannot be read, or if a process ended.
    """
    if (first := next(updates, None)) is None:
        return
    updates, sizes = itertools.chain([first], updates), deque[int]()

    def parts() -> Iterator[Part]:
        for update in updates:
            pieces = list(cut(update, files if kept is None else None))
            sizes.append(len(pieces))
            yield from pieces

    count = -(-len(first.rows) // _part_size(len(first.rows)))
    loader = DataLoader(
        Begun(kept, begin),
        batch_size=None,
        sampler=parts(),
        num_workers=workers,
        prefetch_factor=-(-BATCHES_AHEAD * count // workers),
        multiprocessing_context="spawn",
        pin_memory=device.type == "cuda",
        worker_init_fn=_outlive_a_request,
        generator=torch.Generator(),  # it draws a seed that nothing here uses, but not from the global generator
    )
    answers = _answers(loader)
    for first_part in answers:
        yield joined([first_part, *itertools.islice(answers, sizes.popleft() - 1)], device)


def cut(update: Update, files: FileList | None = None) -> Iterator[Part]:
    """The parts of an update, each with its own files out of `files`."""
    size = _part_size(len(update.rows))
    for index, rows in zip(update.index.split(size), update.rows.split(size), strict=True):
        own = None if files is None else files[rows.numpy()]
        yield Part(update.epoch, index.tolist(), rows.tolist(), own)


def joined(parts: list[Tensor], device: torch.device) -> Tensor:
    """The begun parts (v, p, 3, size, size) of an update as one batch on a device."""
    moved = [part.to(device, non_blocking=True) for part in parts]
    return torch.cat(moved, dim=1) if len(moved) > 1 else moved[0]


def _part_size(n: int) -> int:
    return max(PART, -(-n // PARTS))


def _answers(loader: DataLoader) -> Iterator[Tensor]:
    try:
        for answer in _started(loader):
            if isinstance(answer, UserError):
                raise answer
            yield answer
    except (RuntimeError, OSError, EOFError) as error:
        if not _tells_of_an_end(error):
            raise
        raise UserError(
            "a process that reads photographs ended before it was done",
            expected=f"{loader.num_workers} processes that read ahead of the training",
            found=(str(error) or type(error).__name__).splitlines()[0],
            remedy="give the run more memory (in a container also more shared memory: --shm-size), then run the same "
            "command again: it goes on from the last checkpoint",
        ) from error


def _tells_of_an_end(error: Exception) -> bool:
    """Whether a loader's error says that one of its processes is gone, and not that its code failed.

    Which error that is depends on the moment: torch hears of the end while it waits, or a connection breaks while a
    tensor is handed over. What code in a process raised, torch raises again, under a text that begins with "Caught".
    """
    text = str(error)
    if text.startswith("Caught "):
        return False
    return not isinstance(error, RuntimeError) or "DataLoader worker" in text or "shared memory" in text


def _outlive_a_request(_: int) -> None:
    """A request to stop goes to every process of a job, and the training needs some more batches for its checkpoint.

    Not for ever: who ends a process that hangs sends the same.
    """
    for request in REQUESTS:
        signal.signal(request, lambda *_: signal.alarm(OUTLIVE_SECONDS))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, REQUESTS)


def _started(loader: DataLoader) -> Iterator[Tensor | UserError]:
    """The answers of a loader whose processes run. One that dies is missed when its answer is waited for.

    torch also lets the signal of its death raise RuntimeError, wherever the training just is: that is undone.
    """
    resource_tracker.ensure_running()  # first: its start lets the requests through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, REQUESTS)  # until a process can outlive them
    try:
        if threading.current_thread() is not threading.main_thread():
            return iter(loader)  # only the main thread hears signals
        handler = signal.getsignal(signal.SIGCHLD) or signal.SIG_DFL
        answers = iter(loader)
        signal.signal(signal.SIGCHLD, handler)
        return answers
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
