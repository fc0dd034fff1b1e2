"""SIGKILL of any process at any moment: the same command goes on, nothing else to type, and ends in the same bytes.

A short form always; `TRUST_KILLS=100 pytest -s tests/test_trust_kills.py` is the long one.
"""

import os
import random
import time

import pytest

from tests.trusted import kill, processes_of, start, tiny, wipe

KILLS = int(os.environ.get("TRUST_KILLS", "4"))  # for each engine
KINDS = ("engine", "driver", "child", "group", "tool")
LATEST = 40.0  # seconds after the start of the command
pytestmark = pytest.mark.slow


def until(condition, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)
    return condition()


@pytest.mark.parametrize("engine", ["snakemake", "dvc"])
def test_the_same_command_finishes_after_any_kill(tmp_path, engine):
    clone, draws = tiny(tmp_path / "clone", engine), random.Random(20200705)
    clone.reports()
    unbroken, killed = clone.products(), 0
    wipe(clone)
    while killed < KILLS:
        running = start(clone)
        wait = draws.uniform(0.5, LATEST)
        if until(lambda started=running: started.poll() is not None, wait):
            assert running.returncode == 0, (clone.folder / "said.txt").read_text()
            assert clone.products() == unbroken
            wipe(clone)
            continue
        kind = kill(KINDS[killed % len(KINDS)], clone, running)
        killed += 1
        print(f"{engine}, kill {killed} of {KILLS}: {kind} after {wait:.1f} s", flush=True)
        if kind not in ("engine", "group"):
            # The engine hears of it, says so, and ends by itself; or the kill came too late to matter.
            running.wait(timeout=200)
        running.wait(timeout=5)
        if killed % 2:  # every other time at once, beside an orphan that writes its checkpoint
            assert until(lambda: not processes_of(clone), 60), f"orphans after the kill of the {kind}"
    clone.reports()
    assert clone.products() == unbroken
    assert until(lambda: not processes_of(clone), 60)
