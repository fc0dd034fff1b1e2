"""What a frozen vector knows of the transformation that its image went through (Table 3)."""

from __future__ import annotations

import gin
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simclr.heads import Dense
from simclr.metrics import accuracy
from simclr.randomness import permutation
from simclr.schedule import warmup_cosine
from simclr.sgd import Sgd
from simclr.views import ViewPolicy, rows_of

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
    represent: nn.Module, images: Tensor, operator: str, seed: int, purpose_epoch: int
) -> tuple[Tensor, Tensor]:
    """(features (n, d), targets int64 (n,)) of one view of each image under gin's ViewPolicy.

    The target is what `operator`, one of DRAWS, did: grey or not, the quarter turns, noise or not, Sobel or not.
    `purpose_epoch` addresses the draw. Raises ValueError if the operator is unknown or no part of the policy.
    """
    if operator not in DRAWS:
        raise ValueError(f"probing.operator must be one of {', '.join(DRAWS)}; found {operator!r}")
    policy, features, targets = ViewPolicy(), [], []
    for start in range(0, len(images), BATCH):
        index = torch.arange(start, min(start + BATCH, len(images)))
        views, drawn = policy.one(rows_of(images, index), index, purpose_epoch, seed, return_parameters=True)
        if DRAWS[operator] not in drawn:
            raise ValueError(
                f"ViewPolicy.ops draws no {DRAWS[operator]}, which probing.operator {operator!r} predicts"
            )
        features.append(represent(views.to(memory_format=torch.channels_last)))
        draw = drawn[DRAWS[operator]]
        targets.append(draw.long() // 90 if operator == "rotate" else draw.long())
    return torch.cat(features), torch.cat(targets).to(features[0].device)


class Probe:
    """A small MLP, d -> d -> classes with one ReLU, trained on frozen features (n, d) to predict targets (n,).

    The paper calls it an additional MLP and says no more: width, optimizer and the standardization of the features by
    their own mean and deviation are ours. Momentum SGD with a cosine schedule; resumable to the bit.
    """

    def __init__(
        self, features: Tensor, targets: Tensor, seed: int, batch_size: int, epochs: int, base_lr: float
    ) -> None:
        if not 0 < batch_size <= len(features):
            raise ValueError(
                f"batch_size must be between 1 and the {len(features)} images, found {batch_size}"
            )
        if epochs < 1:
            raise ValueError(f"epochs must be at least 1, found {epochs}")
        self.mean, self.deviation = features.mean(0), features.std(0).clamp_min(1e-6)
        self.features, self.targets, self.seed, self.batch_size = (
            self._standard(features),
            targets,
            seed,
            batch_size,
        )
        dim, classes = features.shape[1], int(targets.max()) + 1
        hidden, last = Dense(dim, dim, True, seed, "probe.0"), Dense(dim, classes, True, seed, "probe.1")
        # N(0, 0.01^2), as in the projection head, hardly moves in few steps: scaled to He's deviation.
        for layer in (hidden, last):
            layer.weight.data.mul_((2 / dim) ** 0.5 / 0.01)
        self.mlp = nn.Sequential(hidden, nn.ReLU(), last).to(features.device)
        self.optimizer = Sgd(self.mlp.named_parameters())
        self.steps_per_epoch = len(features) // batch_size
        self.total_steps, self.step_number, self._peak = (
            epochs * self.steps_per_epoch,
            0,
            base_lr * batch_size / 256,
        )

    def step(self) -> dict[str, Tensor]:
        """One update; returns its loss and its accuracy in percent."""
        epoch, place = divmod(self.step_number, self.steps_per_epoch)
        order = permutation(self.seed, "probe/order", epoch, len(self.features))
        index = order[place * self.batch_size :][: self.batch_size].to(self.features.device)
        logits = self.mlp(self.features[index])
        loss = F.cross_entropy(logits, self.targets[index])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step(warmup_cosine(self.step_number, self._peak, 0, self.total_steps))
        self.step_number += 1
        return {"loss": loss.detach(), "accuracy": accuracy(logits.detach().argmax(1), self.targets[index])}

    @torch.no_grad()
    def predict(self, features: Tensor) -> Tensor:
        """The most probable target (m,) of features (m, d)."""
        return self.mlp(self._standard(features)).argmax(dim=1)

    def state(self) -> dict[str, Tensor]:
        """Everything an exact continuation needs besides the features, as copies."""
        parts = {"mlp": self.mlp.state_dict(), "momentum": self.optimizer.state_dict()}
        state = {f"{part}.{name}": t.clone() for part, found in parts.items() for name, t in found.items()}
        return {**state, "step_number": torch.tensor(self.step_number)}

    def load(self, state: dict[str, Tensor]) -> None:
        """Continue where `state()` was taken."""

        def of(part: str) -> dict[str, Tensor]:
            return {name[len(part) + 1 :]: t for name, t in state.items() if name.startswith(f"{part}.")}

        self.mlp.load_state_dict(of("mlp"))
        self.optimizer.load_state_dict(of("momentum"))
        self.step_number = int(state["step_number"])

    def _standard(self, features: Tensor) -> Tensor:
        return (features - self.mean) / self.deviation


@gin.configurable
def probe_training(
    features: Tensor,
    targets: Tensor,
    seed: int,
    batch_size: int = gin.REQUIRED,
    epochs: int = gin.REQUIRED,
    base_lr: float = gin.REQUIRED,
) -> Probe:
    """The probe of Table 3; the rate is base_lr x batch_size / 256."""
    return Probe(features, targets, seed, batch_size, epochs, base_lr)
