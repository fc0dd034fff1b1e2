"""Pretraining, one update at a time (Algorithm 1). Saving, logging and stopping are the caller's."""

import inspect
from collections.abc import Callable
from typing import Annotated

import gin
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simclr import losses
from simclr.batches import Batches
from simclr.declared import Above, AtLeast, ModuleIn, OneOf
from simclr.distributed import average_gradients, mean_over_processes
from simclr.divergence import Diverged, Watch
from simclr.encoder import resnet
from simclr.heads import Dense, projection_head
from simclr.lars import Lars
from simclr.losses.statistics import contrastive_statistics
from simclr.optimizer import MakesOptimizer
from simclr.precision import DTYPES, encoded, require_precision
from simclr.schedule import learning_rate
from simclr.views import ImageCollection, ImageFeed, ViewPolicy, as_images
from simclr.wrapped import feature_dim, not_averaged, wrapped

__all__ = ["Diverged", "Loss", "Networks", "Pretraining"]
Loss = Callable[[Tensor, Tensor], Tensor]  # of za and zb, (n, d) each
losses.register()


class Networks(nn.Module):
    """Encoder f, projection head g, and optionally a linear classifier that learns beside them."""

    def __init__(self, encoder: nn.Module, head: nn.Module, seed: int, n_classes: int = 0):
        super().__init__()
        self.encoder, self.head = encoder, head
        if n_classes:
            dim = feature_dim(encoder)
            self.online_classifier = Dense(dim, n_classes, True, seed, "online_classifier")


