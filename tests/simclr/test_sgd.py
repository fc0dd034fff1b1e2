import pytest
import torch
from torch import nn

from simclr.sgd import Sgd


def test_ten_nesterov_steps_agree_with_the_official_optimizer(golden):
    arrays, _ = golden("sgd_nesterov")
    w = nn.Parameter(torch.from_numpy(arrays["m0.9_init"]))
    optimizer = Sgd([("w", w)])
    for step, lr in enumerate(arrays["m0.9_lr"].tolist()):
        w.grad = torch.from_numpy(arrays["m0.9_grads"][step])
        optimizer.step(lr)
        expected = torch.from_numpy(arrays["m0.9_params"][step])
        torch.testing.assert_close(w.detach(), expected, rtol=2e-6, atol=5e-7)  # float32 on both sides


@pytest.mark.parametrize("nesterov", [False, True])
def test_equals_torch_under_a_changing_rate(nesterov):
    torch.manual_seed(0)
    ours, theirs = (nn.Parameter(torch.full((3,), 2.0, dtype=torch.float64)) for _ in range(2))
    sgd = Sgd([("w", ours)], momentum=0.8, nesterov=nesterov, weight_decay=0.01)
    reference = torch.optim.SGD([theirs], lr=1.0, momentum=0.8, nesterov=nesterov, weight_decay=0.01)
    for lr in (0.5, 0.1, 0.3):
        ours.grad = theirs.grad = torch.randn(3, dtype=torch.float64)
        sgd.step(lr)
        reference.param_groups[0]["lr"] = lr
        reference.step()
    torch.testing.assert_close(ours, theirs, rtol=1e-13, atol=0)


def test_excluded_parameters_do_not_decay():
    weight, bias = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    weight.grad, bias.grad = torch.zeros(1), torch.zeros(1)
    parameters = [("dense.weight", weight), ("dense.bias", bias)]
    Sgd(parameters, momentum=0.0, weight_decay=0.5, exclude_from_weight_decay=("bias",)).step(1.0)
    assert (weight.item(), bias.item()) == (0.5, 1.0)
