"""Numbers of this device beside those of the official code: tests/golden, and the same training broken off and resumed.

Each comparison gives the largest error over its bound: 1 or less holds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from simclr.batch_norm import BatchNorm
from simclr.lars import Lars
from simclr.losses.nt_xent import nt_xent
from simclr.views import color_jitter, grayscale, resized_crop
from tests.bench.on_gpu.setting import Setting, a_pretraining
from tests.simclr.official_weights import our_name, our_weights, round_momentum_as_tensorflow

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
EXACT, PIXELS = 1e-9, 1e-5  # of float64 sums in another order; of a chain of float32 colour operators
FLOAT32 = 6e-8  # what rounding to it may change, relatively
COLLAPSED, ZERO_ROW = 29, 30  # losses whose gradient is rounding alone, or larger than float64 carries


def golden(setting: Setting) -> dict[str, Any]:
    """Losses, LARS, batch norm, views and whole updates against the vectors of the official code."""
    checks = {"losses": losses, "lars": lars, "batch_norm": batch_norm, "views": views}
    errors = {name: check(setting.device) for name, check in checks.items()}
    errors["updates"] = updates(setting.device, 1 if setting.tiny else 4)
    return {"error_over_bound": errors, "holds": all(error <= 1 for error in errors.values())}


def stored(name: str) -> tuple[dict[str, np.ndarray], Any]:
    """The arrays of a golden file, and its cases."""
    with np.load(GOLDEN / f"{name}.npz") as file:
        arrays = dict(file)
    cases = GOLDEN / f"{name}_cases.json"
    return arrays, json.loads(cases.read_text()) if cases.exists() else []


def error(found: Tensor, expected: Any, bound: float) -> float:
    """The largest difference over `bound` times the largest expected value."""
    expected = torch.as_tensor(expected).double()
    difference = (found.detach().cpu().double() - expected).abs().max()
    return float(difference / (bound * expected.abs().max().clamp_min(1e-6)))


def losses(device: str) -> float:
    """NT-Xent and its gradient; the official loss is twice the paper's."""
    arrays, cases = stored("contrastive_loss")
    worst = 0.0
    for number, case in enumerate(cases):
        if number in (COLLAPSED, ZERO_ROW):
            continue
        hidden = torch.from_numpy(arrays[case["input"]]).double().to(device).requires_grad_()
        loss = 2 * nt_xent(*hidden.chunk(2), case["temperature"], l2_normalize=case["hidden_norm"])
        loss.backward()
        expected = arrays[f"{case['case']}_grad64"]
        bound = EXACT if expected.dtype == np.float64 else FLOAT32
        worst = max(worst, error(loss, arrays[f"{case['case']}_loss64"], EXACT))
        worst = max(worst, error(hidden.grad, expected, bound))
    return worst


def lars(device: str) -> float:
    """Ten steps of the case of pretraining."""
    arrays, cases = stored("lars")
    case = next(case for case in cases if case["case"] == "pretrain_wd1e-6")
    names = [key.removeprefix("init__") for key in arrays if key.startswith("init__")]
    weights = {name: nn.Parameter(torch.from_numpy(arrays[f"init__{name}"]).to(device)) for name in names}
    excluded = case["exclude_from_weight_decay"] or ()
    optimizer = Lars(
        weights.items(),
        momentum=case["momentum"],
        weight_decay=case["weight_decay"],
        eta=case["eeta"],
        exclude_from_weight_decay=excluded,
    )
    worst = 0.0
    for step, lr in enumerate(arrays["lr"].tolist()):
        for name, weight in weights.items():
            weight.grad = torch.from_numpy(arrays[f"grads__{name}"][step]).to(device)
        optimizer.step(lr)
        for name, weight in weights.items():
            expected = arrays[f"{case['case']}__params__{name}"][step]
            worst = max(worst, error(weight, expected, EXACT))
    return worst


