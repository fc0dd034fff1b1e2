"""The price of runs on named hardware, before anybody pays it: GPUs, memory, hours, storage.

A run gets the smallest power of two of processes for which a share of the batch fits the memory of one GPU. Weights,
gradients, momentum, the views, and what the backward pass keeps of each view are counted. The allocator and the kernels
need room too; a tenth of the memory is left for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from common import schemas
from common.errors import UserError
from common.names import nearest
from stages.planning.cost import FROZEN, TRAINED, cost_of, network_in, work_in
from stages.planning.network import Network
from stages.planning.runs import Run
from stages.planning.work import Work

PATH = Path("params") / "hardware.yaml"
GB = 1e9
USABLE = 0.9
ELEMENT = {"float32": 4, "bfloat16": 2, "float64": 8}  # bytes of a number that is kept for the backward pass
PART = 500  # images at most that pass forwards at once where nothing is kept: simclr.evaluation.BATCH
STORED = 4  # bytes of a weight


@dataclass(frozen=True)
class Hardware:
    """One entry of params/hardware.yaml."""

    name: str
    memory: float
    node: int
    nodes: int
    peak: dict[str, float]
    used: dict[str, float]
    takes: Mapping[str, float] = field(default_factory=dict)
    holds: Mapping[str, float] = field(default_factory=dict)

    @property
    def unit(self) -> str:
        """What a process has: a GPU, or a core if the entry says what takes time besides operations."""
        return "core" if self.takes else "GPU"

    @property
    def most(self) -> int:
        """The most GPUs that one run may have."""
        return self.node * self.nodes

    def held(self, used: float) -> float:
        """Bytes that a process holds which uses so many at once: what it freed and keeps for the next step, too."""
        return self.holds.get("times", 1.0) * used + self.holds.get("gigabytes", 0.0) * GB if used else 0.0

    def rate(self, precision: str) -> float:
        """Floating-point operations per second of one GPU."""
        return self.peak[precision] * 1e12 * self.used[precision]


@dataclass(frozen=True)
class Price:
    """What one run takes: GPUs and nodes, bytes on each GPU, GPU-hours, and bytes that stay on disk."""

    gpus: int
    nodes: int
    memory: float
    gpu_hours: float
    storage: float
    fits: bool

    @property
    def hours(self) -> float:
        """Wall time in hours, if the run has its GPUs for itself."""
        return self.gpu_hours / self.gpus


def hardware_named(name: str | None = None) -> Hardware:
    """The entry of params/hardware.yaml with this name; without a name the first. UserError for an unknown one."""
    declared, _ = schemas.read_checked(PATH, "hardware")
    name = name or next(iter(declared))
    if name not in declared:
        raise UserError(
            f"unknown hardware `{name}`{nearest(name, declared)}",
            expected=", ".join(declared),
            found=name,
            where=PATH,
            remedy="name one of them, or add an entry for yours: the comment at the top of the file says what it holds",
        )
    return Hardware(name, **declared[name])


def price_of(run: Run, hardware: Hardware) -> Price:
    """The price of one run. `fits` is False if not even all GPUs of the hardware hold it."""
    work, network, precision = work_in(run), network_in(run), precision_of(run)
    gpus = processes_of(run, hardware)
    memory = hardware.held(memory_of(work, network, precision, gpus)) if network else 0.0
    hours = seconds_on(run, hardware) / 3600
    storage = work.keeps * STORED * network.parameters if network else 0.0
    fits = memory <= USABLE * hardware.memory * GB and gpus <= hardware.most
    nodes = run.bindings.get("execution.nodes", -(-gpus // hardware.node))
    return Price(gpus, nodes, memory, hours, storage, fits)


def seconds_on(run: Run, hardware: Hardware) -> float:
    """Seconds of one GPU, or CPU seconds of one core: operations at the rate of the hardware, and what else takes time.

    On a core, memory and Python limit small networks. Hence the terms for bytes, for images and for updates.
    """
    cost, work, network = cost_of(run), work_in(run), network_in(run)
    seconds = cost.flops / hardware.rate(precision_of(run))
    if takes := hardware.takes:
        kept = network.kept_bytes(ELEMENT[precision_of(run)]) / GB if network else 0.0
        seconds += takes["run"] + takes["image"] * cost.images
        seconds += takes["update"] * (work.trained / (work.batch * work.views) if work.batch else 0.0)
        seconds += takes["gigabyte"] * kept * (TRAINED * work.trained + FROZEN * work.frozen)
    return seconds


def processes_of(run: Run, hardware: Hardware) -> int:
    """`execution.processes` over all nodes as declared, or the smallest power of two whose share of the batch fits."""
    network, work, processes = network_in(run), work_in(run), 1
    if declared := run.bindings.get("execution.processes"):
        return declared
    if network is None:
        return 1
    while 2 * processes <= hardware.most and work.batch and work.batch % (2 * processes) == 0:
        if (
            hardware.held(memory_of(work, network, precision_of(run), processes))
            <= USABLE * hardware.memory * GB
        ):
            break
        processes *= 2
    return processes


def precision_of(run: Run) -> str:
    """The declared precision, or float32 if a stage declares none."""
    return run.bindings.get("execution.precision", "float32")


def memory_of(work: Work, network: Network, precision: str, processes: int) -> float:
    """Bytes that are in use at once on the fullest of so many GPUs."""
    element, parameters = ELEMENT[precision], network.parameters
    weights = max(4, element) * parameters
    copies = 2 * parameters if precision == "bfloat16" else 0  # autocast keeps weights in both precisions
    view = 3 * network.size**2 * max(4, element)
    vectors = 4 * work.vectors * network.features
    if not work.batch:
        batch = work.frozen_batch / processes
        return weights + copies + vectors + batch * view + min(batch, PART) * element * network.passing
    return (
        3 * weights
        + copies
        + vectors
        + work.batch * work.views / processes * (network.kept_bytes(element) + view)
    )
