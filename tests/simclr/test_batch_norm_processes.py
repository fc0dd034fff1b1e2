"""Batch norm over several processes: that of one process with the whole batch, by every path there is."""

import pytest
import torch

from simclr import batch_norm_kernels
from simclr.batch_norm import BatchNorm
from simclr.batch_norm_kernels import normalize_over, reference

shapes = pytest.mark.parametrize("shape", [(8, 3), (8, 3, 4, 5)], ids=["dense", "conv"])


class AsCuda:
    """What the kernels for CUDA compute, by plain arithmetic and on any device."""

    @staticmethod
    def stats(x, eps):
        var, mean = torch.var_mean(x, [d for d in range(x.dim()) if d != 1], correction=0)
        return mean, (var + eps).rsqrt()

    @staticmethod
    def gather(x, means, invstds, running_mean, running_var, momentum, eps, counts):
        total, variances = counts.sum(), invstds.square().reciprocal() - eps
        mean = (means * counts[:, None]).sum(0) / total
        var = ((variances + (means - mean).square()) * counts[:, None]).sum(0) / total
        running_mean.lerp_(mean, momentum)
        running_var.lerp_(var * total / (total - 1), momentum)
        return mean, (var + eps).rsqrt()

    @staticmethod
    def elemt(x, weight, bias, mean, invstd, eps):
        view = [-1 if d == 1 else 1 for d in range(x.dim())]
        out = (x - mean.view(view)) * invstd.view(view)
        out = out if weight is None else out * weight.view(view)
        return out if bias is None else out + bias.view(view)

    @staticmethod
    def reduce(dy, x, mean, invstd, weight, *wanted):
        dims, view = [d for d in range(x.dim()) if d != 1], [-1 if d == 1 else 1 for d in range(x.dim())]
        assert wanted == (True, False, False)
        return dy.sum(dims), (dy * (x - mean.view(view))).sum(dims), None, None

    @staticmethod
    def slopes(dy, x, mean, invstd, weight, sum_dy, sum_dy_xmu, counts):
        view, total = [-1 if d == 1 else 1 for d in range(x.dim())], counts.sum()
        assert counts.dtype == torch.int32
        centred = (x - mean.view(view)) * (invstd.square() * sum_dy_xmu / total).view(view)
        scale = invstd if weight is None else invstd * weight
        return (dy - (sum_dy / total).view(view) - centred) * scale.view(view)


@pytest.fixture(params=["portable", "as on CUDA"])
def kernels(request, monkeypatch):
    """The function on torch's kernels for this device, then on those of CUDA, whose arithmetic stands above."""
    if request.param == "as on CUDA":
        monkeypatch.setattr(batch_norm_kernels, "kernels_for", lambda x: batch_norm_kernels.Cuda)
        for name, ours in {
            "batch_norm_stats": AsCuda.stats,
            "batch_norm_gather_stats_with_counts": AsCuda.gather,
            "batch_norm_elemt": AsCuda.elemt,
            "batch_norm_backward_reduce": AsCuda.reduce,
            "batch_norm_backward_elemt": AsCuda.slopes,
        }.items():
            monkeypatch.setattr(torch, name, ours)


def passed(layer: BatchNorm, x: torch.Tensor, weights: torch.Tensor) -> dict[str, torch.Tensor]:
    """Output, running statistics and gradients of one call."""
    part = x.clone(memory_format=torch.preserve_format).requires_grad_()
    out = layer(part)
    (out * weights).sum().backward()
    found = {"out": out.detach(), "x": part.grad, "mean": layer.running_mean, "var": layer.running_var}
    return found | {name: p.grad for name, p in layer.named_parameters()}


def made(shape: tuple[int, ...], **settings) -> tuple[BatchNorm, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    x, weights = 3 + torch.randn(2, *shape, dtype=torch.float64)
    layer = BatchNorm(3, **settings).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.tensor([0.5, 1.0, 2.0]))
    return layer, x, weights - 3


def own_rows(x: torch.Tensor, number: int, processes: int) -> torch.Tensor:
    """This process's slice of both views, as a training cuts them."""
    return torch.cat([half.chunk(processes)[number] for half in x.chunk(2)])


