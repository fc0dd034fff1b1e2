"""The line that says how far a sweep is."""

import io

import pytest

from stages.running import progress
from stages.running.progress import Progress, clock


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def now(monkeypatch):
    time = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: time[0])
    return time


def test_rate_and_time_left_cover_runs_that_have_not_started(now):
    bar = Progress("pretrain table_05", dict.fromkeys("abcd", 3.0), stream=io.StringIO())
    bar.update("a", 0, 1000)
    now[0] += 10
    bar.update("a", 500, 1000)
    assert bar.line() == "pretrain table_05: 0 of 4 runs, 50 images/s, 1:10 left"


def test_time_left_weighs_runs_by_their_length(now):
    bar = Progress("runs of smoke", {"short": 1.0, "long": 9.0}, stream=io.StringIO())
    bar.update("short", 0, 100)
    now[0] += 10
    bar.finish("short")
    assert bar.line() == "runs of smoke: 1 of 2 runs, 1:30 left"


def test_what_a_checkpoint_brought_back_is_not_speed(now):
    bar = Progress("t", {"a": 1.0}, stream=io.StringIO())
    bar.update("a", 900, 1000)
    now[0] += 10
    bar.update("a", 950, 1000)
    assert "5 images/s, 0:10 left" in bar.line()


def test_plain_lines_are_rare_and_live_ones_overwrite(now):
    plain, live = io.StringIO(), Terminal()
    for stream in (plain, live):
        bar = Progress("t", {"a": 1.0}, stream=stream)
        for step in range(5):
            now[0] += 1
            bar.update("a", step, 10)
        bar.close()
    assert plain.getvalue().count("\n") == 1
    assert live.getvalue().count("\r") == 6 and live.getvalue().endswith("\n")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (59.6, "1:00"), (3599, "59:59"), (3600, "1:00:00"), (90061, "25:01:01")],
)
def test_clock(seconds, text):
    assert clock(seconds) == text
