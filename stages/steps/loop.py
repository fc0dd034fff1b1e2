"""From the last checkpoint to the last step, with a curve on the way."""

from __future__ import annotations

from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from stages.running.job import Job

TELL_STEPS = 4  # a message per step would cost more than a step of the smallest networks


class Training(Protocol):
    """What the library's trainings have in common."""

    step_number: int
    total_steps: int
    steps_per_epoch: int

    def step(self) -> dict[str, Tensor]: ...
    def state(self) -> dict[str, Tensor]: ...
    def load(self, state: dict[str, Tensor]) -> None: ...


def run_to_end(job: Job, training: Training, images_per_step: int) -> dict[str, float]:
    """Run every remaining step; writes curve.csv (means per epoch) and returns its last row.

    The rows of finished epochs and the sums of the current one travel in the checkpoint: a resumed run ends in the same
    bytes as an unbroken one.
    """
    curve: dict[str, list[float]] = {}
    sums: dict[str, Tensor] = {}
    if saved := job.restore():
        curve = {name[6:]: saved.pop(name).tolist() for name in list(saved) if name.startswith("curve/")}
        sums = {name[5:]: saved.pop(name) for name in list(saved) if name.startswith("sums/")}
        training.load(saved)
    while training.step_number < training.total_steps:
        for name, value in training.step().items():
            sums[name] = sums.get(name, 0) + torch.as_tensor(value, dtype=torch.float64)
        if training.step_number % training.steps_per_epoch == 0:
            for name, value in sums.items():
                curve.setdefault(name, []).append(float(value) / training.steps_per_epoch)
            sums = {}
        if training.step_number % TELL_STEPS == 0 or training.step_number == training.total_steps:
            job.tell(training.step_number * images_per_step, training.total_steps * images_per_step)
        # Not after the last step: a resumed run then makes one, and gin's record of what was used is whole.
        if training.step_number < training.total_steps:
            job.checkpoint(partial(_state, training, curve, sums))
    names = sorted(curve)  # a checkpoint does not keep the order of its tensors
    epochs = zip(*(curve[name] for name in names), strict=True)
    rows = [{"epoch": n, **dict(zip(names, means, strict=True))} for n, means in enumerate(epochs, start=1)]
    job.save_curve(rows)
    return rows[-1]


def _state(training: Training, curve: dict[str, list[float]], sums: dict[str, Tensor]) -> dict[str, Tensor]:
    lists = {f"curve/{name}": torch.tensor(values, dtype=torch.float64) for name, values in curve.items()}
    return {**training.state(), **lists, **{f"sums/{name}": value for name, value in sums.items()}}
