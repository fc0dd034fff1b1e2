"""Ranges stand beside parameters, and the plan holds every binding to them."""

import pytest

from common.errors import UserError
from stages.planning import code_hashes, configurables, parameters

MODULE = '''\
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import gin
from torch import Tensor

from simclr.declared import Above, AtLeast, Between, OneOf, Rising

WORDS = ("crop", "flip")
TABLE = {"a": len, "b": max}


@gin.configurable
def build(
    images: Tensor,
    n: Annotated[int, AtLeast(1)] = 1,
    rate: Annotated[float, Above(0)] = 1.0,
    area: Annotated[tuple[float, float], Above(0), Between(0, 1), Rising()] = (0.1, 1.0),
    ops: Annotated[Sequence[str], OneOf(*WORDS)] = (),
    kind: Annotated[str, OneOf(*TABLE)] = "a",
    other: Literal["x", "y"] | None = None,
    rates: tuple[float, ...] = (),
    free: Any = None,
    on: bool = False,
):
    """Nothing."""
'''


@pytest.fixture
def check(tmp_path, monkeypatch):
    """check(parameter, value) against the module above."""
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages" / "toy.py").write_text(MODULE)
    monkeypatch.setattr(code_hashes, "ROOT", tmp_path)
    caches = [each for module in (code_hashes, configurables, parameters) for each in vars(module).values()]
    caches = [each for each in caches if hasattr(each, "cache_clear")]
    for each in caches:
        each.cache_clear()
    yield lambda name, value: configurables.check_binding("toy", f"build.{name}", value, "here, line 3")
    for each in caches:
        each.cache_clear()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 1),
        ("rate", 1),
        ("area", [0.08, 1.0]),
        ("area", (1, 1)),
        ("ops", ["crop", "flip"]),
        ("ops", []),
        ("kind", "b"),
        ("other", None),
        ("other", "x"),
        ("rates", [1, 2.0]),
        ("free", {"a": 1}),
        ("on", True),
    ],
)
def test_what_is_allowed_passes(check, name, value):
    check(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 0),
        ("n", 1.0),
        ("n", True),
        ("rate", 0),
        ("rate", -1.0),
        ("rate", float("nan")),
        ("rate", float("inf")),
        ("rate", "1"),
        ("area", [1.0, 0.08]),
        ("area", [0, 0]),
        ("area", [-1, 2]),
        ("area", [0.5]),
        ("area", 0.5),
        ("ops", "crop"),
        ("ops", ["corp"]),
        ("kind", "c"),
        ("other", "z"),
        ("rates", [1, "2"]),
        ("rates", [float("nan")]),
        ("images", 3),
        ("on", 1),
    ],
)
def test_what_is_not_is_refused_with_its_place(check, name, value):
    with pytest.raises(UserError) as caught:
        check(name, value)
    assert f"build.{name}" in str(caught.value) and "here, line 3" in str(caught.value)


def test_an_unknown_word_gets_the_nearest(check):
    with pytest.raises(UserError, match="did you mean `crop`"):
        check("ops", ["flip", "corp"])


def test_a_mark_that_cannot_be_read_is_told_with_its_line(check, tmp_path):
    (tmp_path / "stages" / "toy.py").write_text(MODULE.replace("AtLeast(1)", "AtLeast(len(WORDS))"))
    for module in (code_hashes, configurables, parameters):
        for each in vars(module).values():
            if hasattr(each, "cache_clear"):
                each.cache_clear()
    with pytest.raises(UserError, match="a mark beside a parameter") as caught:
        check("n", 1)
    assert "toy.py, line 16" in str(caught.value)


