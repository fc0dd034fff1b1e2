"""A run of several processes: how it is started, that it is the run of one process, and what a kill of one costs."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch

from common import files
from common.errors import UserError
from stages.planning import plans
from stages.planning.plans import Run
from stages.running import rank, ranks, store
from tests.stages import tiny
from tests.stages.running.test_driver import ENVIRONMENT, prepare, ran, replan, stages

RUN = Run("figure_09", "paper", "pretrain", "batch_size1-seed0", 0, {}, {})
WHICH = ["-m", "stages.running.rank", "results", "paper", "figure_09", "pretrain", "batch_size1-seed0"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--max-restarts", "0", "--nproc-per-node"]
# What Slurm says to the shell of `salloc`, to a batch script or what srun starts, and what Snakemake's executor leaves.
SALLOC = {"SLURM_JOB_ID": "77", "SLURM_JOB_NODELIST": "gpu[03-18]", "SLURM_SUBMIT_HOST": "login"}
BATCH = {**SALLOC, "SLURMD_NODENAME": "gpu03"}
EXECUTOR = {"SLURM_JOB_ID": "77"}


def step(nodes: int) -> list[str]:
    """What starts one torchrun on each of several nodes."""
    where = [f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", "--overlap"]
    return ["srun", *where, "--cpu-bind=none", "--kill-on-bad-exit=1", "env", "--ignore-signal=USR1"]


def over(nodes: int, first: str = "gpu03") -> list[str]:
    """What starts 8 processes on each of several nodes."""
    rendezvous = ["--rdzv-backend", "c10d", "--rdzv-id", "77", "--rdzv-endpoint", f"{first}:29577"]
    return [*step(nodes), *TORCHRUN, "8", "--nnodes", str(nodes), *rendezvous, *WHICH]


@pytest.mark.parametrize(
    ("nodes", "environment", "expected"),
    [
        (1, {}, [*TORCHRUN, "8", "--standalone", *WHICH]),
        (1, SALLOC, [*step(1), *TORCHRUN, "8", "--standalone", *WHICH]),
        (1, BATCH, [*TORCHRUN, "8", "--standalone", *WHICH]),
        (2, BATCH, over(2)),
        (16, SALLOC, over(16)),
        (16, EXECUTOR, over(16, first=socket.gethostname())),
    ],
)
def test_how_the_ranks_are_started(nodes, environment, expected):
    assert ranks.command_of(RUN, Path("results"), 8 * nodes, nodes, environment) == expected


@pytest.mark.parametrize(
    ("listed", "first"), [("vm", "vm"), ("a1,a2", "a1"), ("gpu[07,09-11],cpu1", "gpu07"), ("n-[1-2]", "n-1")]
)
def test_the_ranks_meet_on_the_first_node_of_the_job(listed, first):
    said = {**SALLOC, "SLURM_JOB_NODELIST": listed}
    assert f"{first}:29577" in ranks.command_of(RUN, Path("results"), 2, 2, said)


def test_processes_that_do_not_divide_among_the_nodes_are_refused():
    with pytest.raises(ValueError, match="do not divide"):
        ranks.command_of(RUN, Path("results"), 6, 4, BATCH)


def told(kind: str, content: object) -> str:
    return f"{ranks.MESSAGE}{json.dumps((kind, content))}\n"


def test_the_first_failure_of_any_rank_is_how_the_run_ended():
    lines = ["a library's word\n", told("progress", (3, 10)), told("end", "a photograph is damaged")]
    # The others then miss its answers, and are stopped.
    heard, said = [], [told("end", "the connection was closed"), told("end", "stopped")]
    outcome = ranks._listen([*lines, *said], lambda *progress: heard.append(progress))
    assert outcome == "a photograph is damaged" and heard == [(3, 10)]
    assert ranks._listen([*said[1:], *lines], lambda *_: None) == "a photograph is damaged"
    assert ranks._listen([told("end", "finished")], lambda *_: None) == "finished"
    assert ranks._listen(["a traceback\n"], lambda *_: None) is None


@pytest.mark.parametrize("number", [0, 3])
def test_a_failure_of_any_rank_is_told(monkeypatch, capsys, number):
    """A damaged photograph is met by one rank alone; that it ended well is said once."""
    handlers = {each: signal.getsignal(each) for each in (signal.SIGTERM, ranks.STOP_THROUGH_SRUN)}
    for name, value in {"get_rank": lambda: number, "init_process_group": lambda *_, **__: None}.items():
        monkeypatch.setattr(rank.dist, name, value)
    monkeypatch.setattr(rank.dist, "destroy_process_group", lambda: None)
    monkeypatch.setattr(rank.threading.Thread, "start", lambda self: None)
    monkeypatch.setattr(rank, "read_plan", lambda *_: Mock(runs=lambda _: [RUN]))
    try:
        for outcome, status in {"a photograph is damaged": 1, "stopped": 0, "finished": 0}.items():
            monkeypatch.setattr(rank, "_attempt", lambda *_, outcome=outcome: outcome)
            assert rank.main("results", RUN.scale, RUN.exhibit, RUN.stage, RUN.id) == status
            assert capsys.readouterr().out == (told("end", outcome) if status or number == 0 else "")
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)


@pytest.mark.parametrize(
    ("bound", "visible", "expected"),
    [
        ({}, 0, (1, 1)),
        ({"execution.processes": 4, "execution.nodes": 2}, 0, (4, 2)),
        ({"execution.processes": 16}, 8, (16, 2)),  # as its job asks: two nodes of 8
        ({"execution.processes": 16}, 16, (16, 1)),
        ({"execution.processes": 1}, 8, (1, 1)),
        ({"execution.processes": 8, "execution.nodes": 2}, 8, (8, 2)),
    ],
)
def test_a_run_takes_what_its_job_asks_for(data, monkeypatch, bound, visible, expected):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(visible))))
    run = tiny.a_run("gradients")
    run.bindings.update(bound)
    assert ranks.processes_and_nodes(run) == expected


def test_the_environment_names_the_hardware_of_the_nodes(data, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setenv(ranks.HARDWARE, "none of them")
    with pytest.raises(UserError, match="unknown hardware"):
        ranks.processes_and_nodes(tiny.a_run("gradients"))


@pytest.fixture
def exact(project, edit):
    """Table 5 with one run of 20 updates in float64; `processes(n)` says by how many."""
    recipe = "params/recipes/pretrain_smoke.gin"
    edit(recipe, "dataset.limit = 2000", "dataset.limit = 160")
    edit(recipe, "Pretraining.batch_size = 128", "Pretraining.batch_size = 32")
    edit(recipe, "Pretraining.epochs = 3", "Pretraining.epochs = 4")
    edit(recipe, "execution.precision = 'float32'", "execution.precision = 'float64'")
    edit("params/exhibits/table_05.yaml", "    - 0.05\n    - 0.1\n    - 0.5\n    - 1.0\n", "    - 0.5\n")
    edit("params/exhibits/table_05.yaml", "    - 10.0\n    - 100.0\n", "    - 10.0\n")
    with open(recipe, "a") as file:
        file.write("execution.processes = 1\n")
    for path in Path("params/exhibits").glob("*.yaml"):
        if path.stem != "table_05":
            path.unlink()
    replan()
    prepare()

    def processes(n: int, minutes: float = 5.0) -> Run:
        text = Path(recipe).read_text()
        head, _, _ = text.rpartition("execution.processes")
        Path(recipe).write_text(f"{head}execution.processes = {n}\n")
        edit(recipe, _minutes(Path(recipe)), f"execution.checkpoint_minutes = {minutes}")
        replan()
        return plans.read_plan("table_05", "smoke").runs("pretrain")[0]

    return processes


def _minutes(path: Path) -> str:
    found = [
        line for line in path.read_text().splitlines() if line.startswith("execution.checkpoint_minutes")
    ]
    if not found:
        path.write_text("execution.checkpoint_minutes = 5.0\n" + path.read_text())
        return "execution.checkpoint_minutes = 5.0"
    return found[0]


RUN_ONE = ("pretrain", "--sweep", "table_05", "--run", "part1-l2_norm1-temperature1-seed0")


def weights(results: str, run: Run) -> dict[str, torch.Tensor]:
    return files.read_tensors(store.store_folder(Path(results), run) / "weights.safetensors")


def share_data(results: str) -> None:
    Path(results, "smoke").mkdir(parents=True)
    Path(results, "smoke", "data").symlink_to(Path("results/smoke/data").resolve())


def assert_equal(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(
            found[name], tensor, rtol=1e-10, atol=1e-12, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.slow
def test_any_number_of_processes_gives_the_run_of_one_and_goes_on_from_the_others_checkpoint(exact):
    run = exact(1)
    assert ran(stages(*RUN_ONE)).endswith("ran 1 of 1 runs")
    alone = weights("results", run)
    share_data("two")
    assert exact(2).fingerprint == run.fingerprint
    assert ran(stages(*RUN_ONE, "--results", "two")).endswith("ran 1 of 1 runs")
    assert_equal(weights("two", run), alone)
    record = json.loads((store.store_folder(Path("two"), run) / "record.json").read_text())
    assert record["processes"] == 2
    share_data("broken")
    kill_a_rank(exact(2, minutes=0.0), "broken")
    exact(1)
    assert ran(stages(*RUN_ONE, "--results", "broken")).endswith("ran 1 of 1 runs")
    assert_equal(weights("broken", run), alone)


def kill_a_rank(run: Run, results: str, words: tuple[str, ...] = RUN_ONE) -> None:
    """SIGKILL of rank 1 after the first checkpoint: a clear error, soon, and nobody is left."""
    command = [sys.executable, "-m", "stages", *words, "--results", results]
    driver = subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    checkpoint = store.partial_folder(Path(results), run) / "checkpoint.safetensors"
    until = time.monotonic() + 120
    while not checkpoint.exists() and time.monotonic() < until:
        time.sleep(0.01)
    os.kill(max(rank_processes(results)), signal.SIGKILL)
    _, said = driver.communicate(timeout=120)
    assert driver.returncode == 1 and "ended without a word" in said and "ranks.log" in said
    assert "Traceback" not in said and not rank_processes(results)


def rank_processes(results: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if (
            b"stages.running.rank" in words
            and results.encode() in words
            and b"torch.distributed.run" not in words
        ):
            found.append(int(path.parent.name))
    return found
