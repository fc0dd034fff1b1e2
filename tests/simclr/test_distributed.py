import gin
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from simclr import distributed
from simclr.distributed import (
    all_reduce_sum,
    average_gradients,
    gather_rows,
    mean_over_processes,
    rank,
    replicated,
    world_size,
)
from simclr.encoder import resnet
from simclr.heads import projection_head
from simclr.losses.nt_xent import nt_xent_blockwise


def test_alone_everything_is_the_identity():
    x = torch.randn(3, 2, requires_grad=True)
    assert (rank(), world_size()) == (0, 1)
    assert gather_rows(x) is x and all_reduce_sum(x) is x
    assert torch.equal(mean_over_processes(x), x)
    assert distributed.concatenated(x) is x and distributed.own_part_of_sum(x) is x
    assert distributed.subgroup(1) is None
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


@pytest.mark.parametrize("processes", [2, 3])
def test_one_tensor_and_lists_carry_the_same(in_processes, monkeypatch, processes):
    def work(number: int) -> list:
        rows = torch.arange(6.0).view(2, 3) + 10 * number
        found = []
        for takes in (True, False):
            monkeypatch.setattr(distributed, "_takes_one_tensor", lambda takes=takes: takes)
            gathered = distributed.concatenated(rows.T)
            found.append((gathered.tolist(), distributed.own_part_of_sum(gathered * (number + 1)).tolist()))
        return found

    def asks(number: int) -> bool:
        return distributed._takes_one_tensor() and distributed._takes_one_tensor()

    if not all(in_processes(1, asks)):
        pytest.skip("this gloo gathers with lists only")
    for one_tensor, lists in in_processes(processes, work):
        assert one_tensor == lists


def test_a_gloo_that_refuses_one_tensor_is_served_with_lists(in_processes, monkeypatch):
    def refuse(*args: object, **kwargs: object) -> None:
        raise RuntimeError("Backend gloo does not support this")

    def work(number: int) -> tuple:
        monkeypatch.setattr(distributed, "_reduce_scatter", refuse)
        x = torch.full((1, 2), number + 1.0, requires_grad=True)
        (gather_rows(x)[0] * (number + 1)).sum().backward()
        return x.grad.tolist(), distributed._takes_one_tensor()

    assert in_processes(2, work) == [([[3.0, 3.0]], False), ([[0.0, 0.0]], False)]


def test_subgroups_are_consecutive_processes(in_processes):
    def work(number: int) -> list:
        sums = []
        for count in (1, 2, 4, 2):
            group = distributed.subgroup(count)
            rows = gather_rows(torch.tensor([number]), group).tolist()
            sums.append((rows, all_reduce_sum(torch.tensor(number), group).item(), world_size(group)))
        with pytest.raises(ValueError, match="4 processes make no 3 equal parts"):
            distributed.subgroup(3)
        return sums

    everyone = ([0, 1, 2, 3], 6, 4)
    for number, found in enumerate(in_processes(4, work)):
        pair = [0, 1] if number < 2 else [2, 3]
        assert found == [everyone, (pair, sum(pair), 2), ([number], number, 1), (pair, sum(pair), 2)]


class Tiny(nn.Module):
    """Encoder and head with global batch norm, beside which a classifier learns from detached features."""

    def __init__(self) -> None:
        super().__init__()
        gin.bind_parameter("resnet.depth", 8)
        gin.bind_parameter("resnet.stem", "cifar")
        gin.bind_parameter("resnet.base_channels", 4)
        gin.bind_parameter("projection_head.out_dim", 8)
        self.encoder = resnet(seed=0)
        self.head = projection_head(self.encoder.feature_dim, seed=0)
        self.classifier = nn.Linear(self.encoder.feature_dim, 3)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        h = self.encoder(images)
        return self.head(h), self.classifier(h.detach())


def twenty_steps(processes: int, number: int, wrap: bool) -> dict:
    torch.manual_seed(0)
    networks = Tiny().double().to(memory_format=torch.channels_last)
    images = torch.rand(20, 2, 16, 3, 8, 8, dtype=torch.float64)
    labels = torch.arange(16) % 3
    called = replicated(networks) if wrap else networks
    optimizer = torch.optim.SGD(networks.parameters(), lr=0.001, momentum=0.9)
    own = torch.arange(16).chunk(processes)[number]
    losses = []
    for views in images:
        z, logits = called(views[:, own].flatten(0, 1).contiguous(memory_format=torch.channels_last))
        loss = nt_xent_blockwise(*z.chunk(2), 0.2) + F.cross_entropy(logits, labels[own].repeat(2))
        optimizer.zero_grad()
        loss.backward()
        if not wrap:
            average_gradients(networks.parameters())
        optimizer.step()
        losses.append(mean_over_processes(loss.detach()))
    gradients = {f"{name}.grad": p.grad.clone() for name, p in networks.named_parameters()}
    return {"losses": torch.stack(losses), **gradients, **networks.state_dict()}


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_twenty_replicated_steps_are_those_of_one_process(in_processes, processes):
    expected = twenty_steps(1, 0, wrap=False)
    assert (expected["losses"].diff() != 0).all()
    for found in in_processes(processes, lambda number: twenty_steps(processes, number, wrap=True)):
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(
                found[name], value, rtol=1e-10, atol=1e-10, msg=lambda m, name=name: f"{name}: {m}"
            )


def test_averaged_gradients_are_the_replicated_ones(in_processes):
    replicated_ones, averaged = (
        in_processes(2, lambda number, wrap=wrap: twenty_steps(2, number, wrap)) for wrap in (True, False)
    )
    for name, value in averaged[0].items():
        torch.testing.assert_close(replicated_ones[0][name], value, rtol=1e-10, atol=1e-10, msg=name)


def test_alone_a_module_is_called_itself():
    module = nn.Linear(2, 2)
    assert replicated(module) is module