STAGES = [
    ("finetune", "label_subset.fraction", 0.0),
    ("finetune", "label_subset.fraction", 1.5),
    ("finetune", "label_subset.seed", -1),
    ("pretrain", "dataset.limit", -5),
    ("pretrain", "execution.device", "gpu"),
    ("pretrain", "execution.threads", 0),
    ("pretrain", "execution.precision", "float16"),
    ("pretrain", "execution.checkpoint_minutes", -1),
    ("linear_eval", "evaluate.split", "tset"),
    ("linear_eval", "representation.layer", "g"),
    ("logistic", "l2_path.lowest", 0),
    ("logistic", "l2_path.values", 0),
    ("logistic", "frozen_features.size", 1_000_000),
    ("transfer", "transfer_grid.learning_rates", [0.1, 0]),
    ("transfer", "transfer_grid.weight_decays", [-0.1]),
    ("probe", "probing.operator", "rotation"),
    ("tsne", "embedding.perplexity", 0),
    ("tsne", "chosen_images.images_per_class", 0),
    ("operators", "illustration.copies", 0),
    ("gradients", "gradient_check.parameters", [-0.5]),
    ("pretrain", "nt_xent.temperature", float("nan")),
    ("pretrain", "nt_xent.temperature", 0),
    ("pretrain", "nt_xent.temperature", -1.0),
    ("pretrain", "nt_xent.negatives", "own_view"),
    ("pretrain", "Pretraining.base_lr", -0.1),
    ("pretrain", "Pretraining.warmup_epochs", -1),
    ("pretrain", "Pretraining.batch_size", 0),
    ("pretrain", "Pretraining.epochs", 0),
    ("pretrain", "Pretraining.lr_scaling", "cubic"),
    ("pretrain", "Lars.momentum", -0.9),
    ("pretrain", "Lars.weight_decay", -1e-6),
    ("pretrain", "Lars.eta", -0.001),
    ("pretrain", "resnet.depth", 7),
    ("pretrain", "resnet.width", 0),
    ("pretrain", "resnet.stem", "tiny"),
    ("pretrain", "ViewPolicy.size", 1_000_000),
    ("pretrain", "ViewPolicy.size", 0),
    ("pretrain", "ViewPolicy.ops", ["corp"]),
    ("pretrain", "ViewPolicy.then", ["blurr"]),
    ("pretrain", "random_crop.area", [1.0, 0.08]),
    ("pretrain", "random_crop.area", [0, 0]),
    ("pretrain", "random_crop.area", [-1, 2]),
    ("pretrain", "random_crop.sampler", "random"),
    ("pretrain", "color_distortion.strength", -1),
    ("pretrain", "gaussian_blur.sigma", [0, 0]),
    ("pretrain", "gaussian_blur.kernel_fraction", 0),
    ("pretrain", "random_flip.probability", 1.5),
    ("pretrain", "cutout.probability", -0.5),
    ("pretrain", "autoaugment.policy", "mnist"),
    ("pretrain", "projection_head.kind", "cubic"),
    ("pretrain", "projection_head.out_dim", 0),
    ("pretrain", "BatchNorm.momentum", 2),
    ("pretrain", "Pretraining.views", 3),
    ("pretrain", "BatchNorm.num_features", 3),
    ("linear_eval", "knn_scores.temperature", 0),
    ("linear_eval", "knn_scores.k", 0),
    ("linear_eval", "Sgd.momentum", -1),
    ("supervised", "supervised.warmup_epochs", -2),
    ("finetune", "fine_tuning.base_lr", -2),
    ("transfer", "transfer_training.steps", 0),
    ("probe", "probe_training.epochs", 0),
]

PARAMETERS = [
    (stage, name, parameter)
    for stage in (
        "pretrain",
        "supervised",
        "linear_eval",
        "finetune",
        "transfer",
        "probe",
        "logistic",
        "tsne",
    )
    for name, configurable in configurables.configurables_of(stage).items()
    for parameter in configurable.parameters.values()
    if parameter.annotation in ("int", "float", "tuple[float, float]", "tuple[float, ...]")
]
FREE = {"seed", "adjacent"}  # where every number is one


def test_every_number_has_a_range_beside_it():
    """A parameter that somebody adds declares what it may be; what the stages give themselves is not bound."""
    bare = {
        f"{name}.{parameter.name}"
        for _, name, parameter in PARAMETERS
        if parameter.default and not parameter.marks and parameter.name not in FREE
    }
    assert bare <= set(configurables.GIVEN_BY_STAGES), bare