def joined(parts: list[dict], rows: int) -> dict[str, torch.Tensor]:
    """What one process would have found: rows back in their places, parameters' gradients added up."""
    together = {
        key: torch.cat([p[key].chunk(2)[view] for view in range(2) for p in parts]) for key in ("out", "x")
    }
    for key in parts[0].keys() - together.keys():
        together[key] = parts[-1][key] if key in ("mean", "var") else sum(p[key] for p in parts)
    return together


def assert_as_alone(
    in_processes, processes: int, shape: tuple[int, ...], tolerance: float = 1e-12, **settings
):
    alone = passed(*made(shape, **settings))

    def work(number: int) -> dict[str, torch.Tensor]:
        layer, *batch = made(shape, **settings)
        return passed(layer, *(own_rows(x, number, processes) for x in batch))

    together = joined(in_processes(processes, work), shape[0])
    assert together.keys() == alone.keys()
    for key, value in alone.items():
        torch.testing.assert_close(
            together[key], value, rtol=tolerance, atol=tolerance, msg=lambda m, key=key: f"{key}: {m}"
        )


@shapes
@pytest.mark.parametrize("processes", [2, 4])
@pytest.mark.parametrize(("scale", "shift"), [(True, True), (True, False), (False, False)])
def test_statistics_over_processes_are_those_of_the_whole_batch(
    in_processes, kernels, processes, shape, scale, shift
):
    assert_as_alone(in_processes, processes, shape, scale=scale, shift=shift)


@pytest.mark.parametrize(("processes", "groups"), [(2, 2), (2, 4), (4, 2), (4, 4), (4, 8)])
def test_groups_over_processes_are_those_of_the_whole_batch(in_processes, kernels, processes, groups):
    assert_as_alone(in_processes, processes, (16, 3, 4, 5), groups=groups)


def test_groups_that_are_neither_processes_nor_parts_of_them_are_an_error(in_processes):
    def work(number: int) -> str:
        with pytest.raises(ValueError) as error:
            BatchNorm(3, groups=3)(torch.randn(12, 3))
        return str(error.value)

    assert "groups must be a multiple of 2 or divide it" in in_processes(2, work)[0]


def test_one_value_per_channel_counts_over_all_processes(in_processes):
    def work(number: int) -> list:
        return BatchNorm(1)(torch.tensor([[2.0 * number]])).tolist()

    first, second = in_processes(2, work)
    assert first[0] == pytest.approx([-1.0], rel=1e-4) and second[0] == pytest.approx([1.0], rel=1e-4)


def test_local_statistics_stay_local(in_processes):
    def work(number: int) -> float:
        layer = BatchNorm(1, momentum=0.0, global_statistics=False)
        layer(torch.tensor([[number + 1.0], [number + 2.0]]))
        return layer.running_mean.item()

    assert in_processes(2, work) == [1.5, 2.5]


def both_ways(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> list[list[torch.Tensor]]:
    """Outputs and gradients of the function and of its reference."""
    found = []
    for form in (normalize_over, reference):
        leaves = [
            leaf.clone(memory_format=torch.preserve_format).requires_grad_() for leaf in (x, weight, bias)
        ]
        out, *statistics = form(*leaves, 1e-5, weight)
        (out.float().sin() if out.dtype == torch.bfloat16 else out.sin()).sum().backward()
        found.append([out.detach(), *statistics, *(leaf.grad for leaf in leaves)])
    return found


@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "sliced"])
def test_the_function_equals_its_reference(in_processes, kernels, layout):
    def work(number: int) -> list:
        torch.manual_seed(number)
        x = torch.randn(4, 6, 3, 5, dtype=torch.float64) * 2 + 5
        if layout == "channels_last":
            x = x.to(memory_format=torch.channels_last)
        if layout == "sliced":
            x = x[:, ::2, :, 1:]
        torch.manual_seed(9)  # weights are equal everywhere
        weight, bias = torch.randn(2, x.shape[1], dtype=torch.float64)
        found = both_ways(x, weight, bias)
        kept = found[0][0].is_contiguous(memory_format=torch.channels_last)
        return [*found, kept or layout != "channels_last"]

    for ours, expected, kept in in_processes(2, work):
        torch.testing.assert_close(ours, expected, rtol=1e-12, atol=1e-12)
        assert kept


