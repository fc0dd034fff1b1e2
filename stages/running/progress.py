"""One line that says how far a sweep is: live on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import TextIO

PLAIN_SECONDS = 30.0  # between plain lines, where nobody watches
LIVE_SECONDS = 0.5


@dataclass
class Progress:
    """Counts images over all runs of a sweep. `title` names it, `runs` is how many there are to do."""

    title: str
    runs: int
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    done: int = 0
    images: dict[str, int] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)
    started: float = field(default_factory=lambda: time.monotonic())
    shown: float = 0.0
    resumed: dict[str, int] = field(default_factory=dict)

    def update(self, run: str, images: int, total: int) -> None:
        """`run` has processed `images` of `total` images."""
        self.resumed.setdefault(run, images)  # what a checkpoint brought back was not computed now
        self.images[run], self.totals[run] = images, total
        self.show()

    def finish(self, run: str) -> None:
        """`run` is done."""
        self.done += 1
        self.images[run] = self.totals.get(run, 0)
        self.show(force=not self._live())

    def line(self) -> str:
        """Runs done, images per second, time left."""
        elapsed = max(time.monotonic() - self.started, 1e-9)
        rate = (sum(self.images.values()) - sum(self.resumed.values())) / elapsed
        text = f"{self.title}: {self.done} of {self.runs} runs"
        if not self.totals or rate <= 0:
            return text
        mean = sum(self.totals.values()) / len(self.totals)  # for the runs that have not started
        left = sum(self.totals.values()) + mean * (self.runs - len(self.totals)) - sum(self.images.values())
        return f"{text}, {rate:,.0f} images/s, {clock(left / rate)} left"

    def show(self, force: bool = False) -> None:
        """Print the line if enough time has passed since the last one."""
        now = time.monotonic()
        if not force and now - self.shown < (LIVE_SECONDS if self._live() else PLAIN_SECONDS):
            return
        self.shown = now
        print(
            f"\r\033[K{self.line()}" if self._live() else self.line(),
            end="" if self._live() else "\n",
            file=self.stream,
        )
        self.stream.flush()

    def close(self) -> None:
        """End the live line."""
        if self._live():
            self.show(force=True)
            print(file=self.stream)

    def _live(self) -> bool:
        return self.stream.isatty()


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss or m:ss."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
