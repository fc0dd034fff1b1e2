"""What decided a run's numbers (run.json, the same on every machine), and where and when it was made (record.json)."""

from __future__ import annotations

import datetime
import hashlib
import os
import platform
import subprocess
from importlib import metadata
from typing import Any

from stages.planning.code_hashes import ROOT
from stages.planning.fingerprint import adoption_of, data_hash
from stages.planning.plans import Run

LIBRARIES = ("torch", "torchvision", "numpy", "gin-config", "scipy", "scikit-learn")
DECIDE_NUMBERS = ("common", "simclr", "stages", "params")


def cause_of(run: Run) -> dict[str, Any]:
    """What decided the numbers of this run, for run.json: equal for equal runs on any machine with these libraries."""
    return {
        "fingerprint": run.fingerprint,
        "stage": run.stage,
        "seed": run.seed,
        "bindings": run.bindings,
        "code": run.code,
        "adopted": adoption_of(run.stage, run.code),
        "data": data_hash(run.dataset) if run.dataset else None,
        "upstream": run.upstream.fingerprint if run.upstream else None,
        **({"search": [point.fingerprint for point in run.search]} if run.search else {}),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """The versions of Python and of the libraries that decide numbers."""
    return {name: metadata.version(name) for name in LIBRARIES} | {"python": platform.python_version()}


def record_of(seconds: float, images: int, device: str, processes: int) -> dict[str, Any]:
    """Where, when and how fast a run was made, for record.json."""
    return {
        "seconds": round(seconds, 3),
        "images_per_second": round(images / seconds, 1),
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "host": platform.node(),
        "platform": platform.platform(),
        "processor": processor(),
        "device": device,
        "processes": processes,
        "git": git_state(),
    }


def processor() -> str:
    """The CPU's name and what decides its last bits: the vector extensions that libraries choose kernels by."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            fields = dict(
                line.split(":", 1) for line in file.read().split("\n\n")[0].splitlines() if ":" in line
            )
    except OSError:
        return platform.processor() or platform.machine()
    fields = {name.strip(): value.strip() for name, value in fields.items()}
    flags = set(fields.get("flags", "").split())
    kernels = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in flags]
    return " ".join([fields.get("model name", platform.machine()), *kernels])


def git_state() -> dict[str, str | None]:
    """The commit, and a hash of what differs from it in the folders that decide numbers.

    Without git, or where git refuses this folder, `commit` is None and `why` has git's own words.
    """
    try:
        commit = _git("rev-parse", "HEAD").strip()
        patch = _git("diff", "HEAD", "--", *DECIDE_NUMBERS)
    except (OSError, subprocess.CalledProcessError) as error:
        why = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        return {"commit": None, "patch_sha256": None, "why": why[0] if why else "git failed"}
    return {"commit": commit, "patch_sha256": hashlib.sha256(patch.encode()).hexdigest() if patch else None}


def _git(*words: str) -> str:
    environment = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(
        ["git", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        env=environment,
        check=True,
    )
    return done.stdout
