"""What a frozen vector tells about the transformation of its image (Table 3)."""

from __future__ import annotations

from typing import Annotated

import gin
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simclr.batches import Batches
from simclr.declared import AtLeast
from simclr.distributed import average_gradients, mean_over_processes
from simclr.divergence import Watch
from simclr.heads import Dense
from simclr.metrics import accuracy
from simclr.optimizer import MakesOptimizer
from simclr.precision import DTYPES, encoded
from simclr.schedule import warmup_cosine
from simclr.sgd import Sgd
from simclr.views import Images, ViewPolicy, rows_of

# What the view policy calls the draw that is to be predicted.
DRAWS = {
    "grayscale": "color/grey",
    "rotate": "rotate/angle",
    "gaussian_noise": "gaussian_noise/applied",
    "sobel": "sobel/applied",
}
BATCH = 500


@torch.no_grad()
def transformed_features(
    represent: nn.Module,
    images: Images,
    operator: str,
    seed: int,
    purpose_epoch: int,
    *,
    views: ViewPolicy | None = None,
    precision: str = "float32",
) -> tuple[Tensor, Tensor]:
    """(features (n, d), targets int64 (n,)) of one view of each image under `views`, gin's ViewPolicy by default.

    The target is what `operator`, one of DRAWS, did: grey or not, the quarter turns, noise or not, Sobel or not.
    `purpose_epoch` addresses the draw. precision: see simclr.precision; `represent` is converted to it. Raises
    ValueError if the operator is unknown or no part of the policy.
    """
    if operator not in DRAWS:
        raise ValueError(f"probing.operator must be one of {', '.join(DRAWS)}; found {operator!r}")
    represent.to(DTYPES[precision])
    policy, features, targets = views or ViewPolicy(), [], []
    for start in range(0, len(images), BATCH):
        index = torch.arange(start, min(start + BATCH, len(images)))
        made, drawn = policy.one(rows_of(images, index), index, purpose_epoch, seed, return_parameters=True)
        if DRAWS[operator] not in drawn:
            raise ValueError(
                f"ViewPolicy.ops draws no {DRAWS[operator]}, which probing.operator {operator!r} predicts"
            )
        features.append(encoded(represent, made, precision))
        draw = drawn[DRAWS[operator]]
        targets.append(draw.long() // 90 if operator == "rotate" else draw.long())
    return torch.cat(features), torch.cat(targets).to(features[0].device)


class Probe:
    """A small MLP, d -> d -> classes with one ReLU, trained on frozen features (n, d) to predict targets (n,).

    The paper calls it an additional MLP and says no more: width, optimizer and the standardization of the features by
    their own mean and deviation are ours. Momentum SGD (gin's Sgd, unless `optimizer` makes another) with a cosine
    schedule, in the features' own precision; resumable to the bit. Updates raise simclr.divergence.Diverged as those of
    Classification do, and so does `predict`.
    """

    def __init__(
        self,
        features: Tensor,
        targets: Tensor,
        seed: int,
        batch_size: int,
        epochs: int,
        base_lr: float,
        *,
        optimizer: MakesOptimizer | None = None,
    ) -> None:
        self._batches = Batches("probe/order", len(features), batch_size)
        if epochs < 1:
            raise ValueError(f"epochs must be at least 1, found {epochs}")
        self.mean, self.deviation = features.mean(0), features.std(0).clamp_min(1e-6)
        self.features, self.targets = self._standard(features), targets
        self.seed, self.batch_size = seed, batch_size
        self.mlp = _mlp(features.shape[1], int(targets.max()) + 1, seed).to(features.device, features.dtype)
        self.optimizer = (optimizer or Sgd)(self.mlp.named_parameters())
        self._watch = Watch(self.mlp)
        self._peak = base_lr * batch_size / 256
        self.step_number, self.steps_per_epoch = 0, self._batches.per_epoch
        self.total_steps = epochs * self.steps_per_epoch

    def step(self) -> dict[str, Tensor]:
        """One update; returns its loss and its accuracy in percent."""
        _, index = self._batches.at(self.seed, self.step_number)
        index = index.to(self.features.device)
        logits = self.mlp(self.features[index])
        loss = F.cross_entropy(logits, self.targets[index])
        self.optimizer.zero_grad()
        loss.backward()
        average_gradients(self.mlp.parameters())
        self.optimizer.step(warmup_cosine(self.step_number, self._peak, 0, self.total_steps))
        self.step_number += 1
        own = {"loss": loss, "accuracy": accuracy(logits.detach().argmax(1), self.targets[index])}
        metrics = {name: mean_over_processes(value) for name, value in own.items()}
        self._watch.see(metrics["loss"], self.step_number, last=self.step_number == self.total_steps)
        return metrics

    @torch.no_grad()
    def predict(self, features: Tensor) -> Tensor:
        """The most probable target (m,) of features (m, d)."""
        scores = self.mlp(self._standard(features))
        return self._watch.require_finite(scores, self.step_number).argmax(dim=1)

    def state(self) -> dict[str, Tensor]:
        """Everything an exact continuation needs besides the features, as copies."""
        parts = {"mlp": self.mlp.state_dict(), "momentum": self.optimizer.state_dict()}
        state = {
            f"{part}.{name}": t.clone() for part, tensors in parts.items() for name, t in tensors.items()
        }
        return {**state, **self._watch.state(), "step_number": torch.tensor(self.step_number)}

    def load(self, state: dict[str, Tensor]) -> None:
        """Continue where `state()` was taken."""

        def of(part: str) -> dict[str, Tensor]:
            return {name[len(part) + 1 :]: t for name, t in state.items() if name.startswith(f"{part}.")}

        self.mlp.load_state_dict(of("mlp"))
        self.optimizer.load_state_dict(of("momentum"))
        self._watch.load(state)
        self.step_number = int(state["step_number"])

    def _standard(self, features: Tensor) -> Tensor:
        # In place: at ImageNet's size each copy takes ten gigabytes.
        return (features - self.mean).div_(self.deviation)


def _mlp(dim: int, classes: int, seed: int) -> nn.Sequential:
    hidden, last = Dense(dim, dim, True, seed, "probe.0"), Dense(dim, classes, True, seed, "probe.1")
    # N(0, 0.01^2), as in the projection head, hardly moves in few steps: scaled to He's deviation.
    for layer in (hidden, last):
        layer.weight.data.mul_((2 / dim) ** 0.5 / 0.01)
    return nn.Sequential(hidden, nn.ReLU(), last)


@gin.configurable(denylist=["optimizer"])
def probe_training(
    features: Tensor,
    targets: Tensor,
    seed: int,
    batch_size: Annotated[int, AtLeast(1)] = gin.REQUIRED,
    epochs: Annotated[int, AtLeast(1)] = gin.REQUIRED,
    base_lr: Annotated[float, AtLeast(0)] = gin.REQUIRED,
    *,
    optimizer: MakesOptimizer | None = None,
) -> Probe:
    """The probe of Table 3; the rate is base_lr x batch_size / 256."""
    return Probe(features, targets, seed, batch_size, epochs, base_lr, optimizer=optimizer)
