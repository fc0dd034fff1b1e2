"""Contenders, each in processes of its own, that measure a round whenever they are told to: so rounds can interleave.

A contender is a function `module:name` that prepares everything and returns what measures one round, a rate or
seconds. Its processes start once; between rounds they wait. Run as a program this file is one such process.
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

PEER = Path(".venv-bench/bin/python")
READY, GO = "ready", "go"


@dataclass
class Contender:
    """`processes` processes of `task`, "module:function", called with `arguments`.

    They keep their memory as the runs of the suite do, unless told otherwise.
    """

    task: str
    arguments: dict[str, Any] = field(default_factory=dict)
    processes: int = 1
    threads: int = 1
    keeps_memory: bool = True
    python: str | Path = sys.executable
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def __enter__(self) -> Contender:
        from stages.running.driver import KEEP_MEMORY  # not above: the peer's environment cannot import it

        words = [str(self.python), "-m", "tests.bench.contenders", self.task, json.dumps(self.arguments)]
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": str(self.threads),
            "MKL_NUM_THREADS": str(self.threads),
            **({"GLIBC_TUNABLES": KEEP_MEMORY} if self.keeps_memory else {}),
        }
        for _ in range(self.processes):
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            self.started.append(subprocess.Popen(words, text=True, env=environment, **pipes))
        if any(self._hear(process) != READY for process in self.started):
            raise RuntimeError(f"{self.task} says something else than that it is ready")
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for process in self.started:
            process.stdin.close()
        for process in self.started:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()

    def rounds(self) -> list[Any]:
        """What each process found in one round of all of them at once."""
        for process in self.started:
            print(GO, file=process.stdin, flush=True)
        return [self._hear(process) for process in self.started]

    def _hear(self, process: subprocess.Popen[str]) -> Any:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.task} ended with status {process.wait()}; run by hand it says why")
        return json.loads(line)


def interleaved(contenders: Mapping[str, Contender], rounds: int) -> dict[str, list[float]]:
    """{name: the sum over its processes, a round each}: every round has all contenders, one after the other."""
    found: dict[str, list[float]] = {name: [] for name in contenders}
    with ExitStack() as stack:
        for each in contenders.values():
            stack.enter_context(each)
        for _ in range(rounds):
            for name, each in contenders.items():
                found[name].append(sum(each.rounds()))
    return found


def ratio(ours: list[float], theirs: list[float]) -> float:
    """The median over the rounds of ours / theirs."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def main() -> None:
    """Prepare, say so, and measure a round for every line that comes."""
    task, arguments = sys.argv[1:]
    # What libraries print goes elsewhere.
    answers, sys.stdout = sys.stdout, sys.stderr
    module, name = task.split(":")
    measure = getattr(importlib.import_module(module), name)(**json.loads(arguments))
    print(json.dumps(READY), file=answers, flush=True)
    for _ in sys.stdin:
        print(json.dumps(measure()), file=answers, flush=True)


if __name__ == "__main__":
    main()