def batch_norm(device: str) -> float:
    """Three training calls, their output and running statistics, in float32."""
    arrays, _ = stored("batchnorm")
    x = torch.from_numpy(arrays["conv_input"]).permute(0, 3, 1, 2).to(device)
    layer = BatchNorm(x.shape[1]).to(device)
    for _ in range(3):
        out = layer(x)
    last = {name: arrays[f"conv_tf2_global1_moving_{name}"][2] for name in ("mean", "var")}
    found = out.permute(0, 2, 3, 1), layer.running_mean, layer.running_var
    expected = arrays["conv_tf2_global1_out"], last["mean"], last["var"]
    return max(error(*pair, 100 * FLOAT32) for pair in zip(found, expected, strict=True))


def views(device: str) -> float:
    """The official chain of crop, flip, colours and grey, pixel by pixel."""
    arrays, _ = stored("augment")
    worst = 0.0
    for case in json.loads((GOLDEN / "augment_cases.json").read_text())["pipeline"]:
        name = case["image"]
        image = arrays[f"img_{name}"] / np.float32(255) if f"img_{name}" in arrays else arrays[f"imgf_{name}"]
        view = torch.from_numpy(image).permute(2, 0, 1)[None].to(device)
        box = torch.tensor([[case["box"][side] for side in "yxhw"]])
        view = resized_crop(view, box, case["out"], torch.tensor([case["flip"]]), "bicubic_tf2")
        view = _jittered(view, case) if case["jitter_applied"] else view
        view = grayscale(view) if case["gray_applied"] else view
        worst = max(worst, error(view.clamp(0, 1)[0].permute(1, 2, 0), arrays[case["key"]], PIXELS))
    return worst


def _jittered(view: Tensor, case: dict[str, Any]) -> Tensor:
    names = ("brightness", "contrast", "saturation", "hue")
    factors = (torch.tensor([case[name]], dtype=torch.float32) for name in names)
    mode = "additive" if case["impl"] == "simclrv1" else "multiplicative"
    return color_jitter(view, *factors, torch.tensor([case["perm"]]), mode)


def updates(device: str, steps: int) -> float:
    """Whole updates of a ResNet with its head and classifier, in float64: losses, and the norms of all weights."""
    arrays, cases = stored("train_step")
    case = cases[0]
    kept = {k.removeprefix(f"{case['case']}_"): v for k, v in arrays.items() if k.startswith(case["case"])}
    pairs = torch.from_numpy(kept["images"]).permute(0, 3, 1, 2).double().to(device) / 255
    labels = torch.from_numpy(kept["labels"]).to(device)
    training = a_pretraining(
        torch.zeros(8, 3, 32, 32, dtype=torch.uint8),
        device,
        case["depth"],
        labels=labels,
        out_dim=case["proj_out_dim"],
        hidden_layers=case["num_proj_layers"] - 1,
        temperature=case["temperature"],
        optimizer=(case["weight_decay"], case["momentum"]),
        precision="float64",
        batch_size=8,
        loss_scale=2.0,
    )
    round_momentum_as_tensorflow(training.networks)
    training.networks.load_state_dict(our_weights(case))
    worst = 0.0
    for step in range(steps):
        found = training.update(*pairs.chunk(2, dim=1), labels, float(kept["lr"][step]))
        worst = max(worst, error(2 * found["loss"], kept["contrast_loss"][step], EXACT))
        norms = [training.networks.get_parameter(our_name(name)).norm() for name in case["trainable_order"]]
        worst = max(worst, error(torch.stack(norms), kept["param_norm_after"][step], EXACT))
    return worst


def resume(setting: Setting) -> dict[str, Any]:
    """Twenty updates at once, and ten, a checkpoint and ten more: equal to the bit."""
    images = setting.images(256)
    torch.use_deterministic_algorithms(setting.device == "cuda", warn_only=True)

    def made() -> Any:
        return a_pretraining(images, setting.device, 8 if setting.tiny else 18, batch_size=32)

    whole, first, second = made(), made(), made()
    for _ in range(20):
        whole.step()
    for _ in range(10):
        first.step()
    second.load({name: tensor.cpu() for name, tensor in first.state().items()})
    for _ in range(10):
        second.step()
    expected, found = whole.state(), second.state()
    different = [name for name in expected if not torch.equal(expected[name], found[name])]
    return {"tensors": len(expected), "different": different[:5], "holds": not different}
