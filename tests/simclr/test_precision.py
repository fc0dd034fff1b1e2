"""bfloat16 for the encoder alone, close to float32 after twenty steps; float32 is what it was."""

import pytest
import torch
from torch import nn

from simclr import precision
from simclr.encoder import resnet
from simclr.evaluation import evaluated
from simclr.heads import Projected, projection_head
from simclr.precision import encoded, fast_bfloat16
from tests.simclr.small import IMAGES, KINDS, classifiers, losses, pretraining, small_resnet


class Spy(nn.Module):
    """A convolution that notes in which type it computed, and one feature per channel."""

    feature_dim = 4

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.seen = nn.Conv2d(3, 4, 3), []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.conv(x)
        self.seen.append((x.dtype, out.dtype))
        return out.mean((2, 3))


@pytest.mark.parametrize(
    ("name", "computes", "gives"),
    [
        ("float32", torch.float32, torch.float32),
        ("bfloat16", torch.bfloat16, torch.float32),
        ("float64", torch.float64, torch.float64),
    ],
)
def test_the_encoder_alone_computes_in_the_precision(name, computes, gives):
    encoder, seen = Spy(), []
    head = projection_head(4, out_dim=8)
    head.register_forward_hook(lambda _, given, z: seen.extend([given[0].dtype, z.dtype]))

    def loss(za: torch.Tensor, zb: torch.Tensor) -> torch.Tensor:
        seen.extend([za.dtype, zb.dtype])
        return (za - zb).square().mean()

    training = pretraining(encoder, head=head, loss=loss, precision=name)
    training.step()
    assert encoder.seen[0][1] == computes and set(seen) == {gives}
    assert {p.dtype for p in training.networks.parameters()} == {gives}


def test_h_is_not_rounded_to_bfloat16():
    """Its mean over the places has more bits than a bfloat16 number."""
    h = encoded(resnet(depth=8, stem="cifar", base_channels=4).eval(), IMAGES / 255, "bfloat16")
    assert h.dtype == torch.float32 and not torch.equal(h, h.bfloat16().float())


def test_the_head_of_an_evaluated_network_is_in_float32_too():
    encoder, head = Spy(), projection_head(4, out_dim=8).eval()
    z = evaluated(Projected(encoder, head), IMAGES, 8, precision="bfloat16")
    h = evaluated(encoder, IMAGES, 8, precision="bfloat16")
    assert encoder.seen[0][1] == torch.bfloat16
    assert torch.equal(z, head(h))


def test_pretraining_in_bfloat16_is_close_after_twenty_steps():
    exact, close = pretraining(base_lr=1.0), pretraining(base_lr=1.0, precision="bfloat16")
    expected, found = torch.tensor(losses(exact)), torch.tensor(losses(close))
    assert not torch.equal(found, expected)
    assert found[0] == pytest.approx(expected[0].item(), rel=1e-3)  # half of bfloat16's last bit is 2^-9
    # From then on the weights go their own ways, and ten images of four channels make steep losses.
    torch.testing.assert_close(found, expected, rtol=0.1, atol=0)
    assert found.mean() == pytest.approx(expected.mean().item(), rel=0.02)


@pytest.mark.parametrize("kind", KINDS[:4])
def test_classifiers_in_bfloat16_are_close_after_twenty_steps(kind):
    exact, close = classifiers()[kind], classifiers("bfloat16")[kind]
    expected, found = torch.tensor(losses(exact)), torch.tensor(losses(close))
    assert not torch.equal(found, expected)
    assert found[-5:].mean() == pytest.approx(expected[-5:].mean().item(), rel=0.1, abs=0.02)
    scores = close.logits(IMAGES)
    assert scores.dtype == torch.float32 and {p.dtype for p in close.encoder.parameters()} == {torch.float32}


@pytest.mark.parametrize("kind", KINDS[:4])
def test_another_precision_is_refused(kind):
    with pytest.raises(ValueError, match=r"Classification.precision must be one of .*, found 'float16'"):
        classifiers("float16")


def test_whether_a_cpu_has_bfloat16_is_asked_of_torch(monkeypatch):
    for found, expected in (({"avx512_bf16": True}, True), ({"avx512_bf16": False, "avx2": True}, False)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=found: found, raising=False)
        assert fast_bfloat16() is expected
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    assert fast_bfloat16() is True
    assert set(precision.DTYPES) == {"float64", "float32", "bfloat16"}


def test_a_mean_in_float32_is_what_it_was():
    encoder, images = small_resnet().eval(), IMAGES / 255
    seen = []
    encoder.groups[-1].register_forward_hook(lambda _, __, out: seen.append(out))
    h = encoder(images)
    assert torch.equal(h, seen[0].mean(dim=(2, 3)))
