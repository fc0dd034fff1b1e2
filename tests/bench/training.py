"""Our pretraining as a contender: the recipe of a scale, end to end, and its convolutions alone, for the limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from simclr.precision import DTYPES, autocast
from simclr.training import Pretraining
from stages.planning.plans import read_plan
from stages.running.job import bind

WARM_UP = 3
IMAGES = 10_000


def embedded(count: int = IMAGES, side: int = 32) -> Tensor:
    """Noise uint8 (count, 3, side, side): what is in a picture costs nothing."""
    return torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=torch.manual_seed(0))


def made(scale: str, precision: str, images: int = IMAGES, **different: float | int) -> Pretraining:
    """A pretraining by the recipe of `scale`; `different` are bindings, with _ for the dot: resnet_base_channels=32."""
    import stages.pretrain  # noqa: F401 - registers what the recipe binds

    run = read_plan("table_05", scale).runs("pretrain")[0]
    changed = {name.replace("_", ".", 1): value for name, value in different.items()}
    bind(type(run)(**{**vars_of(run), "bindings": run.bindings | changed}))
    torch.set_num_threads(1)
    return Pretraining(embedded(images), seed=0, precision=precision, epochs=10**6)


def vars_of(run: object) -> dict[str, object]:
    """The fields of a run, to make another from."""
    return {name: getattr(run, name) for name in run.__dataclass_fields__}


def ours(
    scale: str, precision: str, seconds: float, images: int = IMAGES, **different: float | int
) -> Callable[[], float]:
    """Measures image pairs per second of one process of one thread."""
    training = made(scale, precision, images, **different)
    for _ in range(WARM_UP):
        training.step()

    def measure() -> float:
        training.step()
        return rate(training.step, training.pairs_per_step, seconds)

    return measure


def rate(step: Callable[[], object], items: int, seconds: float) -> float:
    """Items per second of a step that makes so many, over as many steps as `seconds` need, two at least."""
    start, done = time.perf_counter(), 0
    while done < 2 or time.perf_counter() - start < seconds:
        step()
        done += 1
    return done * items / (time.perf_counter() - start)


def convolutions(scale: str, precision: str, seconds: float, **different: float | int) -> Callable[[], dict]:
    """Measures what the machine gives at the network's own shapes: its convolutions, forwards and backwards, alone.

    Returns pairs_per_second, were there nothing else to do, and gflops of one process.
    """
    training = made(scale, precision, **different)
    shapes = list(shapes_of(training))
    calls = [_call(module, shape, precision) for module, shape in shapes]
    operations = sum(flops(module, shape) for module, shape in shapes)
    for call in calls:
        call()

    def measure() -> dict[str, float]:
        pairs = rate(lambda: [call() for call in calls], training.pairs_per_step, seconds)
        return {"pairs_per_second": pairs, "gflops": pairs / training.pairs_per_step * operations / 1e9}

    return measure


def shapes_of(training: Pretraining) -> Iterator[tuple[nn.Conv2d, torch.Size]]:
    """The convolutions that one step calls, with the shape of what each gets."""
    found: list[tuple[nn.Conv2d, torch.Size]] = []
    with _hooks(training.encoder, lambda module, given, _: found.append((module, given[0].shape))):
        training.step()
    yield from found


@contextmanager
def _hooks(network: nn.Module, hook: Callable) -> Iterator[None]:
    placed = [m.register_forward_hook(hook) for m in network.modules() if isinstance(m, nn.Conv2d)]
    yield
    for each in placed:
        each.remove()


def _call(module: nn.Conv2d, shape: torch.Size, precision: str) -> Callable[[], None]:
    dtype = torch.bfloat16 if precision == "bfloat16" else DTYPES[precision]
    x = torch.randn(shape).to(dtype, memory_format=torch.channels_last)
    # Of the first layer nobody asks for the slope by the images.
    x.requires_grad_(shape[1] != 3)

    def call() -> None:
        with autocast(x.device, precision):
            out = module(x)
        out.backward(torch.ones_like(out), inputs=[module.weight, *([x] if x.requires_grad else [])])

    return call


def flops(module: nn.Conv2d, shape: torch.Size) -> float:
    """Operations of one call forwards and backwards."""
    height, width = (side // module.stride[0] for side in shape[2:])
    kernel = module.kernel_size[0] * module.kernel_size[1]
    forwards = 2 * shape[0] * height * width * kernel * module.in_channels * module.out_channels
    return forwards * (3 if shape[1] != 3 else 2)
