"""The official networks of the golden vectors: their names and weights, in our terms."""

from __future__ import annotations

import math
import re

import numpy as np
import torch

from simclr.batch_norm import BatchNorm


def our_name(official: str) -> str:
    """E.g. group1.block0.main.conv1.kernel -> encoder.groups.0.0.residual.1.conv.weight."""
    name = re.sub(r"group(\d)\.block(\d+)\.", lambda m: f"groups.{int(m[1]) - 1}.{m[2]}.", official)
    name = re.sub(r"main\.(conv|bn)(\d)", r"residual.\2.\1", name)
    name = re.sub(r"(shortcut|stem)\.(conv|bn)0", r"\1.\2", name).replace(".bn.", ".batch_norm.")
    ends = {"kernel": "weight", "gamma": "weight", "beta": "bias"}
    ends |= {"moving_mean": "running_mean", "moving_variance": "running_var"}
    name = re.sub(r"^proj\.layer(\d)", r"head.\1", name).replace("supervised.dense", "online_classifier")
    path, end = name.rsplit(".", 1)
    prefix = "encoder." if path.startswith(("stem", "groups")) else ""
    return f"{prefix}{path}.{ends.get(end, end)}"


def our_weights(case: dict) -> dict[str, torch.Tensor]:
    """All weights of a golden case by our names."""
    return {our_name(variable["name"]): regenerate(variable) for variable in case["variables"]}


def regenerate(variable: dict) -> torch.Tensor:
    """The stored recipe of a weight, float64, in torch's layout."""
    shape, rule = variable["shape"], variable["rule"]
    z = np.random.RandomState(variable["seed"]).standard_normal(shape)
    if rule == "kernel":
        fan_in = np.prod(shape[:-1])
        z *= np.sqrt((2 if len(shape) == 4 else 1) / fan_in)
    elif rule == "gamma":
        z = 1 + 0.2 * z
    elif rule == "moving_variance":
        z = np.exp(0.2 * z)
    else:
        z *= 0.1
    assert math.isclose(z.sum(), variable["checksum"], rel_tol=1e-9, abs_tol=1e-9)
    z = torch.from_numpy(z)
    return z.permute(3, 2, 0, 1) if z.dim() == 4 else z.T if z.dim() == 2 else z


def round_momentum_as_tensorflow(module: torch.nn.Module) -> None:
    """TensorFlow rounds 1 - momentum to float32 even in a float64 network; the stored statistics show it."""
    for layer in module.modules():
        if isinstance(layer, BatchNorm):
            layer.momentum = 1 - float(np.float32(1 - layer.momentum))
