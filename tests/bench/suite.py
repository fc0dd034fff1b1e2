"""The whole suite in fresh clones: from nothing by either engine, one exhibit alone, and with nothing left to do.

A clone has what is committed here. Both engines take turns; the last round is left out if it would take longer than
the minutes there are.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import machine
from tests.bench import drawing
from tests.bench.findings import Finding

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
ENGINES = {
    "snakemake": [sys.executable, "-m", "snakemake", "--cores", "all", "--", "reports"],
    "dvc": [sys.executable, "-m", "dvc", "repro"],
}
# Of the graph itself: the stages of single exhibits, in workflows/dvc.yaml, are only known when they were called.
STATUS = [sys.executable, "-m", "dvc", "status", "dvc.yaml"]
NOTHING = {"snakemake": "Nothing to be done", "dvc": "up to date", "dvc status": "up to date"}
ALONE = {"snakemake": ENGINES["snakemake"][:-1], "dvc": [*ENGINES["dvc"]]}
EXHIBIT = "figure_b4"
MINUTES = 16.0  # for runs from nothing
LOOKS = 3
SMALL_STAGES = {"logistic": "L-BFGS path, with the features it reads", "tsne": "t-SNE, with its features"}


def row(rounds: int, seconds: float) -> list[Finding]:
    """Scale smoke."""
    began, taken, shares, idle = time.perf_counter(), [], {}, {}
    with tempfile.TemporaryDirectory() as folder:
        while len(taken) < min(rounds, 2):
            clones = {engine: clone(Path(folder, f"{engine}{len(taken)}")) for engine in ENGINES}
            taken.append({engine: from_nothing(engine, clones[engine]) for engine in ENGINES})
            shares = shares_of(clones["snakemake"], taken[-1]["snakemake"])
            idle = nothing_left(clones)
            each = (time.perf_counter() - began) / len(taken)
            if time.perf_counter() - began + each > 60 * MINUTES:
                break
        alone = {engine: others_done(engine, clone(Path(folder, f"alone_{engine}"))) for engine in ENGINES}
    whole = statistics.median(each["snakemake"] for each in taken)
    times = {f"{engine}, min": [each[engine] / 60 for each in taken] for engine in ENGINES}
    over = statistics.median(each["dvc"] / each["snakemake"] for each in taken)
    outside = 100 - sum(share for name, share in shares.items() if name.startswith("runs of"))
    found = [
        Finding(f"all exhibits at {drawing.SCALE} from nothing", whole / 60, "min", None, 4, times),
        Finding("of it core time outside runs", outside, "%", None, 15, shares),
        Finding("dvc repro from nothing, of make reports' time", over, "x", None, 1.25, times),
    ]
    for engine, count in alone.items():
        what = f"runs done for one exhibit alone ({EXHIBIT}) that are not its own, by {engine}"
        found.append(Finding(what, count, "runs", None, 0))
    found += idle_findings(idle, "smoke")
    for name in (*SMALL_STAGES.values(), "kNN", "verdicts with permutation tests", "drawing", "page"):
        found.append(Finding(f"{name}: share of the smoke run", shares[name], "%", None, 5))
    return found


def paper(rounds: int, seconds: float) -> list[Finding]:
    """Nothing to do at the paper's plan. Its runs are stood in for by folders with as many small files."""
    with tempfile.TemporaryDirectory() as folder:
        made = clone(Path(folder, "paper"))
        (made / "params/scale.yaml").write_text("scale: paper\n")
        call(made, [sys.executable, "-m", "stages", "plan", "--quiet", "--current"])
        call(made, [sys.executable, "-m", "tests.bench.stand_ins", "paper"])
        call(made, [sys.executable, "-m", "dvc", "commit", "--force", "--quiet"])
        return idle_findings(nothing_left(dict.fromkeys(ENGINES, made)), "paper")


def clone(folder: Path) -> Path:
    """A fresh clone with our environment."""
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder)], check=True)
    (folder / ".venv").symlink_to(BIN.parent)
    return folder


def call(folder: Path, command: list[str]) -> str:
    """What a command prints, run in a clone as make would; RuntimeError with its last lines if it fails."""
    done = subprocess.run(
        command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[1:])} in a clone:\n{done.stdout[-2000:]}")
    return done.stdout


