import pytest
import torch
from torch import nn

from simclr.batch_norm import BatchNorm


@pytest.mark.parametrize("kind", ["conv", "dense"])
@pytest.mark.parametrize("source", ["tf2_global1", "tf2_global0", "tf1_global1"])
def test_three_training_calls_agree_with_the_official_code(golden, kind, source):
    arrays, _ = golden("batchnorm")
    x = torch.from_numpy(arrays[f"{kind}_input"])
    x = x.permute(0, 3, 1, 2) if kind == "conv" else x  # stored NHWC
    layer = BatchNorm(x.shape[1])
    for call in range(3):
        out = layer(x)
        mean, var = (arrays[f"{kind}_{source}_moving_{which}"][call] for which in ("mean", "var"))
        # float32 on both sides: a few units in the last place of values of order one
        torch.testing.assert_close(layer.running_mean, torch.from_numpy(mean), rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(layer.running_var, torch.from_numpy(var), rtol=1e-6, atol=1e-6)
    out = out.permute(0, 2, 3, 1) if kind == "conv" else out
    expected = torch.from_numpy(arrays[f"{kind}_{source}_out"])
    torch.testing.assert_close(out, expected, rtol=1e-5, atol=2e-6)


def test_running_variance_is_biased():
    layer = BatchNorm(1, momentum=0.0).double()
    layer(torch.tensor([[0.0], [2.0]], dtype=torch.float64))
    assert layer.running_var.item() == pytest.approx(1.0, rel=1e-12)  # torch's estimate would be 2


def test_output_and_gradient_equal_torch():
    torch.manual_seed(0)
    x = torch.randn(6, 5, 4, 3, dtype=torch.float64).to(memory_format=torch.channels_last)
    ours, theirs = BatchNorm(5).double(), nn.BatchNorm2d(5).double()
    xs = [x.clone().requires_grad_() for _ in range(2)]
    out, expected = ours(xs[0]), theirs(xs[1])
    torch.testing.assert_close(out, expected, rtol=1e-12, atol=1e-12)
    out.square().mul(x).sum().backward()
    expected.square().mul(x).sum().backward()
    torch.testing.assert_close(xs[0].grad, xs[1].grad, rtol=1e-12, atol=1e-12)
    assert out.is_contiguous(memory_format=torch.channels_last)


def test_evaluation_uses_running_statistics_and_leaves_them_alone():
    layer = BatchNorm(1, eps=0.0).double().eval()
    layer.running_mean.fill_(1.0)
    layer.running_var.fill_(4.0)
    assert layer(torch.tensor([[5.0]], dtype=torch.float64)).item() == pytest.approx(2.0)
    assert (layer.running_mean.item(), layer.running_var.item()) == (1.0, 4.0)


def test_without_shift_there_is_only_a_scale():
    assert [name for name, _ in BatchNorm(3, shift=False).named_parameters()] == ["weight"]
    assert BatchNorm(3, shift=False)(torch.randn(8, 3)).shape == (8, 3)


def test_a_single_value_per_channel_is_an_error():
    with pytest.raises(ValueError, match=r"at least 2 values per channel, found input \(1, 3\)"):
        BatchNorm(3)(torch.zeros(1, 3))


def test_backward_in_float32_after_the_statistics_have_moved():
    layer = BatchNorm(2)
    x = torch.randn(4, 2, requires_grad=True)
    layer(x).sum().backward()
    assert torch.isfinite(x.grad).all() and layer.running_mean.grad_fn is None
