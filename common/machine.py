"""What this process may use: the cores of its mask and the GPUs that are visible to it. It does not import torch."""

from __future__ import annotations

import os
from pathlib import Path

DEVICES = Path("/dev")
HARDWARE = "SIMCLR_HARDWARE"  # in the environment: the entry of params/hardware.yaml by which jobs are sized
OF_THE_DRIVER = "SIMCLR_DRIVER_GPUS"  # in the environment of a run: how many GPUs its driver sees
NO_DEVICE = ("", "-1", "NoDevFiles", "none", "void")


def cores() -> int:
    """Cores that this process may run on: those of its mask (Slurm, taskset), within its cgroup's quota (container)."""
    mask = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota()
    return max(1, min(mask, quota)) if quota else mask


def devices() -> list[str]:
    """The GPUs that are visible here, as CUDA_VISIBLE_DEVICES may name them: numbers or UUIDs.

    As in CUDA, a name that stands for no device ends the list.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return [str(place) for place in range(_of_the_machine())]
    names = []
    for name in visible.split(","):
        if name.strip() in NO_DEVICE:
            break
        names.append(name.strip())
    return names


def devices_of_slots(slots: list[int]) -> list[str]:
    """The visible GPUs that a run in these slots of a driver gets: the k-th for slot k; none where there is no GPU.

    Where there are more slots than GPUs, several slots share one.
    """
    visible = devices()
    return list(dict.fromkeys(visible[slot % len(visible)] for slot in slots)) if visible else []


def take(slots: list[int]) -> None:
    """Leave only the GPUs of these slots of a driver visible, to this process and to those that it starts."""
    os.environ[OF_THE_DRIVER] = str(len(devices()))
    if visible := devices_of_slots(slots):
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(visible)


def sharing_gpus() -> int:
    """How many GPUs share the cores that this process may run on.

    Cores that are not all of the machine's are a job's own, as are the GPUs that its driver sees (Slurm, containers);
    where they are all, other drivers may be at work on the GPUs that this one does not see.
    """
    if cores() == os.cpu_count():
        return _of_the_machine()
    return int(os.environ.get(OF_THE_DRIVER) or len(devices()))


def _of_the_machine() -> int:
    """Slurm denies a job the other GPUs of its node, but does not hide them here."""
    return len(list(DEVICES.glob("nvidia[0-9]*")))


def slots() -> int:
    """How many runs fit at a time: one per GPU, or per core where there is none."""
    return len(devices()) or cores()


def _quota(path: Path = Path("/sys/fs/cgroup/cpu.max")) -> int | None:
    """The whole cores of a version 2 cgroup's quota, at least one; None without a limit."""
    try:
        quota, period = path.read_text().split()
        return max(1, int(quota) // int(period)) if quota != "max" else None
    except (OSError, ValueError):
        return None
