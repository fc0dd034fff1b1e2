import math

import gin
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from simclr import objectives
from simclr.objectives import contrastive_statistics, margin_triplet, nt_logistic, nt_xent

DEGENERATE = {"input_collapsed", "input_zerorow"}  # treated apart below


def _regular_cases() -> list[int]:
    return [number for number in range(32) if number not in (29, 30)]


def _official(arrays: dict, case: dict) -> tuple[torch.Tensor, torch.Tensor]:
    """The official loss and its gradient from our code: theirs is twice the paper's L."""
    hidden = torch.from_numpy(arrays[case["input"]]).double().requires_grad_()
    za, zb = hidden.chunk(2)
    loss = 2 * nt_xent(za, zb, case["temperature"], l2_normalize=case["hidden_norm"])
    loss.backward()
    return loss.detach(), hidden.grad


@pytest.mark.parametrize("number", _regular_cases())
def test_loss_and_gradient_agree_with_the_official_code(golden, number):
    arrays, cases = golden("contrastive_loss")
    case = cases[number]
    assert case["input"] not in DEGENERATE
    key = case["case"]
    loss, gradient = _official(arrays, case)
    expected = torch.from_numpy(arrays[f"{key}_grad64"])
    # N = 256 is stored in float32. Rounding of the logits (up to 30 / 0.05) bounds what a tiny loss can agree
    # to.
    relative = 1e-10 if expected.dtype == torch.float64 else 6e-8
    assert loss.item() == pytest.approx(float(arrays[f"{key}_loss64"]), rel=1e-10, abs=1e-14)
    bound = relative * expected.abs().max().item() + 1e-14
    torch.testing.assert_close(gradient, expected.double(), rtol=0, atol=bound)


@pytest.mark.parametrize("number", range(32))
def test_statistics_agree_with_the_official_metrics(golden, number):
    arrays, cases = golden("contrastive_loss")
    case = cases[number]
    # In float64, so that only the official code's rounding stands between the two, on whatever CPU.
    za, zb = torch.from_numpy(arrays[case["input"]]).double().chunk(2)
    accuracy, entropy = contrastive_statistics(za, zb, case["temperature"], case["hidden_norm"])
    assert accuracy.item() == 100 * float(arrays[f"{case['case']}_acc"])
    # The official metric is a float32 one: its 1e-8 inside the logarithm vanishes next to p = 1.
    assert entropy.item() == pytest.approx(float(arrays[f"{case['case']}_entropy"]), rel=2.4e-7, abs=1e-7)


def test_collapsed_rows_have_no_gradient(golden):
    arrays, cases = golden("contrastive_loss")
    loss, gradient = _official(arrays, cases[29])
    assert cases[29]["input"] == "input_collapsed"
    assert loss.item() == pytest.approx(2 * math.log(2 * 8 - 1), rel=1e-14)
    assert gradient.abs().max().item() < 1e-15


