"""Small trainings made by keyword arguments alone."""

from functools import partial

import torch
from torch import nn

from simclr.classification import linear_evaluation, supervised
from simclr.encoder import resnet
from simclr.finetuning import fine_tuning, transfer_training
from simclr.heads import projection_head
from simclr.lars import Lars
from simclr.objectives import nt_xent
from simclr.probing import probe_training, transformed_features
from simclr.sgd import Sgd
from simclr.training import Pretraining
from simclr.views import ViewPolicy
from simclr.views.standard import ColorDistortion, RandomCrop, RandomFlip

COARSE = torch.randint(0, 256, (20, 3, 2, 2), generator=torch.Generator().manual_seed(0)).float()
IMAGES = nn.functional.interpolate(
    COARSE, size=(12, 12), mode="bilinear"
).byte()  # colours a crop is known by
LABELS = torch.arange(20) % 3
SIZE = 8


def small_resnet(seed: int = 0) -> nn.Module:
    return resnet(depth=8, stem="cifar", base_channels=4, seed=seed)


def crop_and_flip() -> ViewPolicy:
    return ViewPolicy(size=SIZE, ops=[RandomCrop(), RandomFlip()])


def pretraining(encoder: nn.Module | None = None, **changes: object) -> Pretraining:
    given = {
        "views": ViewPolicy(
            size=SIZE, ops=[RandomCrop(area=(0.5, 1.0)), RandomFlip(), ColorDistortion(strength=0.5)]
        ),
        "encoder": encoder or small_resnet(),
        "head": projection_head(16, kind="nonlinear", out_dim=8),
        "loss": partial(nt_xent, temperature=0.5),
        "optimizer": partial(Lars, weight_decay=1e-6),
        "batch_size": 10,
        "epochs": 10,
        "base_lr": 40.0,
        "warmup_epochs": 1,
    }
    return Pretraining(IMAGES, seed=0, **(given | changes))


def losses(training: object, steps: int = 20) -> list[float]:
    return [float(training.step()["loss"]) for _ in range(steps)]


def classifiers(dtype: str = "float32") -> dict[str, object]:
    images, labels = IMAGES, LABELS
    images = images.index_put((torch.arange(20), labels), torch.tensor(250, dtype=torch.uint8))
    data, parts = (images, labels, 3, 0), {"views": crop_and_flip(), "precision": dtype}
    whole = {"batch_size": 10, "epochs": 10}
    nesterov = partial(Sgd, momentum=0.8)
    return {
        "linear_evaluation": linear_evaluation(small_resnet(), *data, **whole, base_lr=20.0, **parts),
        "supervised": supervised(
            *data, **whole, base_lr=4.0, warmup_epochs=1, encoder=small_resnet(), optimizer=nesterov, **parts
        ),
        "fine_tuning": fine_tuning(small_resnet(), *data, **whole, base_lr=4.0, **parts),
        "transfer_training": transfer_training(
            small_resnet(), *data, lr=0.1, weight_decay=1e-4, steps=20, batch_size=10, **parts
        ),
        "probe_training": probe(),
    }


def probe() -> object:
    views = ViewPolicy(size=SIZE, ops=[RandomCrop(), ColorDistortion(grey_probability=0.5)])
    encoder = small_resnet().eval()
    features, targets = transformed_features(encoder, IMAGES, "grayscale", 0, 0, views=views)
    return probe_training(
        features, targets, 0, batch_size=10, epochs=10, base_lr=1.0, optimizer=partial(Sgd, nesterov=False)
    )


KINDS = ["linear_evaluation", "supervised", "fine_tuning", "transfer_training", "probe_training"]
