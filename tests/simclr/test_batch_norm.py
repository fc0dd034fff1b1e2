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


@pytest.mark.parametrize("shape", [(12, 3, 4, 5), (12, 3)])
def test_groups_are_slices_of_both_halves_each_normalized_alone(shape):
    """Against a separate layer per part, outputs and gradients; rows 0-5 are view a, 6-11 view b."""
    torch.manual_seed(0)
    x = torch.randn(shape, dtype=torch.float64) * torch.arange(1, 13).view(-1, *[1] * (len(shape) - 1))
    weights = torch.randn_like(x)
    inputs = [x.clone().requires_grad_() for _ in range(2)]
    grouped = BatchNorm(3, groups=3).double()
    out = grouped(inputs[0])
    (out * weights).sum().backward()
    for rows in ([0, 1, 6, 7], [2, 3, 8, 9], [4, 5, 10, 11]):
        alone = BatchNorm(3).double()(inputs[1][rows])
        torch.testing.assert_close(out[rows], alone, rtol=1e-12, atol=1e-12)
        (alone * weights[rows]).sum().backward()
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad, rtol=1e-12, atol=1e-12)


def test_running_statistics_of_groups_are_the_mean_of_what_each_would_have():
    torch.manual_seed(0)
    x = torch.randn(8, 2, 3, 3, dtype=torch.float64) + torch.arange(8).view(8, 1, 1, 1)
    grouped = BatchNorm(2, momentum=0.7, groups=2).double()
    parts = [BatchNorm(2, momentum=0.7).double() for _ in range(2)]
    for _ in range(2):
        grouped(x)
        for part, rows in zip(parts, ([0, 1, 4, 5], [2, 3, 6, 7]), strict=True):
            part(x[rows])
    for name in ("running_mean", "running_var"):
        expected = sum(getattr(part, name) for part in parts) / 2
        torch.testing.assert_close(getattr(grouped, name), expected, rtol=1e-12, atol=0)


def test_one_group_is_the_whole_batch_and_evaluation_knows_no_groups():
    torch.manual_seed(0)
    x = torch.randn(8, 3, 2, 2)
    whole, one, four = (BatchNorm(3, groups=groups) for groups in (1, 1, 4))
    assert torch.equal(whole(x), one(x)) and not torch.equal(whole(x), four(x))
    four.load_state_dict(whole.state_dict())
    assert torch.equal(whole.eval()(x), four.eval()(x))


def test_groups_keep_channels_last():
    x = torch.randn(8, 3, 4, 4).to(memory_format=torch.channels_last)
    assert BatchNorm(3, groups=2)(x).is_contiguous(memory_format=torch.channels_last)


def test_a_batch_that_groups_cannot_halve_and_divide_is_an_error():
    with pytest.raises(ValueError, match=r"multiple of 6 rows, found input \(9, 3\)"):
        BatchNorm(3, groups=3)(torch.randn(9, 3))
    with pytest.raises(ValueError, match=r"BatchNorm.groups must be a finite number of at least 1, found 0"):
        BatchNorm(3, groups=0)