def environment() -> dict[str, str]:
    """Ours, with the environment's programs first, and no search path that leads out of a clone."""
    names = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MAKEFLAGS")}
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return names | {"PATH": path, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONUTF8": "1"}


def from_nothing(engine: str, folder: Path) -> float:
    """Seconds of an engine's command in a fresh clone."""
    start = time.perf_counter()
    call(folder, ENGINES[engine])
    taken = time.perf_counter() - start
    print(f"  {engine} from nothing: {taken:.0f} s", flush=True)
    return taken


def shares_of(folder: Path, taken: float) -> dict[str, float]:
    """Percent of the core time of a whole call: the runs of each stage, by their records, and the steps after them."""
    whole = taken * machine.cores()
    found = {f"runs of {stage}": each for stage, each in run_seconds(folder).items()}
    found |= {name: found[f"runs of {stage}"] for stage, name in SMALL_STAGES.items()}
    found["kNN"] = neighbour_seconds() * len(list(store(folder).glob("linear_eval/*")))
    tools = drawing.pages()
    found |= {
        "verdicts with permutation tests": tools["verdict"],
        "drawing": tools["draw"] * machine.cores(),  # it has all of them
        "page": tools["index"],
    }
    return {name: 100 * each / whole for name, each in found.items()}


def run_seconds(folder: Path) -> dict[str, float]:
    """Of all runs of each stage."""
    found: dict[str, float] = {}
    for path in sorted(store(folder).glob("*/*/record.json")):
        stage = path.parts[-3]
        found[stage] = found.get(stage, 0.0) + json.loads(path.read_bytes())["seconds"]
    return found


def store(folder: Path) -> Path:
    """Where the finished runs of a clone are."""
    return folder / "results" / drawing.SCALE / "store"


def neighbour_seconds() -> float:
    """Of the classifier of one linear evaluation at scale smoke: 5,000 features of 32 numbers, 1,000 queries."""
    import torch

    from simclr.knn import knn_scores

    bank, labels = torch.randn(5000, 32), torch.arange(5000) % 10
    start = time.perf_counter()
    knn_scores(bank.split(500), labels, torch.randn(1000, 32), 10, k=200, temperature=0.1)
    return time.perf_counter() - start


def others_done(engine: str, folder: Path) -> int:
    """How many runs lie in the store of a fresh clone, after one exhibit, that are not its own."""
    target = EXHIBIT if engine == "snakemake" else f"workflows/dvc.yaml:{EXHIBIT}"
    call(folder, [*ALONE[engine], target])
    own = json.loads(call(folder, [sys.executable, "-m", "tests.bench.stand_ins", "--own", EXHIBIT]))
    done = {f"{path.parts[-2]}/{path.name}" for path in store(folder).glob("*/*") if path.is_dir()}
    if not done & set(own):
        raise RuntimeError(f"{engine} did no run of {EXHIBIT}")
    return len(done - set(own))


def nothing_left(clones: dict[str, Path]) -> dict[str, list[float]]:
    """Seconds of each engine's command, and of `dvc status`, where everything is there; several looks each."""
    found: dict[str, list[float]] = {name: [] for name in NOTHING}
    commands = {
        **{name: (clones[name], ENGINES[name]) for name in ENGINES},
        "dvc status": (clones["dvc"], STATUS),
    }
    for _ in range(LOOKS):
        for name, (folder, command) in commands.items():
            start = time.perf_counter()
            said = call(folder, command)
            found[name].append(time.perf_counter() - start)
            if NOTHING[name] not in said:
                raise RuntimeError(f"{name} found something to do:\n{said[-2000:]}")
    return found


def idle_findings(found: dict[str, list[float]], scale: str) -> list[Finding]:
    """How long each takes to see that nothing is left."""
    most = {"snakemake": 4, "dvc": 3, "dvc status": 3}
    names = {"snakemake": "snakemake", "dvc": "dvc repro", "dvc status": "dvc status"}
    return [
        Finding(f"nothing to do at {scale}: {names[name]}", statistics.median(looks), "s", None, most[name])
        for name, looks in found.items()
    ]
