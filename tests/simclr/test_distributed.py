import pytest
import torch
from torch import nn

from simclr.batch_norm import BatchNorm
from simclr.distributed import (
    all_reduce_sum,
    average_gradients,
    gather_rows,
    mean_over_processes,
    rank,
    world_size,
)


def test_alone_everything_is_the_identity():
    x = torch.randn(3, 2, requires_grad=True)
    assert (rank(), world_size()) == (0, 1)
    assert gather_rows(x) is x and all_reduce_sum(x) is x
    assert torch.equal(mean_over_processes(x), x)
    parameter = nn.Parameter(torch.ones(2))
    parameter.grad = torch.ones(2)
    average_gradients([parameter])
    assert parameter.grad.tolist() == [1.0, 1.0]


def test_gathered_rows_stand_in_order_of_rank_and_carry_every_processes_gradient(in_processes):
    def work(number: int) -> tuple:
        x = torch.full((2, 1), float(number), requires_grad=True)
        rows = gather_rows(x)
        # Process r weighs row i by (r + 1) * i, so the sum of losses weighs it by 3 i.
        (rows[:, 0] @ torch.arange(4.0) * (number + 1)).backward()
        return rows.detach().flatten().tolist(), x.grad.flatten().tolist()

    assert in_processes(2, work) == [([0, 0, 1, 1], [0, 3]), ([0, 0, 1, 1], [6, 9])]


def test_sum_and_mean_over_processes(in_processes):
    def work(number: int) -> tuple:
        x = torch.tensor(float(number + 1), requires_grad=True)
        total = all_reduce_sum(x)
        (total.square() * (number + 1)).backward()  # d/dx of (1 + 2) * 3^2 is 2 * 3 * 3
        return total.item(), x.grad.item(), mean_over_processes(x).item()

    assert in_processes(2, work) == [(3.0, 18.0, 1.5)] * 2


def test_average_gradients_handles_dtypes_shapes_and_missing_gradients(in_processes):
    def work(number: int) -> list:
        parameters = [nn.Parameter(torch.zeros(2, 3, 1, 1)), nn.Parameter(torch.zeros(2).double())]
        for parameter in parameters:
            parameter.grad = torch.full_like(parameter, number * 2.0)
        parameters[0].grad = parameters[0].grad.to(memory_format=torch.channels_last)
        frozen = nn.Parameter(torch.zeros(1))
        average_gradients([*parameters, frozen])
        return [p.grad.flatten().tolist() for p in parameters] + [frozen.grad]

    assert in_processes(2, work) == [[[1.0] * 6, [1.0] * 2, None]] * 2


@pytest.mark.parametrize("shape", [(8, 3), (8, 3, 4, 5)])
def test_batch_norm_over_two_processes_is_batch_norm_of_the_whole_batch(in_processes, shape):
    torch.manual_seed(0)
    x = 3 + torch.randn(shape, dtype=torch.float64)
    weights = torch.randn(shape, dtype=torch.float64)

    def run(rows: slice) -> dict[str, torch.Tensor]:
        layer = BatchNorm(3).double()
        with torch.no_grad():
            layer.weight.copy_(torch.tensor([0.5, 1.0, 2.0]))
        part = x[rows].clone().requires_grad_()
        out = layer(part)
        (out * weights[rows]).sum().backward()
        found = {"out": out.detach(), "grad": part.grad, "weight": layer.weight.grad, "bias": layer.bias.grad}
        return found | {"mean": layer.running_mean, "var": layer.running_var}

    alone = run(slice(None))
    parts = in_processes(2, lambda number: run(slice(4 * number, 4 * number + 4)))
    together = {key: torch.cat([p[key] for p in parts]) for key in ("out", "grad")}
    together |= {key: parts[0][key] + parts[1][key] for key in ("weight", "bias")}
    together |= {key: parts[1][key] for key in ("mean", "var")}
    for key, value in together.items():
        torch.testing.assert_close(
            value, alone[key], rtol=1e-12, atol=1e-12, msg=lambda m, key=key: f"{key}: {m}"
        )


def test_local_statistics_stay_local(in_processes):
    def work(number: int) -> float:
        layer = BatchNorm(1, momentum=0.0, global_statistics=False)
        layer(torch.tensor([[number + 1.0], [number + 2.0]]))
        return layer.running_mean.item()

    assert in_processes(2, work) == [1.5, 2.5]