@gin.configurable(denylist=["views", "encoder", "head", "optimizer"])
class Pretraining:
    """SimCLR on a data set held in memory, resumable to the bit.

    images: uint8 (n, 3, H, W), a list of n uint8 images (3, h, w), or another simclr.views.ImageCollection.
    seed: of weights, order and views.
    batch_size: N, over all processes. epochs: passes over the data. base_lr, warmup_epochs, lr_scaling: see
        simclr.schedule.
    loss: a function of za and zb, (n, d) each, to be minimized, as partial(nt_xent, temperature=0.5); or the name of
        a module of simclr.losses, as "nt_xent", whose temperature or margin gin binds.
    loss_scale: factor on the contrastive loss, 1 for the paper's L, 2 for the official code. LARS hides it
        for adapted weights, but biases and batch norm learn at that many times the rate.
    online_classifier: a linear layer learns `labels` (int64 (n,), n_classes kinds) from both views' h behind
        a stop-gradient. As in the official code LARS neither adapts nor decays it, and its kernel has an l2
        penalty in the loss.
    precision: "float32" (as the official code), "bfloat16" (the encoder's forward pass, see simclr.precision) or
        "float64" (tests).
    views, encoder, head: by default what gin binds of ViewPolicy, resnet and projection_head, weights drawn by `seed`.
        The encoder maps images (n, 3, size, size) in [0, 1] to h (n, d), the head h to z.
    optimizer: makes an optimizer of (name, parameter) pairs, such as partial(Lars, weight_decay=1e-6); by default gin's
    Lars.

    An epoch is n // batch_size updates over a fresh order of the images; the n % batch_size last ones of that
    order are left out. The rate follows the official schedule of n * epochs // batch_size + 1 updates, so the
    run ends before its very last, almost zero rates. With several processes each makes its slice of the
    batch, and the result is that of one process up to rounding. An encoder may come wrapped in
    DistributedDataParallel, which then averages its gradients; move it to its device and precision before wrapping.
    Updates raise simclr.divergence.Diverged within 50 of a loss or a weight that is not finite.
    """

    def __init__(
        self,
        images: ImageCollection,
        seed: int,
        batch_size: Annotated[int, AtLeast(1)] = gin.REQUIRED,
        epochs: Annotated[int, AtLeast(1)] = gin.REQUIRED,
        base_lr: Annotated[float, AtLeast(0)] = gin.REQUIRED,
        warmup_epochs: Annotated[float, AtLeast(0)] = 10,
        lr_scaling: Annotated[str, OneOf("linear", "sqrt")] = "linear",
        loss: Annotated[str | Loss, ModuleIn("simclr.losses")] = "nt_xent",
        loss_scale: Annotated[float, Above(0)] = 1.0,
        online_classifier: bool = False,
        labels: Tensor | None = None,
        n_classes: int | None = None,
        device: str | torch.device = "cpu",
        precision: str = "float32",
        *,
        views: ViewPolicy | None = None,
        encoder: nn.Module | None = None,
        head: nn.Module | None = None,
        optimizer: MakesOptimizer | None = None,
    ):
        _check(len(images), batch_size, epochs, precision, online_classifier, labels)
        self.images = images.to(device) if isinstance(images, Tensor) else as_images(images)
        self.labels = labels if online_classifier else None
        self.seed, self.batch_size, self.precision = seed, batch_size, precision
        self.device = torch.device(device)
        self.objective = losses.loss_named(loss) if isinstance(loss, str) else loss
        self.loss, self.loss_scale = loss, loss_scale
        self.views = views or ViewPolicy()
        # `is None` and not `or`: the head of kind "none" has no layers, and an nn.Sequential without any is false.
        encoder = resnet(seed=seed) if encoder is None else encoder
        head = projection_head(feature_dim(encoder), seed=seed) if head is None else head
        classes = (n_classes or 1 + int(labels.max())) if online_classifier else 0
        self.networks = Networks(encoder, head, seed, classes)
        self.encoder, self.head = encoder, head
        # In channels_last convolutions and batch norm are faster, on CPUs and on tensor cores.
        self.networks.to(self.device, DTYPES[precision], memory_format=torch.channels_last).train()
        self._encode = wrapped(encoder)
        # Small beside the encoder: their gradients are averaged in one message, after backward.
        self._beside = [network for network in self.networks.children() if network is not encoder]
        self.optimizer = (optimizer or Lars)(self.networks.named_parameters())
        self._schedule = {
            "base_lr": base_lr,
            "batch_size": batch_size,
            "n_examples": len(images),
            "epochs": epochs,
            "warmup_epochs": warmup_epochs,
            "scaling": lr_scaling,
        }
        learning_rate(0, **self._schedule)  # raises now if the settings make no schedule
        self._batches = Batches("order", len(images), batch_size)
        self._watch = Watch(self.networks)
        self.step_number = 0
        self.steps_per_epoch = self._batches.per_epoch
        self.total_steps = epochs * self.steps_per_epoch
        self.pairs_per_step = batch_size
        self._feed = ImageFeed(self.images, self.views, self._batches.at, self.total_steps)

    def step(self) -> dict[str, Tensor]:
        """Make one update and return its scalars, measured before it: see `update`.

        Raises RuntimeError when all total_steps are done, and Diverged.
        """
        if self.step_number >= self.total_steps:
            raise RuntimeError(
                f"all {self.total_steps} updates are done; raise Pretraining.epochs to train on"
            )
        epoch, index, images = self._feed.at(self.seed, self.step_number)
        view_a, view_b = self.views(images.to(self.device), index, epoch, self.seed)
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
        # One forward over both views: batch norm sees 2N images, as in the official code.
        h = encoded(self._encode, torch.cat([view_a, view_b]), self.precision)
        za, zb = self.head(h).chunk(2)
        loss = self.objective(za, zb)
        metrics = {"loss": loss, **self._statistics(za, zb)}
        total = self.loss_scale * loss
        if labels is not None:
            more, classifier_loss = self._classify(h.detach(), labels.repeat(2))
            metrics, total = metrics | more, total + classifier_loss
        total.backward()
        average_gradients(not_averaged(self._encode, *self._beside))
        self.optimizer.step(lr)
        self.step_number += 1
        means = mean_over_processes(torch.stack([m.detach() for m in metrics.values()])).unbind()
        self._watch.see(means[0], self.step_number, last=self.step_number == self.total_steps)
        return dict(zip(metrics, means, strict=True)) | {"lr": torch.tensor(lr)}

    def state(self) -> dict[str, Tensor]:
        """All that an exact resume needs, as contiguous copies: networks, momentum, step, and whether it has diverged.

        No generator state: draws are addressed by epoch, image and view.
        """
        copies = {k: v.clone(memory_format=torch.contiguous_format) for k, v in self._tensors().items()}
        return copies | self._watch.state() | {"step_number": torch.tensor(self.step_number)}

    def load(self, state: dict[str, Tensor]) -> None:
        """Continue from `state()` of a run with the same bindings.

        Raises ValueError when names or shapes differ, which means that the state belongs to another recipe.
        """
        tensors = self._tensors()
        expected = {name: tuple(t.shape) for name, t in tensors.items()}
        expected |= {"step_number": (), "divergence": (2,)}
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
        self._watch.load(state)
        self.step_number = int(state["step_number"])

    def _tensors(self) -> dict[str, Tensor]:
        """The live tensors, not copies."""
        networks = {f"networks.{name}": value for name, value in self.networks.state_dict().items()}
        return networks | {f"momentum.{name}": value for name, value in self.optimizer.state_dict().items()}

    def _statistics(self, za: Tensor, zb: Tensor) -> dict[str, Tensor]:
        # Temperature and normalization of the loss being trained, so that they are stated once.
        settings = _settings(self.objective)
        if isinstance(self.loss, str):
            settings |= gin.get_bindings(self.loss)
        accuracy, entropy = contrastive_statistics(
            za, zb, settings.get("temperature", 1.0), settings.get("l2_normalize", True)
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


def _settings(loss: Loss) -> dict[str, object]:
    """The settings of a loss: those that a partial gives it, its attributes as of an nn.Module, or its own defaults."""
    defaults = {name: p.default for name, p in inspect.signature(loss).parameters.items()}
    named = {name: getattr(loss, name, defaults.get(name)) for name in ("temperature", "l2_normalize")}
    return {name: value for name, value in named.items() if isinstance(value, int | float)}


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
    if epochs < 1:
        raise ValueError(f"Pretraining.epochs must be at least 1, found {epochs}")
    require_precision("Pretraining", precision)
    if online_classifier and (labels is None or len(labels) != n):
        found = "none" if labels is None else len(labels)
        raise ValueError(
            f"Pretraining.online_classifier needs one label for each of the {n} images, found {found}"
        )
