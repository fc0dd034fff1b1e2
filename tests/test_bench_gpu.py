"""What is to be measured on a GPU is rehearsed on the CPU: every part at tiny size, and what the script writes."""

import importlib
import json

import numpy as np
import pytest
import torch
import torch.distributed as dist

from tests.bench import gpu
from tests.bench.on_gpu.setting import Setting, seconds_of


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A folder as `prepare` leaves one, with a few images."""
    folder, random = tmp_path_factory.mktemp("prepared"), np.random.default_rng(0)
    for split, n in {"train": 64, "test": 32}.items():
        np.save(folder / f"{split}.images.npy", random.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8))
        np.save(folder / f"{split}.labels.npy", np.arange(n) % 10)
    return folder


@pytest.mark.parametrize("name", gpu.PARTS)
def test_a_part_runs_at_tiny_size_and_what_it_compares_agrees(name, prepared):
    module, function, _ = gpu.PARTS[name]
    part = getattr(importlib.import_module(f"tests.bench.on_gpu.{module}"), function)
    found = part(Setting("cpu", True, prepared))
    assert found.get("holds", True), found
    assert "error" not in json.dumps(found).replace("error_over_bound", "").replace("largest_error", "")
    json.dumps(found, allow_nan=False)


def test_processes_that_exchange_stop_together_whatever_their_clocks_say(in_processes):
    def work(rank):
        calls = torch.zeros(())

        def exchange():
            dist.all_reduce(torch.ones(1))
            calls.add_(1)

        seconds_of(exchange, "cpu", [0.05, 0.5][rank])
        return calls

    first, second = in_processes(2, work)
    assert first == second > 3


def test_the_parts_take_less_than_twelve_minutes():
    assert sum(limit for _, _, limit in gpu.PARTS.values()) < 12 * 60


def test_what_is_known_is_written_and_what_fails_is_told(tmp_path, capsys):
    out = tmp_path / "gpu.json"
    arguments = [
        "--device",
        "cpu",
        "--tiny",
        "--out",
        str(out),
        "--part",
        "knn",
        "--data",
        str(tmp_path / "none"),
    ]
    assert gpu.main(arguments) == 1
    assert "FileNotFoundError" in json.loads(out.read_text())["knn"]["error"]
    assert "wrong: knn" in capsys.readouterr().out
    assert gpu.main(arguments[:-2]) == 0
    assert "not measured" in json.loads(out.read_text())["knn"]
