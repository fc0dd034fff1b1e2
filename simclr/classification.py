"""Training a classifier on images with labels: linear evaluation of a frozen encoder, and supervised baselines."""

from __future__ import annotations

import gin
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simclr.encoder import ResNet, resnet
from simclr.randomness import permutation
from simclr.schedule import peak_learning_rate, total_steps, warmup_cosine, warmup_steps
from simclr.sgd import Sgd
from simclr.views import Images, ViewPolicy, as_images, evaluation_view

EVALUATION_BATCH = 500
PHOTOGRAPHS = 100  # at a time: at their own size one may take megabytes


class Classification:
    """Softmax cross-entropy on one view per image, with momentum SGD and a cosine schedule.

    images: uint8 (n, 3, H, W), a list of uint8 (3, h, w), or what gives one of these for an int64 index tensor and has
    len() and `device`; labels: int64 (n,). With `frozen` the encoder stays in evaluation mode and outside the
    graph: neither its weights nor its batch-norm statistics change. The views come from gin's ViewPolicy; a batch that
    an epoch cannot fill is dropped, as in the official code.
    """

    def __init__(
        self,
        encoder: ResNet,
        images: Images,
        labels: Tensor,
        classes: int,
        seed: int,
        *,
        batch_size: int,
        epochs: int,
        warmup_epochs: float,
        base_lr: float,
        frozen: bool,
    ) -> None:
        if not 0 < batch_size <= len(images):
            raise ValueError(f"batch_size must be between 1 and the {len(images)} images, found {batch_size}")
        if epochs < 1:
            raise ValueError(f"epochs must be at least 1, found {epochs}")
        images = as_images(images)
        self.encoder = encoder.to(images.device, memory_format=torch.channels_last)
        self.images, self.labels, self.seed = images, labels, seed
        self.head = nn.Linear(encoder.feature_dim, classes).to(images.device)
        nn.init.zeros_(self.head.weight)  # the official --zero_init_logits_layer: no draw, no seed
        nn.init.zeros_(self.head.bias)
        self.frozen, self.batch_size, self.policy = frozen, batch_size, ViewPolicy()
        trained = {"head": self.head} if frozen else {"encoder": encoder, "head": self.head}
        self.optimizer = Sgd(
            [(f"{k}.{name}", p) for k, m in trained.items() for name, p in m.named_parameters()]
        )
        self.steps_per_epoch = len(images) // batch_size
        self.total_steps, self.step_number = epochs * self.steps_per_epoch, 0
        self._peak = peak_learning_rate(base_lr, batch_size)
        self._warmup = warmup_steps(len(images), warmup_epochs, batch_size)
        self._horizon = total_steps(len(images), epochs, batch_size)

    def step(self) -> dict[str, Tensor]:
        """One update; returns its loss and its accuracy in percent, on the training views."""
        if self.step_number >= self.total_steps:
            raise RuntimeError(f"all {self.total_steps} updates are done; bind more epochs to go on")
        epoch, place = divmod(self.step_number, self.steps_per_epoch)
        index = self._order(epoch)[place * self.batch_size : (place + 1) * self.batch_size]
        labels = self.labels[index.to(self.labels.device)]
        self.encoder.train(not self.frozen)
        views = self.policy.one(self.images[index.to(self.images.device)], index, epoch, self.seed)
        with torch.set_grad_enabled(not self.frozen):
            features = self.encoder(views.to(memory_format=torch.channels_last))
        logits = self.head(features)
        loss = F.cross_entropy(logits, labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step(warmup_cosine(self.step_number, self._peak, self._warmup, self._horizon))
        self.step_number += 1
        return {"loss": loss.detach(), "top1": top_k(logits.detach(), labels, 1)}

    @torch.no_grad()
    def logits(self, images: Images) -> Tensor:
        """Scores (n, classes) of uint8 images under the test preprocessing, encoder in evaluation mode.

        images: as for training; those of different sizes are read and preprocessed a part at a time.
        """
        self.encoder.eval()
        images, parts = as_images(images), []
        for batch in images.split(EVALUATION_BATCH if isinstance(images, Tensor) else PHOTOGRAPHS):
            view = evaluation_view(batch, self.policy.size).to(memory_format=torch.channels_last)
            parts.append(self.head(self.encoder(view)))
        return torch.cat(parts)

    def state(self) -> dict[str, Tensor]:
        """Everything an exact continuation needs, as copies."""
        parts = {"encoder": self.encoder.state_dict(), "head": self.head.state_dict()}
        parts["momentum"] = self.optimizer.state_dict()
        state = {f"{part}.{name}": t.clone() for part, found in parts.items() for name, t in found.items()}
        return {**state, "step_number": torch.tensor(self.step_number)}

    def load(self, state: dict[str, Tensor]) -> None:
        """Continue where `state()` was taken."""
        of = {
            part: {
                name.removeprefix(f"{part}."): t for name, t in state.items() if name.startswith(f"{part}.")
            }
            for part in ("encoder", "head", "momentum")
        }
        self.encoder.load_state_dict(of["encoder"])
        self.head.load_state_dict(of["head"])
        self.optimizer.load_state_dict(of["momentum"])
        self.step_number = int(state["step_number"])

    def _order(self, epoch: int) -> Tensor:
        return permutation(self.seed, "classification/order", epoch, len(self.images))


@gin.configurable
def linear_evaluation(
    encoder: ResNet,
    images: Images,
    labels: Tensor,
    classes: int,
    seed: int,
    batch_size: int = gin.REQUIRED,
    epochs: int = gin.REQUIRED,
    base_lr: float = gin.REQUIRED,
) -> Classification:
    """Appendix B.6: a linear classifier on the frozen h; Nesterov momentum, no warm-up, crop and flip only.

    The rate is base_lr x batch_size / 256 (0.1 in the paper, 90 epochs at batch size 4096).
    """
    settings = {"batch_size": batch_size, "epochs": epochs, "base_lr": base_lr}
    encoder.requires_grad_(False)
    return Classification(encoder, images, labels, classes, seed, warmup_epochs=0, frozen=True, **settings)


@gin.configurable
def supervised(
    images: Images,
    labels: Tensor,
    classes: int,
    seed: int,
    batch_size: int = gin.REQUIRED,
    epochs: int = gin.REQUIRED,
    base_lr: float = gin.REQUIRED,
    warmup_epochs: float = gin.REQUIRED,
) -> Classification:
    """The supervised baseline: the same encoder and augmentation, trained with labels from scratch (Table 1, B.3)."""
    settings = {
        "batch_size": batch_size,
        "epochs": epochs,
        "base_lr": base_lr,
        "warmup_epochs": warmup_epochs,
    }
    return Classification(resnet(seed=seed), images, labels, classes, seed, frozen=False, **settings)


def top_k(logits: Tensor, labels: Tensor, k: int) -> Tensor:
    """Share of rows (n, classes) whose label (n,) is among the k highest scores, in percent (float64 scalar).

    Ties count as the index order of torch.topk has it; scores that are all equal say nothing.
    """
    best = logits.topk(k, dim=1).indices
    return (best == labels[:, None]).any(dim=1).double().mean() * 100