def test_a_zero_row_gets_the_official_gradient(golden):
    """With torch's F.normalize the gradient of that row would be a million times larger."""
    arrays, cases = golden("contrastive_loss")
    loss, gradient = _official(arrays, cases[30])
    assert cases[30]["input"] == "input_zerorow"
    assert loss.item() == pytest.approx(float(arrays["case30_loss64"]), rel=1e-12)
    expected = torch.from_numpy(arrays["case30_grad64"])
    torch.testing.assert_close(gradient, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("number", [0, 1])
def test_loss_and_gradient_over_processes_agree_with_the_official_replicas(golden, in_processes, number):
    arrays, cases = golden("contrastive_loss_dist")
    case = cases[number]
    key, replicas = case["case"], case["replicas"]

    def work(rank: int) -> tuple[float, torch.Tensor]:
        hidden = torch.from_numpy(arrays[f"{key}_hidden"][rank]).double().requires_grad_()
        loss = 2 * nt_xent(*hidden.chunk(2), case["temperature"], l2_normalize=case["hidden_norm"])
        (loss / replicas).backward()
        return loss.item(), hidden.grad

    results = in_processes(replicas, work)
    losses, gradient = [loss for loss, _ in results], torch.stack([g for _, g in results])
    assert losses == pytest.approx(arrays[f"{key}_loss"].tolist(), rel=2e-6)  # float32
    assert sum(losses) / replicas == pytest.approx(float(arrays[f"{key}_single_loss64"]), rel=1e-12)
    torch.testing.assert_close(
        gradient, torch.from_numpy(arrays[f"{key}_single_grad64"]), rtol=1e-10, atol=1e-14
    )
    torch.testing.assert_close(
        gradient, torch.from_numpy(arrays[f"{key}_grad"]).double(), rtol=1e-4, atol=1e-7
    )


@pytest.mark.parametrize("negatives", ["both", "other_view"])
@pytest.mark.parametrize("semi_hard", [False, True])
def test_other_losses_over_processes_are_those_of_the_whole_batch(in_processes, negatives, semi_hard):
    torch.manual_seed(0)
    z = torch.randn(2, 6, 4, dtype=torch.float64)

    def run(rows: slice) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        part = z[:, rows].clone().requires_grad_()
        chosen = {"negatives": negatives, "semi_hard": semi_hard}
        loss = nt_logistic(*part, 0.5, **chosen) + margin_triplet(*part, 0.8, **chosen)
        loss.backward()
        return loss.detach(), part.grad, torch.stack(contrastive_statistics(*part.detach(), 0.5))

    loss, gradient, statistics = run(slice(None))
    parts = in_processes(2, lambda rank: run(slice(3 * rank, 3 * rank + 3)))
    torch.testing.assert_close((parts[0][0] + parts[1][0]) / 2, loss, rtol=1e-13, atol=0)
    torch.testing.assert_close(torch.cat([p[1] for p in parts], dim=1) / 2, gradient, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close((parts[0][2] + parts[1][2]) / 2, statistics, rtol=1e-12, atol=0)


def test_identical_rows_cost_the_log_of_the_candidates():
    z = torch.ones(4, 3, dtype=torch.float64)
    assert nt_xent(z, z, 0.5).item() == pytest.approx(math.log(7))  # 8 rows, all but the anchor, all equal
    assert nt_xent(z, z, 0.5, negatives="other_view").item() == pytest.approx(math.log(4))


def test_nt_xent_agrees_with_pytorch_metric_learning():
    from pytorch_metric_learning.losses import NTXentLoss

    torch.manual_seed(0)
    za, zb = torch.randn(2, 16, 8, dtype=torch.float64)
    expected = NTXentLoss(temperature=0.2)(torch.cat([za, zb]), torch.arange(16).repeat(2))
    assert nt_xent(za, zb, 0.2).item() == pytest.approx(
        expected.item(), rel=1e-6
    )  # theirs adds a float32 epsilon


# Two images in the plane: a0 = (1, 0) with positive b0 at similarity 0.8; a1 = (0, 1) with positive b1 at
# 0.96.
ZA = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
ZB = torch.tensor([[0.8, 0.6], [0.28, 0.96]], dtype=torch.float64)
ACROSS = {"a0": (0.8, [0.28]), "a1": (0.96, [0.6]), "b0": (0.8, [0.6]), "b1": (0.96, [0.28])}


def _logistic(positive: float, negative: float, t: float) -> float:
    return math.log1p(math.exp(-positive / t)) + math.log1p(math.exp(negative / t))


def test_logistic_and_margin_by_hand_with_the_other_view_only():
    logistic = [_logistic(positive, negative[0], 0.5) for positive, negative in ACROSS.values()]
    ours = nt_logistic(ZA, ZB, 0.5, negatives="other_view").item()
    assert ours == pytest.approx(sum(logistic) / 4, rel=1e-12)
    triplet = [max(negative[0] - positive + 0.4, 0) for positive, negative in ACROSS.values()]
    ours = margin_triplet(ZA, ZB, 0.4, negatives="other_view").item()
    assert ours == pytest.approx(sum(triplet) / 4, rel=1e-12)


def test_the_mean_over_both_views_negatives_by_hand():
    """Anchor a0 has negatives a1 (similarity 0) and b1 (0.28)."""
    a0 = (max(0.28 - 0.8 + 1, 0) + (0 - 0.8 + 1)) / 2
    a1 = ((0.6 - 0.96 + 1) + (0 - 0.96 + 1)) / 2
    bb = 0.8 * 0.28 + 0.6 * 0.96
    b0 = ((0.6 - 0.8 + 1) + (bb - 0.8 + 1)) / 2
    b1 = ((0.28 - 0.96 + 1) + (bb - 0.96 + 1)) / 2
    assert margin_triplet(ZA, ZB, 1.0).item() == pytest.approx((a0 + a1 + b0 + b1) / 4, rel=1e-12)


def test_semi_hard_keeps_the_most_similar_negative_below_the_positive():
    positive = torch.tensor([0.5, 0.5, 0.1])
    negative = torch.tensor([[0.9, 0.4, 0.3], [0.5, 0.2, -1.0], [0.2, 0.3, 0.1]])
    kept = objectives.hardest_below(negative, positive).flatten()
    assert kept.tolist() == pytest.approx([0.4, 0.2, -math.inf])


def test_an_anchor_without_semi_hard_negative_has_no_negative_term():
    za = torch.tensor([[1.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    zb = torch.tensor([[0.0, 1.0], [0.0, 1.0]], dtype=torch.float64)  # every negative is at least as similar
    assert margin_triplet(za, zb, 0.8, semi_hard=True).item() == 0
    assert nt_logistic(za, zb, 0.5, semi_hard=True).item() == pytest.approx(math.log(2))
    assert margin_triplet(ZA, ZB, 0.0, semi_hard=True).item() == 0  # no similarity is inside an empty margin


@settings(max_examples=20, deadline=None)
@given(n=st.integers(1, 6), seed=st.integers(0, 1000), temperature=st.floats(0.05, 2.0))
def test_losses_do_not_depend_on_the_order_of_images_or_views_nor_on_lengths(n, seed, temperature):
    generator = torch.Generator().manual_seed(seed)
    za, zb = torch.randn(2, n, 5, generator=generator, dtype=torch.float64)
    order = torch.randperm(n, generator=generator)
    for loss in (nt_xent, nt_logistic, margin_triplet):
        expected = loss(za, zb, temperature).item()
        assert loss(zb, za, temperature).item() == pytest.approx(expected, rel=1e-12, abs=1e-13)
        assert loss(za[order], zb[order], temperature).item() == pytest.approx(expected, rel=1e-12, abs=1e-13)
        assert loss(3 * za, zb / 7, temperature).item() == pytest.approx(expected, rel=1e-10, abs=1e-13)


TABLE_2 = ["nt_xent", "nt_logistic", "margin_triplet"]


@pytest.mark.parametrize("name", TABLE_2)
def test_gradients_of_table_2_are_those_of_autodiff(name):
    torch.manual_seed(0)
    objective, gradient = (getattr(objectives, f"{what}_{name}") for what in ("objective", "gradient"))
    for _ in range(5):
        u, positive, *negatives = F.normalize(torch.randn(9, 6, dtype=torch.float64), dim=1)
        negatives = torch.stack(negatives)
        u.requires_grad_()
        (expected,) = torch.autograd.grad(objective(u, positive, negatives, 0.4), u)
        torch.testing.assert_close(gradient(u, positive, negatives, 0.4), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", TABLE_2)
def test_losses_are_the_negated_mean_of_table_2_objectives(name):
    torch.manual_seed(1)
    za, zb = F.normalize(torch.randn(2, 4, 3, dtype=torch.float64), dim=2)
    objective = getattr(objectives, f"objective_{name}")
    values = []
    for own, other in ((za, zb), (zb, za)):
        for i in range(4):
            rest = [j for j in range(4) if j != i]
            values.append(objective(own[i], other[i], torch.cat([other[rest], own[rest]]), 0.5))
    loss = getattr(objectives, name)(za, zb, 0.5)
    torch.testing.assert_close(loss, -torch.stack(values).mean(), rtol=1e-12, atol=0)


def test_mistakes_are_errors():
    za = torch.zeros(3, 2)
    with pytest.raises(ValueError, match=r"\(3, 2\) and \(2, 2\)"):
        nt_xent(za, za[:2], 0.5)
    with pytest.raises(ValueError, match="'neither'"):
        margin_triplet(za, za, 0.5, negatives="neither")


@pytest.mark.parametrize(("loss", "required"), [(nt_xent, "temperature"), (margin_triplet, "margin")])
def test_what_the_paper_varies_must_be_chosen(loss, required):
    za = torch.ones(2, 2)
    with pytest.raises(RuntimeError, match=required):
        loss(za, za)
    gin.bind_parameter(f"{loss.__name__}.{required}", 0.5)
    assert torch.isfinite(loss(za, za))
