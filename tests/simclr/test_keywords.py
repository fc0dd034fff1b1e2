"""The library by keyword arguments alone, as a person writes it: gin holds nothing."""

from functools import partial

import gin
import pytest
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from simclr.heads import projection_head
from simclr.objectives import contrastive_statistics, margin_triplet, nt_logistic, nt_xent
from simclr.training import Pretraining
from simclr.views import OPERATORS, ViewPolicy
from simclr.views.base import Operator
from simclr.views.standard import ColorDistortion, GaussianBlur, Grayscale, RandomCrop, RandomFlip
from tests.simclr.small import IMAGES, KINDS, LABELS, SIZE, classifiers, losses, pretraining, small_resnet


@pytest.fixture(autouse=True)
def no_gin(no_gin_bindings):
    gin.clear_config()


def test_twenty_steps_of_pretraining_lower_the_loss():
    found = losses(pretraining())
    assert sum(found[-5:]) / 5 < sum(found[:5]) / 5 - 0.2


@pytest.mark.parametrize("wrapped", [True, False])
def test_two_processes_make_twenty_steps_of_one(in_processes, wrapped):
    """Wrapped by the user in DistributedDataParallel, which then averages the encoder's gradients, or bare."""

    def work(rank: int, alone: bool = False) -> tuple[list[float], dict[str, torch.Tensor]]:
        encoder = small_resnet().double()
        if wrapped and not alone:
            encoder = DistributedDataParallel(encoder)
        # At a rate that does not make last bits grow by itself.
        training = pretraining(encoder, precision="float64", base_lr=8.0)
        found = losses(training)
        return found, {name.replace(".module.", "."): value for name, value in training.state().items()}

    expected_losses, expected = work(0, alone=True)
    for found_losses, found in in_processes(2, work):
        torch.testing.assert_close(found_losses, expected_losses, rtol=0, atol=1e-10)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_twenty_steps_of_every_other_training_lower_the_loss(kind):
    found = losses(classifiers()[kind])
    assert sum(found[-4:]) < sum(found[:4]) - 0.1


@pytest.mark.parametrize("kind", KINDS[:4])
def test_two_processes_make_the_classifier_of_one(in_processes, kind):
    def work(_: int) -> tuple[list[float], dict[str, torch.Tensor]]:
        training = classifiers("float64")[kind]
        return losses(training), training.state()

    expected_losses, expected = work(0)
    for found_losses, found in in_processes(2, work):
        torch.testing.assert_close(found_losses, expected_losses, rtol=0, atol=1e-10)
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, rtol=1e-10, atol=1e-10)


def test_arguments_give_the_bits_that_gins_bindings_give():
    given = pretraining(labels=LABELS, online_classifier=True)
    losses(given, 5)
    gin.parse_config("""
        ViewPolicy.size = 8
        ViewPolicy.ops = ("crop", "flip", "color")
        random_crop.area = (0.5, 1.0)
        color_distortion.strength = 0.5
        resnet.depth = 8
        resnet.stem = "cifar"
        resnet.base_channels = 4
        projection_head.out_dim = 8
        nt_xent.temperature = 0.5
        Lars.weight_decay = 1e-6
        Pretraining.batch_size = 10
        Pretraining.epochs = 10
        Pretraining.base_lr = 40.0
        Pretraining.warmup_epochs = 1
        Pretraining.online_classifier = True
    """)
    bound = Pretraining(IMAGES, 0, labels=LABELS)
    losses(bound, 5)
    expected = bound.state()
    assert all(torch.equal(value, expected[name]) for name, value in given.state().items())


@pytest.mark.parametrize("name", ["views", "encoder", "head", "optimizer"])
def test_parts_are_no_bindings(name):
    with pytest.raises(ValueError, match="denylisted kwarg"):
        gin.bind_parameter(f"Pretraining.{name}", None)


class Learnt(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.temperature = 0.25

    def forward(self, za: torch.Tensor, zb: torch.Tensor) -> torch.Tensor:
        return nt_xent(za, zb, temperature=self.temperature)


def own(za: torch.Tensor, zb: torch.Tensor, temperature: float = 0.25) -> torch.Tensor:
    return nt_xent(za, zb, temperature=temperature)


@pytest.mark.parametrize(
    ("loss", "temperature", "l2_normalize"),
    [
        (partial(nt_xent, temperature=0.25), 0.25, True),
        (partial(nt_logistic, temperature=0.25, l2_normalize=False), 0.25, False),
        (partial(margin_triplet, margin=0.1), 1.0, True),
        (Learnt(), 0.25, True),
        (own, 0.25, True),
        (lambda za, zb: (za - zb).square().sum(), 1.0, True),
    ],
)
def test_statistics_take_the_settings_of_the_loss_that_is_given_and_none_of_gins(
    loss, temperature, l2_normalize
):
    gin.bind_parameter("nt_xent.temperature", 7.0)
    gin.bind_parameter("nt_logistic.temperature", 7.0)
    za, zb = 3 * torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))
    found = pretraining(loss=loss)._statistics(za, zb)["entropy"]
    assert found == contrastive_statistics(za, zb, temperature, l2_normalize)[1]


def test_the_default_policy_is_the_papers():
    assert list(ViewPolicy(size=32).ops) == ["crop", "flip", "color", "blur"]
    assert ViewPolicy(size=32).ops["color"] == ColorDistortion(strength=1.0)


def test_operators_draw_as_their_names_do():
    index = torch.arange(20)
    named = ViewPolicy(size=SIZE, ops=("crop", "color", "grayscale", "color"), shared=("flip",))
    given = ViewPolicy(
        size=SIZE,
        ops=[RandomCrop(), ColorDistortion(), Grayscale(), ColorDistortion()],
        shared=[RandomFlip()],
    )
    assert list(given.ops) == ["crop", "color", "grayscale", "color_2"]
    for ours, theirs in zip(given(IMAGES, index, 3, 7), named(IMAGES, index, 3, 7), strict=True):
        assert torch.equal(ours, theirs)


def test_every_operator_can_be_given():
    for name, operator in OPERATORS.items():
        assert list(ViewPolicy(size=SIZE, ops=[operator()]).ops) == [name]


class Invert(Operator):
    def __call__(self, images, address, size):
        return 1 - images, {}


def test_an_own_operator_is_called_by_its_class():
    policy = ViewPolicy(size=12, ops=[Invert()])
    assert list(policy.ops) == ["Invert"]
    torch.testing.assert_close(policy.one(IMAGES, torch.arange(20), 0, 0), 1 - IMAGES / 255)


def test_a_pair_of_equal_operators_is_one_application_whichever_way_they_are_given():
    assert list(ViewPolicy(size=8, ops=[GaussianBlur()], then=[GaussianBlur()]).ops) == ["blur"]
    assert list(ViewPolicy(size=8, ops=[GaussianBlur()], then=[GaussianBlur(probability=1)]).ops) == [
        "blur",
        "blur_2",
    ]


def test_an_encoder_that_does_not_say_how_wide_h_is_needs_a_head():
    encoder = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(ValueError, match="Sequential has no feature_dim: set it to the width of its h"):
        pretraining(encoder, head=None)
    assert pretraining(encoder, head=projection_head(4, out_dim=8)).step()["loss"] > 0
