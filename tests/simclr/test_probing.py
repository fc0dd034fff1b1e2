"""The probe: what it is asked, that it can learn it, and that it resumes to the bit."""

import gin
import pytest
import torch
from torch import nn

from simclr.metrics import accuracy
from simclr.probing import Probe, transformed_features

IMAGES = torch.randint(0, 256, (700, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


class Pixels(nn.Module):
    def forward(self, views: torch.Tensor) -> torch.Tensor:
        return views.flatten(1)


@pytest.fixture(autouse=True)
def policy():
    gin.clear_config()
    gin.bind_parameter("ViewPolicy.size", 8)
    gin.bind_parameter("color_distortion.strength", 0.5)
    yield
    gin.clear_config()


def ask(operator: str, *ops: str, seed: int = 0, epoch: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    gin.bind_parameter("ViewPolicy.ops", ops)
    return transformed_features(Pixels(), IMAGES, operator, seed, epoch)


def test_a_grey_target_is_a_grey_view():
    features, targets = ask("grayscale", "crop", "color")
    channels = features.view(-1, 3, 64)
    grey = (channels[:, 0] == channels[:, 1]).all(1) & (channels[:, 1] == channels[:, 2]).all(1)
    assert torch.equal(grey.long(), targets)
    assert 0.15 < targets.double().mean() < 0.25  # 20 %, Appendix A


def test_a_rotation_target_counts_quarter_turns():
    gin.bind_parameter("rotate.angles", (0, 90, 180, 270))
    features, targets = ask("rotate", "rotate")
    views, plain = features.view(-1, 3, 8, 8), IMAGES / 255
    for quarter in range(4):
        rows = targets == quarter
        assert rows.any()
        assert torch.allclose(views[rows], plain[rows].rot90(quarter, (2, 3)), atol=1e-6)


def test_noise_and_sobel_are_told_from_what_they_left_alone():
    gin.bind_parameter("sobel.probability", 0.5)
    features, targets = ask("sobel", "sobel")
    untouched = (features - (IMAGES / 255).flatten(1)).abs().amax(1) < 1e-6
    assert torch.equal(untouched, targets == 0)
    gin.bind_parameter("gaussian_noise.probability", 0.5)
    assert set(ask("gaussian_noise", "gaussian_noise")[1].tolist()) == {0, 1}


def test_views_of_another_epoch_are_other_draws():
    assert not torch.equal(ask("grayscale", "color")[1], ask("grayscale", "color", epoch=1)[1])


def test_what_the_policy_does_not_draw_cannot_be_asked():
    with pytest.raises(ValueError, match=r"draws no sobel/applied"):
        ask("sobel", "crop")
    with pytest.raises(ValueError, match=r"must be one of grayscale"):
        ask("colour", "crop")


def separable(n: int = 300) -> tuple[torch.Tensor, torch.Tensor]:
    """Classes 0 and 1 by the sign of a product: no linear classifier can tell them."""
    features = torch.randn(n, 4, generator=torch.Generator().manual_seed(1)) * 50 + 7
    centred = features - 7
    return features, (centred[:, 0] * centred[:, 1] > 0).long()


def trained(epochs: int = 60) -> Probe:
    return Probe(*separable(), seed=0, batch_size=50, epochs=epochs, base_lr=1.0)


def test_it_learns_what_is_not_linear():
    probe = trained()
    while probe.step_number < probe.total_steps:
        probe.step()
    features, targets = separable()
    assert float(accuracy(probe.predict(features), targets)) > 90


def test_in_float64_it_learns_the_same_and_all_of_it_is_in_float64():
    encoder = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten())
    gin.bind_parameter("ViewPolicy.ops", ("rotate",))
    found = {
        precision: transformed_features(encoder, IMAGES[:60], "rotate", 0, 0, precision=precision)
        for precision in ("float32", "float64")
    }
    (single, _), (double, targets) = found["float32"], found["float64"]
    assert double.dtype == torch.float64 and torch.allclose(single.double(), double, atol=1e-5)
    probe = Probe(double, targets, seed=0, batch_size=20, epochs=2, base_lr=0.5)
    losses = [probe.step()["loss"] for _ in range(probe.total_steps)]
    assert {loss.dtype for loss in losses} == {p.dtype for p in probe.mlp.parameters()} == {torch.float64}
    assert probe.predict(double).shape == (60,)
    other = Probe(single, targets, seed=0, batch_size=20, epochs=2, base_lr=0.5)
    expected = [other.step()["loss"] for _ in range(other.total_steps)]
    assert [float(a) for a in expected] == pytest.approx([float(b) for b in losses], abs=1e-4)


def test_a_constant_feature_gives_the_commonest_target():
    targets = torch.tensor([1] * 80 + [0] * 20)
    probe = Probe(torch.zeros(100, 1), targets, seed=0, batch_size=50, epochs=50, base_lr=0.5)
    while probe.step_number < probe.total_steps:
        probe.step()
    assert probe.predict(torch.zeros(3, 1)).tolist() == [1, 1, 1]


def test_it_resumes_to_the_bit():
    whole, first, second = trained(2), trained(2), trained(2)
    for _ in range(whole.total_steps):
        whole.step()
    for _ in range(5):
        first.step()
    second.load(first.state())
    while second.step_number < second.total_steps:
        second.step()
    assert all(
        torch.equal(a, b) for a, b in zip(whole.state().values(), second.state().values(), strict=True)
    )


@pytest.mark.parametrize(("batch_size", "epochs"), [(0, 1), (301, 1), (10, 0)])
def test_impossible_settings_are_refused(batch_size, epochs):
    with pytest.raises(ValueError, match=r"batch_size|epochs"):
        Probe(*separable(), seed=0, batch_size=batch_size, epochs=epochs, base_lr=1.0)
