"""Photographs that a training reads by index: decoded when they are needed or ahead of it, each at its own size."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from simclr.views import Ragged
from simclr.views.images import Begin, Update
from stages.data.decoding import photograph
from stages.data.file_lists import FileList
from stages.data.kept import Kept, by_threads, keep
from stages.data.workers import WORTH, Part, begun_by_workers, cut, joined, looked_ahead, spare_cores


class Photographs:
    """The images of a split, as `simclr.views.images.ReadsAhead` has them.

    What they give is Ragged, uint8 (3, h, w) each, on `device`, in the order of the index. workers: processes that read
    ahead of a training, by default as many as a GPU has cores to spare, if the training is long enough to need them (on
    CPUs other runs have the other cores); their number changes no byte. A split that is read more than once and needs
    at most `keep_bytes` decoded is decoded once and kept. UserError, naming the file, if a photograph is gone, changed
    or cannot be decoded.
    """

    def __init__(
        self,
        files: FileList,
        device: torch.device | str = "cpu",
        workers: int | None = None,
        keep_bytes: int = 0,
    ) -> None:
        self.files, self.device, self.workers = files, torch.device(device), workers
        self._kept: Kept | None = None
        self._budget, self._read = keep_bytes, 0

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: Tensor | slice) -> Ragged:
        places = range(len(self))[index] if isinstance(index, slice) else index.tolist()
        return self._images(places).to(self.device)

    def split(self, size: int) -> Iterator[Ragged]:
        """Consecutive parts of `size` photographs; the next one is decoded while a part is looked at."""
        places, waiting = range(len(self)), deque[Future[Ragged]]()
        with ThreadPoolExecutor(1) as pool:
            for start in places[::size]:
                waiting.append(pool.submit(self._images, places[start : start + size]))
                if len(waiting) > 1:
                    yield waiting.popleft().result().to(self.device)
            while waiting:
                yield waiting.popleft().result().to(self.device)

    def ahead(self, updates: Iterator[Update], begin: Begin) -> Iterator[Tensor]:
        """begin(images, index, epoch) of each update, on `device`; the views are begun on the CPU, on any machine."""
        workers = self.workers
        asked = max(WORTH if workers is None else 0, len(self) + 1 if self._budget else 0)
        images, updates = looked_ahead(updates, asked)
        if images > len(self):
            self._keep()
        if workers is None:
            workers = spare_cores(self.device) if images >= WORTH else 0
        if workers:
            yield from begun_by_workers(self.files, self._kept, updates, begin, self.device, workers)
            return
        for update in updates:
            parts = [
                begin(self._images(part.rows), torch.tensor(part.index), part.epoch) for part in cut(update)
            ]
            yield joined(parts, self.device)

    @property
    def names(self) -> list[str]:
        """The file name of every photograph."""
        return self.files.names

    def _images(self, places: Sequence[int]) -> Ragged:
        """Photographs in the CPU's memory."""
        if self._kept is None and self._read >= len(self):  # the split is read a second time
            self._keep()
        self._read += len(places)
        if self._kept is not None:
            return self._kept[places]
        return Ragged(by_threads(lambda place: photograph(self.files, place), places))

    def _begun(self, part: Part, begin: Begin) -> Tensor:
        return begin(self._images(part.rows), torch.tensor(part.index), part.epoch)

    def _keep(self) -> None:
        if self._kept is None and self._budget:
            self._kept = keep(self.files, self._budget)
            self._budget = 0  # what is too large now stays so
