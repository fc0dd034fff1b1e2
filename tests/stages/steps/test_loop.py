"""The curve is the means of the epochs, and an interruption leaves no trace in it."""

import csv

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from common import files
from stages.planning.plans import Run
from stages.running.job import Job
from stages.running.store import CHECKPOINT
from stages.steps.loop import TELL_STEPS, run_to_end

NAMES = (
    "loss",
    "contrastive_accuracy",
    "entropy",
    "lr",
)  # as Pretraining has them: not in alphabetical order


class Interrupted(Exception):
    """A kill, where a test can catch it."""


class Recited:
    """A training whose metrics are given: one row of values a step."""

    def __init__(self, values: list[list[float]], steps_per_epoch: int, interrupt: int = -1) -> None:
        self.values, self.interrupt = values, interrupt
        self.step_number, self.total_steps, self.steps_per_epoch = 0, len(values), steps_per_epoch

    def step(self) -> dict[str, Tensor]:
        if self.step_number == self.interrupt:
            raise Interrupted
        row = self.values[self.step_number]
        self.step_number += 1
        return {name: torch.tensor(value) for name, value in zip(NAMES, row, strict=True)}

    def state(self) -> dict[str, Tensor]:
        return {"step_number": torch.tensor(self.step_number), "weight": torch.ones(2)}

    def load(self, state: dict[str, Tensor]) -> None:
        assert state.keys() == {"step_number", "weight"}, "what the loop keeps is not the training's"
        self.step_number = int(state["step_number"])


@pytest.fixture
def start(project):
    """start(results, report) -> a job on the same run that saves a checkpoint after every step."""
    bindings = {"execution.device": "cpu", "execution.checkpoint_minutes": 0.0}
    run = Run("table_02", "smoke", "gradients", "loss1-seed0", 0, bindings, {})
    return lambda results, *report: Job(run, project / results, *report)


def values(steps: int) -> list[list[float]]:
    """Float32 numbers whose sums depend on their order, and tell the metrics apart."""
    draws = torch.rand(steps, len(NAMES), generator=torch.Generator().manual_seed(0))
    return (draws * torch.tensor([1.0, 100.0, 5.0, 1e-3])).tolist()


def curve(job: Job) -> bytes:
    return (job.folder / "curve.csv").read_bytes()


def test_a_row_is_the_means_of_its_epoch_and_the_last_is_returned(start):
    steps = [[1.0, 0.0, 10.0, 0.5], [2.0, 50.0, 20.0, 0.5], [6.0, 100.0, 60.0, 0.5]] * 2
    steps[3] = [4.0, 0.0, 40.0, 0.25]
    job = start("results")
    last = run_to_end(job, Recited(steps, steps_per_epoch=3), 1)
    rows = list(csv.DictReader(curve(job).decode().splitlines()))
    assert next(iter(rows[0])) == "epoch"
    assert rows == [
        {"epoch": "1", "loss": "3", "contrastive_accuracy": "50", "entropy": "30", "lr": "0.5"},
        {"epoch": "2", "loss": "4", "contrastive_accuracy": "50", "entropy": "40", "lr": "0.4166666667"},
    ]
    means = {"epoch": 2, "loss": 4.0, "contrastive_accuracy": 50.0, "entropy": 40.0, "lr": 1.25 / 3}
    assert last == pytest.approx(means, rel=1e-15)


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=12), st.integers(1, 4))
def test_means_are_of_float64_sums(draws, steps_per_epoch):
    class Memory:
        """A job that keeps the rows."""

        rows: list[dict[str, float]]
        restore = staticmethod(lambda: None)
        tell = staticmethod(lambda images, total: None)
        checkpoint = staticmethod(lambda state: None)

        def save_curve(self, rows):
            self.rows = rows

    draws = (draws * steps_per_epoch)[: len(draws) // steps_per_epoch * steps_per_epoch or steps_per_epoch]
    job = Memory()
    run_to_end(job, Recited([[value] * len(NAMES) for value in draws], steps_per_epoch), 1)
    epochs = [draws[i : i + steps_per_epoch] for i in range(0, len(draws), steps_per_epoch)]
    assert [row["epoch"] for row in job.rows] == list(range(1, len(epochs) + 1))
    for row, epoch in zip(job.rows, epochs, strict=True):
        total = 0.0
        for value in epoch:
            total += value
        assert row["loss"] == total / steps_per_epoch


@pytest.mark.parametrize("interrupt", range(1, 9))
def test_an_interrupted_curve_is_the_unbroken_one_to_the_byte(start, interrupt):
    rows = values(9)
    unbroken = start("unbroken")
    expected = run_to_end(unbroken, Recited(rows, 3), 1)
    with pytest.raises(Interrupted):
        run_to_end(start("broken"), Recited(rows, 3, interrupt), 1)
    resumed, training = start("broken"), Recited(rows, 3)
    assert run_to_end(resumed, training, 1) == expected
    assert training.step_number == 9
    assert curve(resumed) == curve(unbroken)


@pytest.mark.parametrize("interrupt", [2, 5])
def test_columns_do_not_follow_the_order_in_which_a_checkpoint_is_read(start, interrupt, monkeypatch):
    """safetensors gives tensors back in no promised order; here it is the worst one."""
    rows = values(9)
    unbroken = start("unbroken")
    run_to_end(unbroken, Recited(rows, 3), 1)
    with pytest.raises(Interrupted):
        run_to_end(start("broken"), Recited(rows, 3, interrupt), 1)
    read = files.read_tensors
    monkeypatch.setattr(files, "read_tensors", lambda path: dict(sorted(read(path).items(), reverse=True)))
    resumed = start("broken")
    run_to_end(resumed, Recited(rows, 3), 1)
    assert curve(resumed) == curve(unbroken)


def test_a_run_killed_after_its_last_step_ends_in_the_same_curve(start):
    rows = values(6)
    first = start("results")
    expected = run_to_end(first, Recited(rows, 3), 1)
    before = curve(first)
    assert (first.folder / CHECKPOINT).exists()
    again = start("results")
    assert run_to_end(again, Recited(rows, 3), 1) == expected
    assert curve(again) == before


def test_progress_is_told_every_few_steps_and_at_the_end_in_images(start):
    told = []
    run_to_end(start("results", lambda *counts: told.append(counts)), Recited(values(10), 5), 32)
    assert told == [(steps * 32, 320) for steps in (TELL_STEPS, 2 * TELL_STEPS, 10)]
