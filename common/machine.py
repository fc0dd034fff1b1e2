"""What of this machine may be used."""

from __future__ import annotations

import os


def cores() -> int:
    """The CPU cores that this process may run on; under Slurm or in a container often fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS binds no process to cores
