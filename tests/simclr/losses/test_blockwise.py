"""The blockwise form is NT-Xent to 1e-10 in float64, in a fraction of the memory."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from simclr.losses import blockwise
from simclr.losses.global_batch import normalize
from simclr.losses.nt_xent import nt_xent, nt_xent_blockwise, nt_xent_whole
from simclr.losses.statistics import contrastive_statistics

both_negatives = pytest.mark.parametrize("negatives", ["both", "other_view"])


@pytest.fixture(params=[1, 40, 10**6], ids=lambda size: f"block of {size}")
def small_blocks(request, monkeypatch):
    """One anchor at a time, a few with a rest, all at once."""
    monkeypatch.setattr(blockwise, "BLOCKWISE_FROM", 0)
    monkeypatch.setattr(blockwise, "BLOCK", {"cpu": request.param})


def views(n: int, d: int = 6) -> torch.Tensor:
    torch.manual_seed(n)
    return torch.randn(2, n, d, dtype=torch.float64)


def loss_and_gradient(form, z, *args):
    z = z.clone().requires_grad_()
    loss = form(*z, *args)
    (3 * loss).backward()
    return loss.detach(), z.grad


@both_negatives
@pytest.mark.parametrize("n", [2, 7, 16])
@pytest.mark.parametrize(("temperature", "l2_normalize"), [(0.05, True), (0.5, True), (1.0, False)])
def test_loss_and_gradient_are_those_of_the_whole_matrix(
    small_blocks, n, temperature, l2_normalize, negatives
):
    z = views(n)
    expected = loss_and_gradient(nt_xent_whole, z, temperature, l2_normalize, negatives)
    found = loss_and_gradient(nt_xent_blockwise, z, temperature, l2_normalize, negatives)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("number", [number for number in range(32) if number not in (29, 30)])
def test_the_official_loss_and_gradient(golden, small_blocks, number):
    arrays, cases = golden("contrastive_loss")
    case = cases[number]
    hidden = torch.from_numpy(arrays[case["input"]]).double()
    z = hidden.view(2, -1, hidden.shape[1])
    loss, gradient = loss_and_gradient(nt_xent_blockwise, z, case["temperature"], case["hidden_norm"])
    expected = torch.from_numpy(arrays[f"{case['case']}_grad64"])
    relative = 1e-10 if expected.dtype == torch.float64 else 6e-8  # N = 256 is stored in float32
    bound = relative * expected.abs().max().item() + 1e-14
    assert 2 * loss.item() == pytest.approx(float(arrays[f"{case['case']}_loss64"]), rel=1e-10, abs=1e-14)
    # theirs is twice L, ours was scaled by 3
    torch.testing.assert_close(gradient.flatten(0, 1) * 2 / 3, expected.double(), rtol=0, atol=bound)


@both_negatives
@pytest.mark.parametrize("processes", [2, 4])
def test_over_processes_the_gradient_is_that_of_the_whole_batch(
    in_processes, monkeypatch, processes, negatives
):
    monkeypatch.setattr(blockwise, "BLOCKWISE_FROM", 0)
    monkeypatch.setattr(blockwise, "BLOCK", {"cpu": 50})
    z = views(12)
    loss, gradient = loss_and_gradient(nt_xent_whole, z, 0.2, True, negatives)
    n = 12 // processes

    def work(rank: int) -> tuple[torch.Tensor, torch.Tensor]:
        return loss_and_gradient(nt_xent_blockwise, z[:, n * rank : n * (rank + 1)], 0.2, True, negatives)

    parts = in_processes(processes, work)
    found = sum(part[0] for part in parts) / processes, torch.cat([p[1] for p in parts], dim=1) / processes
    torch.testing.assert_close(found, (loss, gradient), rtol=1e-11, atol=1e-14)


def test_statistics_in_blocks_are_those_of_the_whole_matrix(monkeypatch):
    z = views(17)
    expected = contrastive_statistics(*z, 0.3)
    monkeypatch.setattr(blockwise, "BLOCKWISE_FROM", 0)
    monkeypatch.setattr(blockwise, "BLOCK", {"cpu": 40})
    torch.testing.assert_close(contrastive_statistics(*z, 0.3), expected, rtol=1e-13, atol=0)


def test_size_chooses_the_form(monkeypatch):
    z = views(8).float()
    assert torch.equal(nt_xent(*z, 0.5), nt_xent_whole(*z, 0.5))  # small runs keep their bits
    monkeypatch.setattr("simclr.losses.nt_xent.BLOCKWISE_FROM", 256)
    monkeypatch.setattr("simclr.losses.nt_xent.nt_xent_whole", None)
    assert torch.equal(nt_xent(*z, 0.5), nt_xent_blockwise(*z, 0.5))


def test_autocast_does_not_round_the_products():
    z = views(8).float()
    with torch.autocast("cpu", torch.bfloat16):
        found = nt_xent_blockwise(*z, 0.1)
    assert torch.equal(found, nt_xent_blockwise(*z, 0.1))


def test_a_second_derivative_is_refused_rather_than_wrong():
    z = normalize(views(3)[0]).requires_grad_()
    with pytest.raises(RuntimeError, match="no second derivative; use nt_xent_whole"):
        torch.autograd.grad(nt_xent_blockwise(z, z.flip(0), 0.5), z, create_graph=True)


@pytest.mark.parametrize("form", [nt_xent_whole, nt_xent_blockwise, nt_xent])
@pytest.mark.parametrize("temperature", [0, -0.1, float("nan"), float("inf")])
def test_a_temperature_that_is_no_positive_number_is_an_error(form, temperature):
    with pytest.raises(ValueError, match=r"nt_xent.temperature must be a finite number above 0, found"):
        form(*views(2), temperature)


ROOT = Path(__file__).resolve().parents[3]
PEAK = """
import sys, torch
from simclr.losses import nt_xent
from tests.peak import peak_bytes
torch.set_num_threads(1)
form, n, d = getattr(nt_xent, sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
run = lambda n: form(*torch.randn(2, n, d, requires_grad=True), 0.1).backward()
run(8)
before = peak_bytes()
run(n)
print(peak_bytes() - before)
"""


def peak_of(form: str, n: int, d: int) -> int:
    """Bytes that one step of the form adds to what its process held before."""
    words = [sys.executable, "-c", PEAK, form, str(n), str(d)]
    done = subprocess.run(words, capture_output=True, check=True, cwd=ROOT)
    return int(done.stdout)


def test_peak_memory_is_a_fraction_of_the_whole_matrix():
    """N = 4096, d = 128: the matrix alone has 268 MB in float32, and the plain form holds several."""
    assert 0 < peak_of("nt_xent_blockwise", 4096, 128) < 0.6 * peak_of("nt_xent_whole", 4096, 128)


def test_memory_does_not_grow_with_the_square_of_the_batch():
    small, large = (peak_of("nt_xent_blockwise", n, 8) for n in (2048, 8192))
    assert large - small < 100e6  # the matrix would grow by a gigabyte


@pytest.mark.parametrize(
    ("rows", "columns", "device", "at_once"),
    [
        (2047, 2048, "cpu", 2047),
        (2048, 2048, "cpu", 512),
        (2048, 2048, "cuda", 16384),
        (4096, 8192, "cpu", 128),
        (4096, 8192, "cuda", 4096),
        (2, 2**26, "cpu", 1),
        (2, 2**26, "cuda", 1),
    ],
)
def test_a_block_is_what_a_cache_holds_or_keeps_an_accelerator_busy(rows, columns, device, at_once):
    """From four million similarities on: a million at once on a processor, 32 million on an accelerator."""
    assert blockwise.rows_at_once(rows, columns, torch.device(device)) == at_once
