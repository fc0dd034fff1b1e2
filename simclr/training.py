"""Pretraining, one update at a time (Algorithm 1). Saving, logging and stopping are the caller's."""

from typing import Annotated

import gin
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simclr import losses
from simclr.declared import ModuleIn
from simclr.distributed import average_gradients, mean_over_processes, rank, world_size
from simclr.encoder import resnet
from simclr.heads import Dense, projection_head
from simclr.lars import Lars
from simclr.losses.statistics import contrastive_statistics
from simclr.randomness import permutation
from simclr.schedule import learning_rate
from simclr.views import Images, ViewPolicy, as_images, rows_of

losses.register()
DTYPES = {"float64": torch.float64, "float32": torch.float32, "bfloat16": torch.float32}  # of the parameters


class Networks(nn.Module):
    """Encoder f, projection head g and, optionally, a linear classifier that learns beside them."""

    def __init__(self, seed: int, n_classes: int = 0):
        super().__init__()
        self.encoder = resnet(seed=seed)
        self.head = projection_head(self.encoder.feature_dim, seed=seed)
        if n_classes:
            dim = self.encoder.feature_dim
            self.online_classifier = Dense(dim, n_classes, True, seed, "online_classifier")


@gin.configurable
class Pretraining:
    """SimCLR on a data set held in memory, resumable to the bit.

    images: uint8 (n, 3, H, W), a list of n uint8 images (3, h, w), or anything with len() n that gives one of
        these for an int64 index tensor.
    seed: of weights, order and views.
    batch_size: N, over all processes. epochs: passes over the data. base_lr, warmup_epochs, lr_scaling: see
        simclr.schedule. Views, encoder, head and optimizer take their own gin bindings.
    loss: the name of a module of simclr.losses, as "nt_xent"; bind temperature or margin there.
    loss_scale: factor on the contrastive loss, 1 for the paper's L, 2 for the official code. LARS hides it
        for adapted weights, but biases and batch norm learn at that many times the rate.
    online_classifier: a linear layer learns `labels` (int64 (n,), n_classes kinds) from both views' h behind
        a stop-gradient. As in the official code LARS neither adapts nor decays it, and its kernel has an l2
        penalty in the loss.
    precision: "float32", "bfloat16" (autocast of the forward pass, float32 parameters) or "float64" (tests).

    An epoch is n // batch_size updates over a fresh order of the images; the n % batch_size last ones of that
    order are left out. The rate follows the official schedule of n * epochs // batch_size + 1 updates, so the
    run ends before its very last, almost zero rates. With several processes each makes its slice of the
    batch, and the result is that of one process up to rounding.
    """

    def __init__(
        self,
        images: Images,
        seed: int,
        batch_size: int = gin.REQUIRED,
        epochs: int = gin.REQUIRED,
        base_lr: float = gin.REQUIRED,
        warmup_epochs: float = 10,
        lr_scaling: str = "linear",
        loss: Annotated[str, ModuleIn("simclr.losses")] = "nt_xent",
        loss_scale: float = 1.0,
        online_classifier: bool = False,
        labels: Tensor | None = None,
        n_classes: int | None = None,
        device: str | torch.device = "cpu",
        precision: str = "float32",
    ):
        _check(len(images), batch_size, epochs, precision, online_classifier, labels)
        self.images = images.to(device) if isinstance(images, Tensor) else as_images(images)
        self.labels = labels if online_classifier else None
        self.seed, self.batch_size, self.precision = seed, batch_size, precision
        self.device = torch.device(device)
        self.loss, self.loss_scale = loss, loss_scale
        self.objective = losses.loss_named(loss)
        self.views = ViewPolicy()
        self.networks = Networks(seed, (n_classes or 1 + int(labels.max())) if online_classifier else 0)
        self.encoder, self.head = self.networks.encoder, self.networks.head
        # In channels_last convolutions and batch norm are faster, on CPUs and on tensor cores.
        self.networks.to(self.device, DTYPES[precision], memory_format=torch.channels_last).train()
        self.optimizer = Lars(self.networks.named_parameters())
        self._schedule = {
            "base_lr": base_lr,
            "batch_size": batch_size,
            "n_examples": len(images),
            "epochs": epochs,
            "warmup_epochs": warmup_epochs,
            "scaling": lr_scaling,
        }
        learning_rate(0, **self._schedule)  # raises now if the settings make no schedule
        self.step_number = 0
        self.steps_per_epoch = len(images) // batch_size
        self.total_steps = epochs * self.steps_per_epoch
        self.pairs_per_step = batch_size
        self._order: tuple[int, Tensor] = (-1, torch.empty(0))

    def step(self) -> dict[str, Tensor]:
        """Make one update and return its scalars, measured before it: see `update`.

        Raises RuntimeError when all total_steps are done.
        """
        if self.step_number >= self.total_steps:
            raise RuntimeError(
                f"all {self.total_steps} updates are done; raise Pretraining.epochs to train on"
            )
        epoch, batch = divmod(self.step_number, self.steps_per_epoch)
        index = self._shuffled(epoch)[batch * self.batch_size :][: self.batch_size]
        index = index.chunk(world_size())[rank()]
        view_a, view_b = self.views(rows_of(self.images, index).to(self.device), index, epoch, self.seed)
        labels = None if self.labels is None else self.labels[index].to(self.device)
        return self.update(view_a, view_b, labels, learning_rate(self.step_number, **self._schedule))

    def update(self, view_a: Tensor, view_b: Tensor, labels: Tensor | None, lr: float) -> dict[str, Tensor]:
        """One update from this process's views, each (n, 3, size, size) in [0, 1], at learning rate lr.

        Returns scalars of the global batch, before the update: loss (the paper's L, whatever loss_scale),
        contrastive_accuracy (percent), entropy (nats), lr; with the online classifier also classifier_loss
        (cross entropy, nats) and classifier_top1 (percent, of augmented views). Gradients stay in the
        parameters.
        """
        self.optimizer.zero_grad()
        images = torch.cat([view_a, view_b]).to(DTYPES[self.precision], memory_format=torch.channels_last)
        # One forward over both views: batch norm sees 2N images, as in the official code.
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            h = self.encoder(images)
            z = self.head(h)
        za, zb = z.to(DTYPES[self.precision]).chunk(2)
        loss = self.objective(za, zb)
        metrics = {"loss": loss, **self._statistics(za, zb)}
        total = self.loss_scale * loss
        if labels is not None:
            more, classifier_loss = self._classify(h.detach().to(DTYPES[self.precision]), labels.repeat(2))
            metrics, total = metrics | more, total + classifier_loss
        total.backward()
        average_gradients(self.networks.parameters())
        self.optimizer.step(lr)
        self.step_number += 1
        means = mean_over_processes(torch.stack([m.detach() for m in metrics.values()])).unbind()
        return dict(zip(metrics, means, strict=True)) | {"lr": torch.tensor(lr)}

    def state(self) -> dict[str, Tensor]:
        """All that an exact resume needs, as contiguous copies: networks, momentum, number of the step.

        No generator state: draws are addressed by epoch, image and view.
        """
        copies = {k: v.clone(memory_format=torch.contiguous_format) for k, v in self._tensors().items()}
        return copies | {"step_number": torch.tensor(self.step_number)}

    def load(self, state: dict[str, Tensor]) -> None:
        """Continue from `state()` of a run with the same bindings.

        Raises ValueError when names or shapes differ, which means that the state belongs to another recipe.
        """
        tensors = self._tensors()
        expected = {name: tuple(t.shape) for name, t in tensors.items()} | {"step_number": ()}
        found = {name: tuple(t.shape) for name, t in state.items()}
        different = sorted(k for k in expected.keys() | found.keys() if expected.get(k) != found.get(k))
        if different:
            name = different[0]
            raise ValueError(
                f"this state is of another recipe: {len(different)} tensors differ, the first is {name!r}: "
                f"expected {expected.get(name, 'none')}, found {found.get(name, 'none')}"
            )
        for name, tensor in tensors.items():
            tensor.copy_(state[name])
        self.step_number = int(state["step_number"])

    def _tensors(self) -> dict[str, Tensor]:
        """The live tensors, not copies."""
        networks = {f"networks.{name}": value for name, value in self.networks.state_dict().items()}
        return networks | {f"momentum.{name}": value for name, value in self.optimizer.state_dict().items()}

    def _shuffled(self, epoch: int) -> Tensor:
        if self._order[0] != epoch:
            self._order = epoch, permutation(self.seed, "order", epoch, len(self.images))
        return self._order[1]

    def _statistics(self, za: Tensor, zb: Tensor) -> dict[str, Tensor]:
        # Temperature and normalization of the loss being trained, so that a recipe states them once.
        bound = gin.get_bindings(self.loss)
        accuracy, entropy = contrastive_statistics(
            za, zb, bound.get("temperature", 1.0), bound.get("l2_normalize", True)
        )
        return {"contrastive_accuracy": accuracy, "entropy": entropy}

    def _classify(self, h: Tensor, labels: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Metrics of the online classifier, and its loss with the l2 penalty that LARS leaves out."""
        classifier = self.networks.online_classifier
        logits = classifier(h)
        loss = F.cross_entropy(logits, labels)
        top1 = 100 * (logits.argmax(dim=1) == labels).to(logits.dtype).mean()
        penalty = 0.5 * self.optimizer.weight_decay * classifier.weight.square().sum()
        return {"classifier_loss": loss, "classifier_top1": top1}, loss + penalty


def _check(
    n: int,
    batch_size: int,
    epochs: int,
    precision: str,
    online_classifier: bool,
    labels: Tensor | None,
) -> None:
    if not 0 < batch_size <= n:
        raise ValueError(f"Pretraining.batch_size must be between 1 and the {n} images, found {batch_size}")
    if batch_size % world_size():
        raise ValueError(
            f"Pretraining.batch_size {batch_size} must be a multiple of the {world_size()} processes"
        )
    if epochs < 1:
        raise ValueError(f"Pretraining.epochs must be at least 1, found {epochs}")
    if precision not in DTYPES:
        raise ValueError(f"Pretraining.precision must be one of {sorted(DTYPES)}, found {precision!r}")
    if online_classifier and (labels is None or len(labels) != n):
        found = "none" if labels is None else len(labels)
        raise ValueError(
            f"Pretraining.online_classifier needs one label for each of the {n} images, found {found}"
        )
