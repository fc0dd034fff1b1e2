"""SimCLR: the method, as an importable PyTorch library that knows nothing of pipelines.

    import simclr
    encoder = simclr.pretrained("results/cifar10/pretrain/figure_b7/...")

Names below stand for what the modules of this package define; each is imported when it is asked for.
"""

import importlib
from typing import Any

# Text and no imports: a stage depends on the code of what it uses, and importing one name costs not what all cost.
HOMES = {
    "BatchNorm": "batch_norm",
    "Classification": "classification",
    "Diverged": "divergence",
    "Lars": "lars",
    "Pretraining": "training",
    "Sgd": "sgd",
    "ViewPolicy": "views",
    "fast_bfloat16": "precision",
    "fine_tuning": "finetuning",
    "linear_evaluation": "classification",
    "margin_triplet": "losses.margin_triplet",
    "nt_logistic": "losses.nt_logistic",
    "nt_xent": "losses.nt_xent",
    "pretrained": "finished_run",
    "projection_head": "heads",
    "resnet": "encoder",
    "supervised": "classification",
    "to_torchvision": "torchvision_state",
    "transfer_training": "finetuning",
}
__all__ = sorted(HOMES)


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
