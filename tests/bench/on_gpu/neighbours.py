"""The accuracy of the nearest neighbours after some minutes of ResNet-18 on prepared images."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simclr.evaluation import evaluated, evaluated_parts
from simclr.knn import knn_scores
from simclr.schedule import learning_rate
from tests.bench.on_gpu.setting import Setting, a_pretraining, seconds_of

GOAL, GOAL_MINUTES = 90.0, 15.0
MINUTES = 4.0  # what this script has for it; with more the goal's own


def knn(setting: Setting, minutes: float | None = None) -> dict[str, Any]:
    """Pretrain for so many minutes, at a schedule that ends then, and classify the test images by their neighbours."""
    if setting.data is None:
        return {"not measured": "no prepared images: --data results/<scale>/data/<data set>"}
    images, labels, unseen, truth = (
        _read(setting, name) for name in ("train.images", "train.labels", "test.images", "test.labels")
    )
    if setting.tiny:
        images, labels, unseen, truth = images[:64], labels[:64], unseen[:32], truth[:32]
    minutes = minutes or (0.01 if setting.tiny else MINUTES)
    batch, depth = (16, 8) if setting.tiny else (min(512, len(images)), 18)
    training = a_pretraining(images, setting.device, depth, batch_size=batch, precision="bfloat16")
    steps = max(1, int(60 * minutes / seconds_of(training.step, setting.device, 0.1 if setting.tiny else 5)))
    _train(training, steps, batch, len(images))
    bank = evaluated_parts(training.encoder, images, 32, precision="bfloat16")
    queries = evaluated(training.encoder, unseen, 32, precision="bfloat16")
    scores = knn_scores(bank, labels, queries, int(labels.max()) + 1)
    top1 = 100 * float((scores.argmax(1) == truth).double().mean())
    epochs = steps * batch / len(images)
    return {"images": len(images), "minutes": minutes, "epochs": epochs, "knn_top1": top1, "goal": GOAL}


def _train(training: Any, steps: int, batch: int, n: int) -> None:
    """So many updates under a whole schedule of the paper: linear warm-up, then a cosine to zero."""
    schedule = {
        "base_lr": 1.0,
        "batch_size": batch,
        "n_examples": steps * batch,
        "epochs": 1,
        "scaling": "linear",
    }
    start = time.monotonic()
    for step in range(steps):
        epoch, index, images = training._feed.at(training.seed, step)
        lr = learning_rate(step, warmup_epochs=0.05, **schedule)
        training.update(*training.views(images, index, epoch, training.seed), None, lr)
        if time.monotonic() - start > 60 * 2 * GOAL_MINUTES:
            raise RuntimeError("twice the minutes that it was to take are over")


def _read(setting: Setting, name: str) -> Tensor:
    """An array of a prepared data set, images as uint8 (n, 3, H, W)."""
    tensor = torch.from_numpy(np.load(setting.data / f"{name}.npy", allow_pickle=False))
    tensor = tensor.permute(0, 3, 1, 2).contiguous() if tensor.dim() == 4 else tensor
    return tensor.to(setting.device)
