import subprocess
import sys

import gin
import pytest
import torch
from torch import nn

from simclr.declared import marks_of
from simclr.lars import Lars

CASES = [
    "pretrain_wd1e-6", "pretrain_wd1e-4", "wd_large", "nesterov", "popular", "popular_nesterov",
    "eeta1e-2_m05_wd0", "no_exclusion", "adapt_only_excl_bias", "v1_exclusions",
]  # fmt: skip


def _optimizer(parameters: dict[str, nn.Parameter], case: dict) -> Lars:
    return Lars(
        parameters.items(),
        momentum=case["momentum"],
        weight_decay=case["weight_decay"],
        eta=case["eeta"],
        nesterov=case["use_nesterov"],
        classic_momentum=case["classic_momentum"],
        exclude_from_weight_decay=case["exclude_from_weight_decay"] or (),
        exclude_from_adaptation=case["exclude_from_layer_adaptation"],
    )


@pytest.mark.parametrize("case_name", CASES)
def test_ten_steps_agree_with_the_official_code(golden, case_name):
    arrays, cases = golden("lars")
    case = next(c for c in cases if c["case"] == case_name)
    names = [key.removeprefix("init__") for key in arrays if key.startswith("init__")]
    parameters = {name: nn.Parameter(torch.from_numpy(arrays[f"init__{name}"])) for name in names}
    optimizer = _optimizer(parameters, case)
    for step, lr in enumerate(arrays["lr"].tolist()):
        for name, parameter in parameters.items():
            parameter.grad = torch.from_numpy(arrays[f"grads__{name}"][step])
        optimizer.step(lr)
        for name, parameter in parameters.items():
            expected = torch.from_numpy(arrays[f"{case_name}__params__{name}"][step])
            momentum = torch.from_numpy(arrays[f"{case_name}__momentum__{name}"][step])
            torch.testing.assert_close(parameter.detach(), expected, rtol=1e-12, atol=1e-14)
            torch.testing.assert_close(optimizer.state_dict()[name], momentum, rtol=1e-12, atol=1e-14)


def test_every_golden_case_is_tested(golden):
    assert [case["case"] for case in golden("lars")[1]] == CASES


def test_one_step_by_hand():
    """|w| = 5, |g| = 0.5, so the ratio is 0.01 and the step lr * 0.01 * g."""
    w = nn.Parameter(torch.tensor([3.0, 4.0], dtype=torch.float64))
    w.grad = torch.tensor([0.3, 0.4], dtype=torch.float64)
    Lars([("dense.weight", w)], weight_decay=0.0).step(2.0)
    assert w.tolist() == pytest.approx([3.0 - 0.006, 4.0 - 0.008], rel=1e-14)


def test_scaling_the_loss_moves_excluded_parameters_only():
    def after(scale: float) -> list[torch.Tensor]:
        dense, bias = (nn.Parameter(torch.ones(3, dtype=torch.float64)) for _ in range(2))
        dense.grad = bias.grad = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64) * scale
        Lars([("dense.weight", dense), ("batch_norm.bias", bias)], weight_decay=0.0).step(0.1)
        return [dense.detach(), bias.detach()]

    (dense_1, bias_1), (dense_2, bias_2) = after(1.0), after(2.0)
    torch.testing.assert_close(dense_1, dense_2, rtol=1e-14, atol=0)
    torch.testing.assert_close(2 * (1 - bias_1), 1 - bias_2, rtol=1e-12, atol=0)


def test_weight_decay_must_be_chosen():
    with pytest.raises(RuntimeError, match="weight_decay"):
        Lars([("w", nn.Parameter(torch.ones(1)))])
    gin.bind_parameter("Lars.weight_decay", 1e-6)
    assert Lars([("w", nn.Parameter(torch.ones(1)))]).weight_decay == 1e-6


def test_an_update_does_not_import_the_compiler():
    """torch.optim's constructor does, and costs three seconds per process; checked in a fresh interpreter."""
    code = (
        "import sys, torch; from simclr.lars import Lars; from simclr.sgd import Sgd\n"
        "w = torch.nn.Parameter(torch.ones(2)); w.grad = torch.ones(2)\n"
        "for o in (Lars([('w', w)], weight_decay=1e-6), Sgd([('w', w)])): o.step(0.1)\n"
        "o.zero_grad(); print('torch._dynamo' in sys.modules, 'torchvision' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]


@pytest.mark.parametrize(
    ("name", "allowed", "refused"),
    [
        ("momentum", [0, 0.9, 1], [-1e-9, 1 + 1e-9]),
        ("weight_decay", [0, 1e-6, 2], [-1e-9]),
        ("eta", [1e-9, 1, 2], [0, -1]),
    ],
)
def test_the_ranges_of_its_numbers(name, allowed, refused):
    (mark,) = marks_of(Lars)[name]
    assert [value for value in allowed if mark.check(value)] == []
    assert [value for value in refused if not mark.check(value)] == []


def test_its_defaults_are_the_papers():
    """Momentum 0.9 (B.6), the trust coefficient of the code, and what the code leaves out of decay and adaptation."""
    weight = nn.Parameter(torch.tensor([3.0, 4.0], dtype=torch.float64))
    others = [nn.Parameter(torch.ones(1, dtype=torch.float64)) for _ in range(3)]
    names = ["batch_norm.weight", "dense.bias", "online_classifier.weight"]
    optimizer = Lars([("dense.weight", weight), *zip(names, others, strict=True)], weight_decay=0.1)
    for _ in range(2):
        for parameter in (weight, *others):
            parameter.grad = (
                torch.zeros_like(parameter) if parameter is weight else torch.ones_like(parameter)
            )
        optimizer.step(1.0)
    # The gradient is decay alone: each step shrinks w by eta, the second has 0.9 of the first in it too.
    first = 0.001
    assert weight.tolist() == pytest.approx(
        [x * (1 - first) * (1 - first) - 0.9 * first * x for x in (3.0, 4.0)]
    )
    assert [other.item() for other in others] == pytest.approx([1 - 1 - 1.9] * 3)


@pytest.mark.parametrize("part", ["weight", "gradient"])
def test_a_layer_at_zero_takes_the_full_rate(part):
    w = nn.Parameter(torch.tensor([0.0 if part == "weight" else 3.0], dtype=torch.float64))
    w.grad = torch.tensor([0.5 if part == "weight" else 0.0], dtype=torch.float64)
    before = w.item()
    Lars([("dense.weight", w)], weight_decay=0.0).step(0.2)
    assert w.item() == pytest.approx(before - 0.2 * w.grad.item(), rel=1e-14)


def test_a_group_without_gradients_is_passed_over():
    """The one that comes after it is not."""
    first, last = (nn.Parameter(torch.ones(1, dtype=torch.float64)) for _ in range(2))
    last.grad = torch.ones(1, dtype=torch.float64)
    Lars([("dense.weight", first), ("dense.bias", last)], weight_decay=1e-6).step(0.5)
    assert (first.item(), last.item()) == (1.0, 0.5)
