"""The price beside what was measured: CPU seconds of runs at two scales, and the memory of trainings, measured here.

measured_cpu.csv is what `python -m tests.bench.price` printed on the machine that params/hardware.yaml names CPU-core;
CPU time, because other programs ran beside it.
"""

import csv
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from stages import plan
from stages.planning.network import network_of
from stages.planning.plans import resolve
from stages.planning.price import hardware_named, memory_of, price_of
from stages.planning.work import Work

WITHIN, MEMORY_WITHIN = 0.3, 0.2
ROOT = Path(__file__).resolve().parents[3]
MEASURED = Path(__file__).with_name("measured_cpu.csv")
SOLVED = ("logistic", "tsne")  # their time is a solver's, which nobody counts: seconds a run
HEAVY = "autoaugment"  # Pillow, an image at a time: a training with it takes twice as long


def compared() -> dict[tuple[str, str], tuple[float, float]]:
    """{(scale, stage): (predicted, measured) CPU seconds of the runs that were measured}."""
    hardware, sums = hardware_named("CPU-core"), defaultdict(lambda: [0.0, 0.0])
    with open(MEASURED, newline="") as file:
        for row in csv.DictReader(file):
            runs = resolve(row["exhibit"], row["scale"]).runs(row["stage"])
            [run] = [run for run in runs if run.id == row["run"]]
            if HEAVY in run.bindings.get("ViewPolicy.ops", ()):
                continue
            both = sums[row["scale"], row["stage"]]
            both[0] += 3600 * price_of(run, hardware).hours
            both[1] += float(row["cpu_seconds"])
    return {key: (predicted, measured) for key, (predicted, measured) in sums.items()}


def test_predicted_seconds_are_within_a_third_of_the_measured_ones():
    found = compared()
    assert {scale for scale, _ in found} == {"smoke", "reduced"} and len(found) >= 12
    for scale in ("smoke", "reduced"):
        predicted, measured = (sum(both[k] for key, both in found.items() if key[0] == scale) for k in (0, 1))
        assert predicted == pytest.approx(measured, rel=WITHIN), scale
    for key, (predicted, measured) in found.items():
        if key[1] not in SOLVED:
            assert predicted == pytest.approx(measured, rel=WITHIN), key


TRAINING = """\
import sys, torch
from tests.bench.on_gpu.setting import Setting, a_pretraining
from tests.peak import peak_bytes
torch.set_num_threads(1)
def step(depth, stem, size, batch, channels):
    images = Setting("cpu", True).images(batch, size)
    a_pretraining(
        images, "cpu", depth, size=size, stem=stem, batch_size=batch, precision="float32", base_channels=channels
    ).step()
depth, stem, size, batch = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
step(depth, stem, size, 4, 4)
before = peak_bytes()
step(depth, stem, size, batch, 64)
print(peak_bytes() - before)
"""


@pytest.mark.parametrize(
    ("depth", "stem", "size", "batch"), [(18, "cifar", 32, 48), (50, "imagenet", 64, 32)]
)
def test_predicted_memory_is_within_a_fifth_of_a_childs_peak(depth, stem, size, batch):
    words = [sys.executable, "-c", TRAINING, str(depth), stem, str(size), str(batch)]
    # Freed buffers go back to the system, so that the peak is of what is held at once.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
    environment.pop("GLIBC_TUNABLES", None)  # a driver that ran in this process keeps freed memory
    said = subprocess.run(
        words, capture_output=True, text=True, check=True, timeout=300, env=environment, cwd=ROOT
    )
    network = network_of({"resnet.depth": depth, "resnet.stem": stem}, size)
    predicted = memory_of(Work(batch=2 * batch, size=size), network, "float32", 1)
    assert predicted == pytest.approx(int(said.stdout), rel=MEMORY_WITHIN)


@pytest.mark.parametrize(
    ("depth", "stem", "size", "batch", "channels", "steps"),
    [(18, "cifar", 32, 24, 64, 6), (50, "imagenet", 64, 32, 64, 5), (8, "cifar", 32, 128, 16, 8)],
)
def test_predicted_memory_of_a_core_is_within_a_fifth_of_what_a_child_of_the_driver_holds(
    depth, stem, size, batch, channels, steps
):
    """With the driver's own settings, under which a process keeps what it frees."""
    options = {
        "depth": depth,
        "stem": stem,
        "size": size,
        "batch": batch,
        "channels": channels,
        "steps": steps,
    }
    words = [sys.executable, "-m", "tests.stages.planning.training_child"]
    words += [f"--{name}={value}" for name, value in options.items()]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    environment.pop("GLIBC_TUNABLES", None)
    said = subprocess.run(
        words, capture_output=True, text=True, check=True, timeout=600, env=environment, cwd=ROOT
    )
    peaks = [int(peak) for peak in said.stdout.split()]
    assert len(peaks) == steps and peaks == sorted(peaks)
    bindings = {"resnet.depth": depth, "resnet.stem": stem, "resnet.base_channels": channels}
    used = memory_of(Work(batch=2 * batch, size=size), network_of(bindings, size), "float32", 1)
    assert hardware_named("CPU-core").held(used) == pytest.approx(peaks[-1], rel=MEMORY_WITHIN)


def test_a_machine_without_gpus_is_priced_in_cores(project, capsys):
    assert plan.main(["--cost", "--exhibit", "table_05", "--scale", "smoke", "--hardware", "CPU-core"]) == 0
    said = capsys.readouterr().out
    assert "measured on one core, in CPU time" in said and "core-hours" in said and "GPU-hours" not in said
    assert plan.main(["--cost", "--exhibit", "table_05", "--hardware", "cpu2"]) != 0
    assert "add an entry for yours" in capsys.readouterr().err
