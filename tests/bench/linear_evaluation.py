"""Linear evaluation beside the forward pass of its encoder alone, which it cannot beat: images per second and core."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import torch

from simclr.classification import linear_evaluation
from simclr.encoder import resnet
from simclr.precision import encoded
from tests.bench.contenders import Contender, interleaved, ratio
from tests.bench.findings import Finding
from tests.bench.training import IMAGES, WARM_UP, embedded, rate

BATCH, SIZE = 256, 16


def row(rounds: int, seconds: float) -> list[Finding]:
    """Scale reduced: ResNet-8 at 16 px, batches of 256."""
    both = {
        part: Contender(f"tests.bench.linear_evaluation:{part}", {"seconds": seconds / 2})
        for part in ("whole", "forward")
    }
    rates = interleaved(both, 2 * rounds)
    measured = {f"{part}, images/s": statistics.median(found) for part, found in rates.items()}
    value = 100 * ratio(rates["whole"], rates["forward"])
    what = "linear evaluation, of the encoder's own forward pass alone"
    because = "views, the classifier's step and its optimizer are the rest of a step of so small a network"
    return [Finding(what, value, "%", at_least=85, measured=measured, because=because)]


def whole(seconds: float) -> Callable[[], float]:
    """Measures training steps: views, features, classifier."""
    import gin

    from stages.planning.plans import read_plan
    from stages.running.job import bind

    torch.set_num_threads(1)
    import stages.linear_eval  # noqa: F401 - registers what the recipe binds

    bind(read_plan("table_05", "reduced").runs("linear_eval")[0])
    gin.bind_parameter("linear_evaluation.epochs", 10**6)
    labels = torch.arange(IMAGES) % 10
    training = linear_evaluation(_encoder(), embedded(), labels, 10, seed=0)
    for _ in range(WARM_UP):
        training.step()
    return lambda: rate(training.step, BATCH, seconds)


def forward(seconds: float) -> Callable[[], float]:
    """Measures the encoder alone on views that are there."""
    torch.set_num_threads(1)
    encoder = _encoder().eval().to(memory_format=torch.channels_last)
    views = torch.rand(BATCH, 3, SIZE, SIZE)

    @torch.no_grad()
    def step() -> None:
        encoded(encoder, views, "float32")

    for _ in range(WARM_UP):
        step()
    return lambda: rate(step, BATCH, seconds)


def _encoder() -> torch.nn.Module:
    return resnet(8, stem="cifar", base_channels=16)
