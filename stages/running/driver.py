"""Many runs, one parent process, one child for each run that is left to do.

The parent decides from fingerprints what there is to do (nothing to do costs no import of torch), preloads the stages
in a fork server (seconds once, not once a run), and never runs an operation or touches a GPU itself. A run starts when
all that it reads are finished (the run that it evaluates, those among which it chooses). Of those that may start, a
lower turn goes first; of equal turns evaluations, so that what is done has its numbers, and then the one with the
longest way to the end. Each child works in its own partial folder under a lock, and seals it. A crash fails that run,
and what reads it, only.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext
from pathlib import Path
from types import MappingProxyType
from typing import Any

from common import atomic
from stages.planning.cost import cost_of
from stages.planning.plans import Run
from stages.running import child, ranks, store
from stages.running.progress import Progress

LOCK_SECONDS = 1.0  # between looks at what is at work, and at a run that another driver is at work on
LONGEST_TMPDIR, SHORT_TMPDIR = 60, "/tmp"
# glibc gives every large tensor back to the system and asks for it again in the next step, whose pages are then cleared
# anew: a tenth of a step of a small network. A process that does one run may keep them. No number changes.
KEEP_MEMORY = "glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=4294967296"
STOP_SECONDS = 30.0  # for checkpoints, after a signal


@dataclass
class Outcome:
    """Which runs were done, by fingerprint, and what went wrong with others."""

    ran: set[str] = field(default_factory=set)
    failures: dict[str, str] = field(default_factory=dict)


def carry_out(
    title: str, runs: Iterable[Run], results: Path, jobs: int, turns: Mapping[str, int] = MappingProxyType({})
) -> Outcome:
    """Do the runs that are not finished yet, `jobs` at a time; equal runs once.

    turns: by fingerprint; of runs that may start, one with a lower turn goes first. Without one it is 0.
    """
    waiting = {run.fingerprint: run for run in runs if not adopt(run, results)}
    if not waiting:
        return Outcome()
    return _Driver(title, waiting, results, jobs, turns).run()


def adopt(run: Run, results: Path) -> bool:
    """Whether the run stands finished in its sweep, linked from the store if need be."""
    folder, stored = run.folder(results), store.store_folder(results, run)
    if store.is_finished(folder, run):
        # Results that came by `dvc pull` or `dvc checkout`, or a copy in the store that is damaged: readers look there.
        if not (store.is_linked(folder, stored) or store.is_finished(stored, run)):
            atomic.link_tree(folder, stored)
        return True
    if store.is_finished(stored, run):
        # Of a run that was killed at its last step: the folder is then that of one that was not.
        store.discard_checkpoint(stored)
        atomic.link_tree(stored, folder)
        return True
    return False


@dataclass
class _Child:
    run: Run
    process: Any
    messages: Connection
    slots: list[int]


class _Driver:
    """The state of one call: what waits, what is at work, which slots are free, how it went."""

    def __init__(
        self, title: str, waiting: dict[str, Run], results: Path, jobs: int, turns: Mapping[str, int]
    ) -> None:
        self.waiting, self.results, self.turns = waiting, results, turns
        self.children: list[_Child] = []
        # Of runs that another driver is at work on: not to be looked at again before.
        self.busy_until: dict[str, float] = {}
        self.slots = list(range(jobs))
        self.outcome = Outcome()
        self.stopping, self.stopped = False, 0
        # Longest first ends soonest when runs are of unequal length (list scheduling, Graham 1969).
        self.ways = _ways_to_the_end(waiting)
        self.progress = Progress(title, {key: _weight(run) for key, run in waiting.items()})
        self.context = fork_server({run.stage for run in waiting.values()})

    def run(self) -> Outcome:
        """Until nothing is left, or a signal comes: then every child writes its checkpoint.

        With nothing at work, because other drivers are at all that may start, it sleeps between looks.
        """
        try:
            while self.waiting or self.children:
                self._fill_slots()
                for each in self._ready():
                    self._hear(each)
        finally:
            self._stop()
            self.progress.close()
            if self.stopped:
                what = "1 run" if self.stopped == 1 else f"{self.stopped} runs"
                print(f"{what} wrote a checkpoint: the same command goes on from there", flush=True)
        return self.outcome

    def _fill_slots(self) -> None:
        while self.slots and (run := self._next()):
            # A run wider than all slots takes them all; if these are GPUs, the run then says that they are too few.
            width = min(
                ranks.processes_and_nodes(run)[0],
                len(self.slots) + sum(len(each.slots) for each in self.children),
            )
            if width > len(self.slots):
                # It waits for its slots, and nothing shorter takes them away from it.
                return
            del self.waiting[run.fingerprint]
            taken, self.slots = self.slots[:width], self.slots[width:]
            self._start(run, taken)

    def _next(self) -> Run | None:
        """Of those with nothing to wait for (no run, no other driver): by turns, evaluations, the longest way to go."""
        ahead = self.waiting.keys() | {each.run.fingerprint for each in self.children}
        now = time.monotonic()
        free = [
            run
            for key, run in self.waiting.items()
            if not any(other.fingerprint in ahead for other in run.reads)
            and self.busy_until.get(key, now) <= now
        ]
        return max(free, key=self._urgency, default=None)

    def _urgency(self, run: Run) -> tuple[int, bool, float]:
        return -self.turns.get(run.fingerprint, 0), bool(run.reads), self.ways[run.fingerprint]

    def _start(self, run: Run, slots: list[int]) -> None:
        ours, theirs = self.context.Pipe(duplex=False)
        # Not a daemon: those may have no children, and loaders of photographs are children.
        process = self.context.Process(
            target=child.main, args=(run, self.results, theirs, slots), daemon=False
        )
        # Known before it lives, so that no signal comes between: `_stop` ends whom it knows.
        self.children.append(_Child(run, process, ours, slots))
        process.start()
        # As long as this process held that end too, the pipe would not close with the child.
        theirs.close()

    def _ready(self) -> list[_Child]:
        ready = wait([each.messages for each in self.children], timeout=LOCK_SECONDS)
        return [each for each in self.children if each.messages in ready]

    def _hear(self, each: _Child) -> None:
        try:
            # A child that the kernel killed says nothing: the end of its pipe is all that is heard.
            kind, content = each.messages.recv()
        except EOFError:
            each.process.join()
            status = each.process.exitcode
            kind, content = "end", f"the process ended without a word (exit status {status}); out of memory?"
        if kind == "progress":
            self.progress.update(each.run.fingerprint, *content)
        else:
            self._end(each, content)

    def _end(self, each: _Child, outcome: str) -> None:
        key = each.run.fingerprint
        self.children.remove(each)
        self.slots = sorted([*self.slots, *each.slots])
        each.process.join()
        if outcome == "busy":  # another driver does this very run: others first, then come back to it
            self.waiting[key] = each.run
            self.busy_until[key] = time.monotonic() + LOCK_SECONDS
        elif outcome in ("finished", "found"):
            self.outcome.ran |= {key} if outcome == "finished" else set()
            self.progress.finish(key)
        elif outcome == "stopped" and self.stopping:
            self.stopped += 1
        elif outcome == "stopped":
            self._fail(
                each.run, "a signal stopped it; it wrote a checkpoint: the same command goes on from there"
            )
        else:
            self._fail(each.run, outcome)

    def _fail(self, run: Run, why: str) -> None:
        self.outcome.failures[run.fingerprint] = why
        for other in list(self.waiting.values()):
            reads = any(each.fingerprint == run.fingerprint for each in other.reads)
            if reads and other.fingerprint in self.waiting:
                del self.waiting[other.fingerprint]
                self._fail(other, f"its {run.stage} run {run.id} of {run.exhibit} failed")

    def _stop(self) -> None:
        self.stopping = True
        self.children = [each for each in self.children if each.process.pid is not None]
        for each in self.children:
            each.process.terminate()
        # Children are heard until they have written their checkpoints: a full pipe would block them.
        until = time.monotonic() + STOP_SECONDS
        while self.children and time.monotonic() < until:
            for each in self._ready():
                self._hear(each)
        for each in self.children:
            each.process.kill()


def fork_server(stages: Iterable[str]) -> ForkServerContext:
    """What starts the children: a process that has imported these stages, with the memory settings of runs.

    SIGTERM is held back there. Schedulers send it to all of a job, and children without a parent are nobody's.
    Each child lets it through when it can answer; until then it waits.
    """
    _shorten_temporary_folder()
    # Read when a program starts: by the fork server, and by torchrun's ranks. What a user has set stays.
    os.environ.setdefault("GLIBC_TUNABLES", KEEP_MEMORY)
    # Not fork: a child must not inherit threads or CUDA. Not spawn: each run would import torch again.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(sorted(f"stages.{stage}" for stage in stages))
    resource_tracker.ensure_running()  # first: its start lets the signal through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return context


def _shorten_temporary_folder() -> None:
    """A socket's path has at most 107 bytes, and the fork server's stands in the folder that TMPDIR names."""
    if len(os.fsencode(tempfile.gettempdir())) > LONGEST_TMPDIR and os.access(SHORT_TMPDIR, os.W_OK):
        os.environ["TMPDIR"] = tempfile.tempdir = SHORT_TMPDIR


def _weight(run: Run) -> float:
    """Operations, or one where nothing passes a network: relative lengths of runs."""
    return max(1.0, cost_of(run).flops)


def _ways_to_the_end(runs: dict[str, Run]) -> dict[str, float]:
    """The length of each run, with those of the longest way from it over runs that read it."""
    weights = {key: _weight(run) for key, run in runs.items()}
    ways = dict(weights)
    # From what nobody reads upwards: each way is whole before it is handed on.
    for key, run in sorted(runs.items(), key=lambda item: -_depth(item[1])):
        for read in {each.fingerprint for each in run.reads} & runs.keys():
            ways[read] = max(ways[read], weights[read] + ways[key])
    return ways


def _depth(run: Run) -> int:
    """How many runs stand one on the other below this one."""
    return 1 + max((_depth(read) for read in run.reads), default=-1)
