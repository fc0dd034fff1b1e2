"""Mutation testing with mutmut: `make mutants`. Which tests notice a changed operator, number, word or call?

It works in a copy, .mutants/. mutmut leaves decorated functions alone, so the copy has `@gin.configurable` as a call
below the function. Of each module a sample of its mutants is tried, drawn by a fixed seed; all with --sample 0.
"""

import argparse
import ast
import collections
import json
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.small_copy import ROOT

COPY = ROOT / ".mutants"
# Modules, and the tests that are to notice: fast ones, that mirror the module.
ROOMS = {
    "method": (
        [
            "simclr/objectives.py",
            *(f"simclr/losses/{n}.py" for n in ("nt_xent", "nt_logistic", "margin_triplet")),
            *(f"simclr/losses/{n}.py" for n in ("global_batch", "blockwise", "statistics")),
            *(f"simclr/{n}.py" for n in ("lars", "schedule", "randomness")),
        ],
        [*(f"tests/simclr/losses/test_{n}.py" for n in ("losses", "blockwise")), *(f"tests/simclr/test_{n}.py" for n in ("lars", "schedule", "randomness"))],
    ),
    "planning": (
        [f"stages/planning/{n}.py" for n in ("plans", "cells", "runs", "fingerprint")],
        [f"tests/stages/planning/test_{n}.py" for n in ("plans", "fingerprint", "declaration")],
    ),
    "judging": (
        [f"reports/judging/{n}.py" for n in ("contrast", "inference")],
        [f"tests/reports/judging/test_{n}.py" for n in ("contrast", "inference")],
    ),
}
# Tests of memory and of gin's own error do not hold for functions that mutmut has wrapped.
WITHOUT = "not memory and not must_be_chosen"
CONFIGURABLE = re.compile(r"^@gin\.configurable\n(def (\w+)\(.*?)(?=^\S(?!\) ->)|\Z)", re.M | re.S)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.splitlines()[0])
    parser.add_argument("--room", choices=ROOMS, action="append", help="default: all")
    parser.add_argument("--sample", type=int, default=40, help="mutants of each module, 0 for all")
    options = parser.parse_args()
    found = {}
    for room in options.room or ROOMS:
        found |= tried(room, options.sample)
    for module, ends in found.items():
        print(f"{module}: " + ", ".join(f"{count} {end}" for end, count in sorted(ends.items())))
    total = sum(found.values(), collections.Counter())
    killed = sum(total[end] for end in ("killed", "timeout", "segfault", "suspicious"))
    print(f"{killed} of {total.total()} mutants were noticed")
    return 0


def tried(room: str, sample: int) -> dict[str, collections.Counter]:
    """How the mutants of a room ended, by module."""
    modules, tests = ROOMS[room]
    copy = COPY / room
    make_copy(copy, modules, tests)
    mutmut = [sys.executable, "-m", "mutmut"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    # The names of the mutants are known once they are made; one that there is not makes them and runs nothing.
    subprocess.run([*mutmut, "run", "--max-children", "1", "none"], cwd=copy, env=environment, check=False)
    chosen = [name for module in modules for name in drawn(names(copy, module), sample)]
    subprocess.run([*mutmut, "run", "--max-children", "1", *chosen], cwd=copy, env=environment, check=False)
    lines = subprocess.run([*mutmut, "results", "--all", "true"], cwd=copy, capture_output=True, text=True)
    ends: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    for name, end in re.findall(r"^\s*(\S+): (.+)$", lines.stdout, re.M):
        if name in chosen:
            ends[name.rpartition(".")[0]][end] += 1
            if end != "killed":
                print(f"{end}: {name}")
    return ends


def names(copy: Path, module: str) -> list[str]:
    """All mutants of a module, as mutmut numbers them."""
    meta = json.loads((copy / "mutants" / f"{module}.meta").read_text())
    return sorted(meta["exit_code_by_key"])


def drawn(mutants: list[str], sample: int) -> list[str]:
    """A sample, the same one every time."""
    if not sample or len(mutants) <= sample:
        return mutants
    return sorted(random.Random(20200705).sample(mutants, sample))


def make_copy(copy: Path, modules: list[str], tests: list[str]) -> None:
    """What git knows of this checkout, with mutmut's settings."""
    shutil.rmtree(copy, ignore_errors=True)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if not name.startswith("reports/evidence/"):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    for module in modules:
        (copy / module).write_text(undecorated((copy / module).read_text()))
    settings = {
        "source_paths": ["simclr", "stages", "reports", "common"],
        "only_mutate": modules,
        "pytest_add_cli_args_test_selection": tests,
        "pytest_add_cli_args": ["-p", "no:cacheprovider", "-m", "not slow", "-k", WITHOUT],
        "also_copy": [
            "params",
            "data",
            "workflows",
            "docs",
            "dvc.yaml",
            "Snakefile",
            "Makefile",
            "FIDELITY.md",
        ],
        "track_dependencies": False,
        "use_git_change_detection": False,
    }
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in settings.items())
    with open(copy / "pyproject.toml", "a") as file:
        file.write(f"\n[tool.mutmut]\n{lines}\n")


def undecorated(text: str) -> str:
    """The module with its configurable functions registered by calls at its end."""
    calls = "".join(f"{name} = gin.configurable({name})\n" for _, name in CONFIGURABLE.findall(text))
    changed = CONFIGURABLE.sub(r"\1", text) + (f"\n\n{calls}" if calls else "")
    ast.parse(changed)
    return changed


if __name__ == "__main__":
    sys.exit(main())
