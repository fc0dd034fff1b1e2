"""Where a measurement was made: what of a machine and its libraries decides how fast the suite is."""

from __future__ import annotations

import os
import platform
from typing import Any

import torch

from common import machine
from simclr.precision import fast_bfloat16
from stages.running.provenance import processor


def facts() -> dict[str, Any]:
    """CPU, cores, memory, whether it has instructions for bfloat16, and the versions that count."""
    return {
        "cores": machine.cores(),
        "fast_bfloat16": fast_bfloat16(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "processor": processor(),
        "python": platform.python_version(),
        "system": platform.system(),
        "torch": torch.__version__,
    }


def load() -> float:
    """How many programs were at work in the last minute, with what the row before has measured."""
    return round(os.getloadavg()[0], 1)


def worded(found: dict[str, Any]) -> str:
    """One line."""
    fast = "with" if found["fast_bfloat16"] else "without"
    return (
        f"{found['processor']}, {found['cores']} cores, {found['memory_gib']} GiB, {fast} fast bfloat16; "
        f"torch {found['torch']}, Python {found['python']}, {found['system']}"
    )