def test_alone_it_is_torchs_batch_norm(kernels):
    torch.manual_seed(0)
    x, (weight, bias) = torch.randn(6, 3, 4, 4).double(), torch.randn(2, 3).double()
    out, mean, var = normalize_over(x, weight, bias, 1e-5, weight)
    expected = torch.nn.functional.batch_norm(x, None, None, weight, bias, True, 0.0, 1e-5)
    torch.testing.assert_close(out, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close((mean, var), (x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)))


def test_the_kernels_of_cuda_take_what_they_are_given():
    """On a CPU torch refuses them only after it has read the arguments."""
    x, c, cuda = torch.randn(4, 3, 2, 2), torch.ones(3), batch_norm_kernels.Cuda
    calls = [
        lambda: cuda.moments(x, 1e-5, x.dtype),
        lambda: cuda.merge(x, torch.ones(2, 2, 3), 1e-5, 16),
        lambda: cuda.normalize(x, c, None, c, c, 1e-5),
        lambda: cuda.sums(x, x, c, c, None),
        lambda: cuda.slopes(x, x, c, c, c, c, c, (16, 16)),
    ]
    for call in calls:
        with pytest.raises(NotImplementedError, match=r"aten::batch_norm_.*'CPU' backend"):
            call()


def test_bfloat16_keeps_float32_statistics(in_processes):
    def work(number: int) -> list:
        torch.manual_seed(number)
        x = (torch.randn(8, 4, 3, 3) + 2).bfloat16().to(memory_format=torch.channels_last)
        return both_ways(x, torch.ones(4), torch.zeros(4))

    for ours, expected in in_processes(2, work):
        assert [t.dtype for t in ours] == [t.dtype for t in expected]
        torch.testing.assert_close(ours[1:3], expected[1:3], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(ours[0], expected[0], rtol=0.01, atol=0.01)
        torch.testing.assert_close(ours[3:], expected[3:], rtol=0.02, atol=0.02)


def test_nothing_of_the_inputs_size_is_kept_beside_it(in_processes):
    """What autograd keeps for the backward pass, in elements of the input."""

    def work(number: int) -> list[float]:
        x = torch.randn(32, 4, 6, 6, requires_grad=True)
        weight, bias = torch.ones(4, requires_grad=True), torch.zeros(4, requires_grad=True)
        sizes = []
        for form in (normalize_over, reference):
            kept: dict[int, int] = {}

            def note(tensor: torch.Tensor, kept: dict[int, int] = kept) -> torch.Tensor:
                kept[tensor.untyped_storage().data_ptr()] = tensor.numel()
                return tensor

            with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
                form(x, weight, bias, 1e-5, weight)
            sizes.append(sum(kept.values()) / x.numel())
        return sizes

    for ours, plain in in_processes(2, work):
        assert ours < 1.01 and plain > 2


def test_a_second_derivative_is_refused_rather_than_wrong(in_processes):
    def work(number: int) -> None:
        x = torch.randn(4, 2, requires_grad=True)
        out = BatchNorm(2)(x)
        with pytest.raises(RuntimeError, match="no second derivative"):
            torch.autograd.grad(out.square().sum(), x, create_graph=True)

    in_processes(2, work)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_kernels_of_cuda_equal_the_reference(dtype, memory_format):
    """In one process, whose statistics are those of a group of one: no message, the same kernels."""
    torch.manual_seed(0)
    x = (torch.randn(16, 8, 7, 7, device="cuda") + 2).to(dtype).to(memory_format=memory_format)
    parameters = torch.float64 if dtype == torch.float64 else torch.float32
    weight, bias = torch.rand(2, 8, device="cuda", dtype=parameters)
    ours, expected = both_ways(x, weight, bias)
    tolerance = {torch.float64: 1e-10, torch.float32: 1e-4, torch.bfloat16: 0.02}[dtype]
    torch.testing.assert_close(ours, expected, rtol=tolerance, atol=tolerance)
