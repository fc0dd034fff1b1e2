"""A request to stop comes through at any moment, and however often: a scheduler signals every process, and twice."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stages.running import stopping, sweeps

REPOSITORY = Path(__file__).resolve().parents[3]
LISTENS = """\
import signal, sys, time
from stages.running.stopping import STOP
signal.signal(signal.SIGTERM, lambda *_: STOP.set())
print("ready", flush=True)
while not STOP.is_set():
    time.sleep(0.001)
time.sleep(0.5)
print("stops", flush=True)
"""


def test_signals_on_top_of_each_other_make_one_request():
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(
        [sys.executable, "-c", LISTENS], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert process.stdout.readline() == "ready\n"
        end = time.monotonic() + 0.4
        while time.monotonic() < end:
            process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=20)
        assert said == "stops\n" and process.returncode == 0
    finally:
        process.kill()


def test_a_handler_may_interrupt_another_one_anywhere_in_it():
    """At each line that `set` executes a second request is made by the same thread."""
    request, nested = stopping.Request(), []

    def trace(frame, event, argument):
        if frame.f_code is stopping.Request.set.__code__ and event == "line" and not nested:
            nested.append(event)
            request.set()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        request.set()
    finally:
        sys.settrace(before)
    assert nested and request.is_set()
    request.wait()


def test_a_second_signal_does_not_cut_off_the_wait_for_checkpoints():
    before = signal.signal(signal.SIGTERM, sweeps._end_once)
    try:
        with pytest.raises(SystemExit) as ended:
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert ended.value.code == 128 + signal.SIGTERM
    finally:
        signal.signal(signal.SIGTERM, before)


DRIVES = """\
import sys
from multiprocessing import forkserver
from stages.running import driver
from tests.stages.running.test_stopping import answers
context = driver.fork_server(["gradients"])
print(forkserver._forkserver._forkserver_pid, flush=True)
sys.stdin.readline()
ours, theirs = context.Pipe(duplex=False)
process = context.Process(target=answers, args=(theirs,))
process.start()
theirs.close()
print(process.pid, flush=True)
print(ours.recv(), flush=True)
process.join()
print(process.exitcode, flush=True)
"""


def answers(messages) -> None:
    """A child that needs a while until it can answer a signal."""
    time.sleep(2.0)
    signal.signal(signal.SIGTERM, lambda *_: stopping.STOP.set())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    stopping.STOP.wait()
    messages.send(os.getppid())


def test_a_signal_to_all_processes_leaves_the_fork_server_and_reaches_a_child_that_is_starting():
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVES],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        server = int(process.stdout.readline())
        os.kill(server, signal.SIGTERM)
        process.stdin.write("\n")
        process.stdin.flush()
        started = int(process.stdout.readline())
        os.kill(started, signal.SIGTERM)  # at once: it has no handler yet
        said, _ = process.communicate(timeout=30)
        assert said.split() == [str(server), "0"]
    finally:
        process.kill()
