"""One line that says how far a driver is: live on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TextIO

PLAIN_SECONDS = 30.0  # between plain lines, where nobody watches
LIVE_SECONDS = 0.5


@dataclass
class Progress:
    """Counts runs, and images of those at work. `weights` are the lengths of all runs to do, in any one unit."""

    title: str
    weights: Mapping[str, float]
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    finished: set[str] = field(default_factory=set)
    images: dict[str, int] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    # What a checkpoint brought back was not computed now.
    resumed_images: dict[str, int] = field(default_factory=dict)
    resumed_shares: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=lambda: time.monotonic())
    shown: float = 0.0

    def update(self, run: str, images: int, total: int) -> None:
        """`run` has processed `images` of `total` images."""
        share = images / total if total else 0.0
        self.resumed_images.setdefault(run, images)
        self.resumed_shares.setdefault(run, share)
        self.images[run], self.shares[run] = images, share
        self.show()

    def finish(self, run: str) -> None:
        """`run` is done."""
        self.finished.add(run)
        self.shares[run] = 1.0
        self.show(force=not self._live())

    def line(self) -> str:
        """Runs done, images per second, time left."""
        elapsed = max(time.monotonic() - self.started, 1e-9)
        text = f"{self.title}: {len(self.finished)} of {len(self.weights)} runs"
        images = sum(self.images.values()) - sum(self.resumed_images.values())
        if images > 0:
            text += f", {images / elapsed:,.0f} images/s"
        done = sum(share * self.weights[run] for run, share in self.shares.items())
        rate = (done - sum(share * self.weights[run] for run, share in self.resumed_shares.items())) / elapsed
        left = sum(self.weights.values()) - done
        return f"{text}, {clock(left / rate)} left" if rate > 0 else text

    def show(self, force: bool = False) -> None:
        """Print the line if enough time has passed since the last one."""
        now = time.monotonic()
        if not force and now - self.shown < (LIVE_SECONDS if self._live() else PLAIN_SECONDS):
            return
        self.shown = now
        text = f"\r\033[K{self.line()}" if self._live() else f"{self.line()}\n"
        self.stream.write(text)
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
