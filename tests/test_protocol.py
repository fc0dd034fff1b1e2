"""The protocol of the paper, number by number: what scale `paper` binds, held to the paper and not to the recipes.

RECIPES has every binding of every recipe of the scale, GRIDS every setting of every exhibit that differs from its
recipe. A changed, added or lost number fails. Sources are sections of arXiv 2002.05709 v3; "code" is the authors' first
public code, "ours" a choice where both are silent (FIDELITY.md gives the reasons).
"""

import itertools
import math
from collections.abc import Iterator
from typing import Any

import pytest

from stages.planning.declaration import PARAMS, exhibit_ids
from stages.planning.plans import Run, resolve
from stages.planning.recipes import read_recipe
from stages.planning.searches import choosers

DATA = {"dataset.name": ("imagenet", "2"), "dataset.limit": (0, "all images")}
CROP = {
    "ViewPolicy.size": (224, "A"),
    "random_crop.sampler": ("torchvision", "A: area and aspect as in Inception"),
    "random_crop.area": ((0.08, 1.0), "A"),
}
CROP_AND_FLIP = {**CROP, "ViewPolicy.ops": (("crop", "flip"), "B.5, B.6, B.8: no other augmentation")}
DEFAULT_POLICY = {
    **CROP,
    "ViewPolicy.ops": (("crop", "flip", "color", "blur"), "A"),
    "color_distortion.strength": (1.0, "A: s = 1 on ImageNet"),
    "color_distortion.brightness_mode": ("additive", "A, the TensorFlow sketch; code"),
    "gaussian_blur.kernel_fraction": (0.1, "A: a tenth of the side"),
    "autoaugment.policy": ("imagenet", "3.2; whose is ours"),
}
NETWORK = {
    "resnet.depth": (50, "2.1"),
    "resnet.width": (1, "2.1"),
    "resnet.stem": ("imagenet", "2.1"),
    "resnet.base_channels": (64, "2.1"),
}
NESTEROV = {"Sgd.momentum": (0.9, "B.5, B.6, B.8"), "Sgd.nesterov": (True, "B.5, B.6, B.8")}
NO_DECAY = {"Sgd.weight_decay": (0.0, "B.5, B.6: no regularization")}
NOT_BATCH_NORM = {"Sgd.exclude_from_weight_decay": (("batch_norm",), "code")}


def log_spaced(lowest: float, highest: float, count: int) -> tuple[float, ...]:
    step = (math.log10(highest) - math.log10(lowest)) / (count - 1)
    return tuple(10 ** (math.log10(lowest) + i * step) for i in range(count))


# {stage: {binding: (value, source)}}
RECIPES = {
    "pretrain": {
        **DATA,
        **DEFAULT_POLICY,
        **NETWORK,
        "execution.precision": ("bfloat16", "ours: TPUs"),
        "projection_head.kind": ("nonlinear", "2.1: two layers"),
        "projection_head.hidden_layers": (1, "2.1"),
        "projection_head.out_dim": (128, "2.1"),
        "projection_head.batch_norm": (True, "code"),
        "Pretraining.batch_size": (4096, "2.2"),
        "Pretraining.epochs": (100, "2.2"),
        "Pretraining.warmup_epochs": (10.0, "2.2"),
        "Pretraining.base_lr": (0.3, "2.2: 0.3 x batch / 256 = 4.8"),
        "Pretraining.lr_scaling": ("linear", "2.2"),
        "Pretraining.loss": ("nt_xent", "2.1"),
        "nt_xent.temperature": (0.1, "5.1, Table 5; code"),
        "nt_xent.l2_normalize": (True, "2.1"),
        "nt_xent.negatives": ("both", "2.1: 2 (N - 1)"),
        "Lars.weight_decay": (1e-6, "2.2"),
        "Lars.momentum": (0.9, "code"),
        "Lars.eta": (0.001, "code"),
    },
    "linear_eval": {
        **DATA,
        **CROP_AND_FLIP,
        **NESTEROV,
        **NO_DECAY,
        "evaluate.split": ("test", "2.2"),
        "linear_evaluation.batch_size": (4096, "B.6"),
        "linear_evaluation.epochs": (90, "B.6"),
        "linear_evaluation.base_lr": (0.1, "B.6: 1.6 = 0.1 x batch / 256"),
        "representation.layer": ("h", "2.1"),
        "knn_scores.k": (200, "Wu et al. (2018)"),
        "knn_scores.temperature": (0.1, "ours"),
    },
    "finetune": {
        **DATA,
        **CROP_AND_FLIP,
        **NESTEROV,
        **NO_DECAY,
        "label_subset.fraction": (0.01, "6"),
        "label_subset.file": ("", "ours"),
        "label_subset.seed": (0, "ours"),
        "fine_tuning.batch_size": (4096, "B.5"),
        "fine_tuning.epochs": (60, "B.5: for 1 %"),
        "fine_tuning.base_lr": (0.05, "B.5: 0.8 = 0.05 x batch / 256"),
    },
    "logistic": {
        "dataset.name": ("cifar10", "B.8; each cell names its own"),
        "dataset.limit": (0, "all images"),
        "frozen_features.size": (224, "B.8.1"),
        "l2_path.lowest": (1e-6, "B.8.1"),
        "l2_path.highest": (1e5, "B.8.1"),
        "l2_path.values": (45, "B.8.1"),
    },
    "transfer": {
        **CROP_AND_FLIP,
        **NESTEROV,
        **NOT_BATCH_NORM,
        "dataset.name": ("cifar10", "B.8; each cell names its own"),
        "dataset.limit": (0, "all images"),
        "transfer_training.steps": (20_000, "B.8.2"),
        "transfer_training.batch_size": (256, "B.8.2"),
        "transfer_grid.learning_rates": (log_spaced(1e-4, 0.1, 7), "B.8.2"),
        "transfer_grid.weight_decays": ((0.0, *log_spaced(1e-6, 1e-3, 7)), "B.8.2"),
    },
    "supervised": {
        **DATA,
        **DEFAULT_POLICY,
        **NETWORK,
        **NESTEROV,
        **NOT_BATCH_NORM,
        "Sgd.weight_decay": (1e-4, "ours: He et al. (2016), whom 3.2 cites"),
        "supervised.batch_size": (4096, "ours"),
        "supervised.epochs": (90, "3.2, 4.1"),
        "supervised.warmup_epochs": (5.0, "ours"),
        "supervised.base_lr": (0.1, "ours"),
    },
    "initialize": NETWORK,
    "probe": {
        **DATA,
        **DEFAULT_POLICY,
        **NESTEROV,
        **NO_DECAY,
        "representation.layer": ("h", "4.2"),
        "probe_training.batch_size": (256, "ours"),
        "probe_training.epochs": (20, "ours"),
        "probe_training.base_lr": (0.2, "ours"),
    },
    "operators": {
        **DATA,
        **CROP,
        "ViewPolicy.ops": (("crop", "flip", "color"), "Figure 2"),
        "color_distortion.strength": (1.0, "A"),
        "color_distortion.brightness_mode": ("additive", "A"),
        "gaussian_blur.sigma": ((2.0, 2.0), "ours"),
        "gaussian_noise.sigma": ((0.1, 0.1), "ours"),
        "illustration.image": (5, "ours"),
        "illustration.copies": (1, "ours"),
    },
    "tsne": {
        **DATA,
        "ViewPolicy.size": (224, "A"),
        "ViewPolicy.ops": ((), "ours"),
        "representation.layer": ("h", "B.4"),
        "chosen_images.classes": (10, "B.4"),
        "chosen_images.images_per_class": (50, "ours: all of the validation set"),
        "embedding.perplexity": (30.0, "ours"),
        "embedding.iterations": (1000, "ours"),
    },
    "gradients": {
        "gradient_check.cases": (64, "ours"),
        "gradient_check.dimension": (16, "ours"),
        "gradient_check.negatives": (12, "ours"),
    },
    "spectrum": {},
}
NO_NUMBERS = ("execution.device", "execution.threads")

WIDTHS, EPOCHS, LONGEST = [1, 2, 4], "Pretraining.epochs", {"Pretraining.epochs": [1000]}
TABLE_B1 = {"Pretraining.batch_size": [256, 512, 1024, 2048, 4096, 8192], EPOCHS: [100, 200, 400, 800]}
FIGURE_9 = {**TABLE_B1, EPOCHS: range(100, 1001, 100)}
SQRT = {"Pretraining.base_lr": [0.075], "Pretraining.lr_scaling": ["sqrt"]}
NETWORKS = [  # Figure 7
    {"resnet.depth": [18, 34, 50], "resnet.width": WIDTHS},
    {"resnet.depth": [101, 152], "resnet.width": [1, 2]},
]
ONLY_CROPS = {"ViewPolicy.ops": [("crop", "flip")]}
FEW_LABELS = [
    {"label_subset.fraction": [0.01], "fine_tuning.epochs": [60]},
    {"label_subset.fraction": [0.1], "fine_tuning.epochs": [30]},
]
ALL_LABELS = {"label_subset.fraction": [1.0], "fine_tuning.epochs": [30]}
OPERATORS = [
    ("crop", "flip"),
    ("cutout",),
    ("color",),
    ("sobel",),
    ("gaussian_noise",),
    ("blur",),
    ("rotate",),
]
STRENGTHS = [
    {"color_distortion.strength": [1 / 8, 1 / 4, 1 / 2, 1], "ViewPolicy.ops": [("crop", "flip", "color")]},
    {"ViewPolicy.ops": [("crop", "flip", "color", "blur"), ("crop", "flip", "autoaugment")]},
]
NO_FLIP = {"ViewPolicy.ops": [("crop", "color", "blur")]}
PROBED = [
    {},
    {"ViewPolicy.then": [("rotate",)], "rotate.angles": [(0, 90, 180, 270)]},
    {"ViewPolicy.then": [("gaussian_noise",)], "gaussian_noise.probability": [0.5]},
    {"ViewPolicy.then": [("sobel",)], "sobel.probability": [0.5]},
]
PROBES = [
    {**probed, "probing.operator": [name], "representation.layer": ["none", "h", "z"]}
    for probed, name in zip(PROBED, ("grayscale", "rotate", "gaussian_noise", "sobel"), strict=True)
]
TUNED = {"Pretraining.base_lr": [0.01, 0.1, 0.3, 0.5, 1.0]}
MARGINS, TEMPERATURES = [0.0, 0.4, 0.8, 1.6], [0.1, 0.2, 0.5, 1.0]
BROADER = {
    "ViewPolicy.then": [("sobel", "equalize", "solarize", "motion_blur")],
    "sobel.probability": [0.2],
}
CIFAR = {"dataset.name": ["cifar10"], "ViewPolicy.size": [32]}
CIFAR_POLICY = {
    **CIFAR,
    "resnet.stem": ["cifar"],
    "ViewPolicy.ops": [("crop", "flip", "color")],
    "color_distortion.strength": [0.5],
}
CIFAR_GRID = {
    **CIFAR_POLICY,
    "Pretraining.batch_size": [256, 512, 1024, 2048, 4096],
    EPOCHS: range(100, 1001, 100),
    "Pretraining.base_lr": [0.5, 1.0, 1.5],
    "nt_xent.temperature": [0.1, 0.5, 1.0],
}
CIFAR_EVALUATION = {**CIFAR, "linear_evaluation.batch_size": [512], "linear_evaluation.epochs": [100]}
TWELVE = {
    "dataset.name": [
        *("food101", "cifar10", "cifar100", "birdsnap", "sun397", "stanford_cars", "fgvc_aircraft"),
        *("voc2007", "dtd", "oxford_pets", "caltech101", "flowers102"),
    ]
}
FROM_RANDOM = {
    "transfer_training.steps": [40_000],
    "transfer_grid.learning_rates": [log_spaced(1e-3, 1, 7)],
    "transfer_grid.weight_decays": [log_spaced(1e-5, 10**-1.5, 8)],
}
# Each pair of a grid is a run, bound by the recipe of the stage that chooses.
POINTS = {
    "transfer_training.lr": log_spaced(1e-4, 0.1, 7),
    "transfer_training.weight_decay": (0.0, *log_spaced(1e-6, 1e-3, 7)),
}
POINTS_FROM_RANDOM = {
    "transfer_training.steps": [40_000],
    "transfer_training.lr": log_spaced(1e-3, 1, 7),
    "transfer_training.weight_decay": log_spaced(1e-5, 10**-1.5, 8),
}

# (exhibit, stage, blocks, source): a block is every combination of its lists, and a stage's runs are those of its
# blocks. What a block leaves out is as in the recipe.
GRIDS = [
    ("figure_01", "pretrain", [{"resnet.width": WIDTHS, **LONGEST}], "Figure 1, Table 6"),
    ("figure_01", "supervised", [ONLY_CROPS], "Figure 1"),
    ("figure_02", "operators", [{"illustration.copies": [2]}], "Figure 2"),
    ("figure_03", "operators", [{"ViewPolicy.ops": [()]}], "Figure 3"),
    (
        "figure_04",
        "operators",
        [
            {"ViewPolicy.ops": [(), ("crop",), ("cutout",), ("gaussian_noise",), ("rotate",), ("sobel",)]},
            {**ONLY_CROPS, "random_flip.probability": [1.0]},
            {"ViewPolicy.ops": [("grayscale",)], "grayscale.probability": [1.0]},
            {"ViewPolicy.ops": [("blur",)], "gaussian_blur.probability": [1.0]},
            {
                "ViewPolicy.ops": [("color",)],
                "color_distortion.jitter_probability": [1.0],
                "color_distortion.grey_probability": [0.0],
            },
        ],
        "Figure 4: every operator applied",
    ),
    (
        "figure_05",
        "pretrain",
        [
            {
                "ViewPolicy.shared": [("crop", "flip")],
                "ViewPolicy.ops_b": [()],
                "ViewPolicy.ops": OPERATORS,
                "ViewPolicy.then": OPERATORS,
            },
            {"ViewPolicy.ops": [("crop", "flip", "color")]},
        ],
        "3.1, Figure 5; the last, on both branches, is ours",
    ),
    (
        "figure_06",
        "operators",
        [
            {
                "ViewPolicy.ops": [("crop", "flip"), ("crop", "flip", "color")],
                "illustration.image": [229, 506],
                "illustration.copies": [4],
            }
        ],
        "Figure 6; which images is ours",
    ),
    ("figure_07", "pretrain", [*NETWORKS, {"resnet.width": WIDTHS, **LONGEST}], "4.1, Figure 7"),
    ("figure_07", "supervised", [{"resnet.width": WIDTHS, **ONLY_CROPS}], "4.1, Figure 7"),
    (
        "figure_08",
        "pretrain",
        [
            {
                "projection_head.kind": ["linear", "nonlinear"],
                "projection_head.out_dim": [32, 64, 128, 256, 512, 1024, 2048],
            },
            {"projection_head.kind": ["none"], "projection_head.out_dim": [2048]},
        ],
        "4.2, Figure 8",
    ),
    ("figure_08", "linear_eval", [{"representation.layer": ["h", "z"]}], "4.2: h and g(h)"),
    ("figure_09", "pretrain", [FIGURE_9], "5.2, Figure 9"),
    ("table_01", "pretrain", [*STRENGTHS, NO_FLIP], "3.2, Table 1; without flip: A"),
    ("table_01", "supervised", STRENGTHS, "3.2, Table 1"),
    (
        "table_02",
        "gradients",
        [
            {
                "gradient_check.loss": ["nt_xent"],
                "gradient_check.parameters": [(0.05, 0.1, 0.5, 1.0)],
            },
            {
                "gradient_check.loss": ["nt_logistic"],
                "gradient_check.parameters": [tuple(TEMPERATURES)],
            },
            {
                "gradient_check.loss": ["margin_triplet"],
                "gradient_check.parameters": [tuple(MARGINS)],
            },
        ],
        "5.1, Tables 2 and 5, B.10",
    ),
    ("table_03", "pretrain", [{**probed, "projection_head.out_dim": [2048]} for probed in PROBED], "4.2"),
    ("table_03", "probe", PROBES, "4.2, Table 3"),
    (
        "table_04",
        "pretrain",
        [
            {"nt_xent.negatives": ["other_view"]},
            {
                **TUNED,
                "Pretraining.loss": ["margin_triplet"],
                "margin_triplet.negatives": ["other_view"],
                "margin_triplet.semi_hard": [False, True],
                "margin_triplet.margin": MARGINS,
            },
            {
                **TUNED,
                "Pretraining.loss": ["nt_logistic"],
                "nt_logistic.negatives": ["other_view"],
                "nt_logistic.semi_hard": [False, True],
                "nt_logistic.temperature": TEMPERATURES,
            },
        ],
        "5.1, B.10",
    ),
    ("table_04", "linear_eval", [{"evaluate.split": ["validation", "test"]}], "ours: no choice on test"),
    (
        "table_05",
        "pretrain",
        [
            {"nt_xent.temperature": [0.05, 0.1, 0.5, 1.0]},
            {"nt_xent.temperature": [10.0, 100.0], "nt_xent.l2_normalize": [False]},
        ],
        "5.1, Table 5",
    ),
    (
        "table_06",
        "pretrain",
        [
            {"resnet.width": WIDTHS, **LONGEST},
            {},
            {"BatchNorm.groups": [8]},
            {"Lars.exclude_from_adaptation": [(".",)], "Pretraining.base_lr": [0.1]},
            {"Pretraining.online_classifier": [True]},
        ],
        "6, Table 6; the other rows are ours, for 2.2 and B.6",
    ),
    *(
        row
        for table in ("table_07", "table_b4")
        for row in (
            (table, "pretrain", [{"resnet.width": WIDTHS, **LONGEST}], "6, B.5"),
            (table, "finetune", FEW_LABELS, "B.5"),
        )
    ),
    *(
        row
        for table, width in (("table_08", 4), ("table_b5", 1))
        for row in (
            (table, "pretrain", [{"resnet.width": [width], **LONGEST}], "6, B.8"),
            (table, "supervised", [{"resnet.width": [width], "supervised.epochs": [1000]}], "B.8"),
            (table, "initialize", [{"resnet.width": [width]}], "B.8"),
            (table, "logistic", [TWELVE], "B.8"),
            (table, "transfer", [TWELVE, {**TWELVE, **FROM_RANDOM}], "B.8.2"),
            (table, "transfer_search", [{**TWELVE, **POINTS}, {**TWELVE, **POINTS_FROM_RANDOM}], "B.8.2"),
        )
    ),
    ("figure_b1", "pretrain", [FIGURE_9], "B.1, Figure B.1"),
    ("table_b1", "pretrain", [TABLE_B1, {**TABLE_B1, **SQRT}], "B.1, Table B.1"),
    (
        "figure_b2",
        "pretrain",
        [
            {
                **SQRT,
                "Pretraining.batch_size": [2**power for power in range(8, 16)],
                EPOCHS: [50 * 2**power for power in range(7)],
            }
        ],
        "B.1, Figure B.2: to 32K and 3200",
    ),
    (
        "table_b2",
        "pretrain",
        [{"resnet.width": WIDTHS, **LONGEST}, {"resnet.width": WIDTHS, **LONGEST, **BROADER}],
        "B.2; probabilities are ours",
    ),
    ("table_b2", "supervised", [{"resnet.width": WIDTHS, **ONLY_CROPS}], "B.2, Table B.2"),
    ("table_b2", "finetune", [*FEW_LABELS, ALL_LABELS], "B.5, Table B.2; epochs of 100 % are ours"),
    (
        "table_b3",
        "supervised",
        [
            {
                "resnet.width": [1, 4],
                "supervised.epochs": [90, 500, 1000],
                "ViewPolicy.ops": [
                    ("crop", "flip"),
                    ("crop", "flip", "color"),
                    ("crop", "flip", "color", "blur"),
                ],
            }
        ],
        "B.3, Table B.3",
    ),
    (
        "figure_b3",
        "pretrain",
        [{"projection_head.kind": ["linear"], "projection_head.out_dim": [2048]}],
        "B.4",
    ),
    ("figure_b4", "pretrain", [LONGEST], "B.4: the model of Table 6"),
    ("figure_b4", "tsne", [{"representation.layer": ["h", "z"]}], "B.4"),
    ("figure_b5", "pretrain", [{**SQRT, EPOCHS: [50 * 2**power for power in range(7)]}], "B.7, Figure B.2"),
    ("figure_b5", "finetune", FEW_LABELS, "B.5, B.7"),
    ("figure_b6", "pretrain", NETWORKS, "B.7; the networks are ours"),
    ("figure_b6", "finetune", FEW_LABELS, "B.5, B.7"),
    ("figure_b7", "pretrain", [CIFAR_GRID], "B.9: 5 x 10 x 3 x 3 runs"),
    ("figure_b7", "linear_eval", [CIFAR_EVALUATION], "code"),
    (
        "figure_b7",
        "supervised",
        [{**CIFAR_POLICY, "supervised.batch_size": [1024], "supervised.epochs": [1000]}],
        "B.9: batch 1024",
    ),
    ("figure_b8", "pretrain", [CIFAR_GRID], "B.9: 5 x 10 x 3 x 3 runs"),
    ("figure_b8", "linear_eval", [CIFAR_EVALUATION], "code"),
]


def plain(value: Any) -> Any:
    """Equal for lists and tuples, and for numbers that agree to twelve digits."""
    if isinstance(value, list | tuple):
        return tuple(plain(item) for item in value)
    return float(f"{value:.12g}") if isinstance(value, float) else value


def departures(stage: str, bindings: dict[str, Any]) -> frozenset[tuple[str, Any]]:
    """What bindings say other than the recipe's rows above."""
    rows = RECIPES[choosers().get(stage, stage)]
    return frozenset(
        (key, plain(value))
        for key, value in bindings.items()
        if key not in NO_NUMBERS and (key not in rows or plain(rows[key][0]) != plain(value))
    )


def settings(stage: str, blocks: list[dict[str, Any]]) -> Iterator[frozenset[tuple[str, Any]]]:
    for block in blocks:
        for values in itertools.product(*block.values()):
            yield departures(stage, dict(zip(block, values, strict=True)))


def runs_at_paper(exhibit: str, stage: str) -> list[Run]:
    return resolve(exhibit, "paper").runs(stage)


@pytest.mark.parametrize("stage", RECIPES)
def test_a_recipe_has_the_numbers_of_the_paper(stage):
    path = PARAMS / "recipes" / f"{stage}_paper.gin"
    found = {key: plain(value) for key, (value, _) in read_recipe(path).items() if key not in NO_NUMBERS}
    assert found == {key: plain(value) for key, (value, _) in RECIPES[stage].items()}


def test_every_recipe_of_the_scale_stands_here():
    assert {path.stem.removesuffix("_paper") for path in (PARAMS / "recipes").glob("*_paper.gin")} == set(
        RECIPES
    )


@pytest.mark.parametrize(
    ("exhibit", "stage", "blocks", "source"), GRIDS, ids=[f"{name}-{stage}" for name, stage, *_ in GRIDS]
)
def test_a_grid_has_the_settings_of_the_paper(exhibit, stage, blocks, source):
    found = {departures(stage, run.bindings) for run in runs_at_paper(exhibit, stage)}
    expected = set(settings(stage, blocks))
    assert found == expected, f"{exhibit}, {stage} ({source})"


@pytest.mark.parametrize("exhibit", exhibit_ids())
def test_what_stands_in_no_grid_is_as_in_the_recipe(exhibit):
    listed = {stage for name, stage, *_ in GRIDS if name == exhibit}
    for stage, runs in resolve(exhibit, "paper").stages.items():
        if stage not in listed:
            assert {departures(stage, run.bindings) for run in runs} <= {frozenset()}, stage


@pytest.mark.parametrize("exhibit", ["figure_b7", "figure_b8"])
def test_cifar_is_swept_by_450_runs(exhibit):
    assert len({run.fingerprint for run in runs_at_paper(exhibit, "pretrain")}) == 450


@pytest.mark.parametrize("exhibit", ["table_08", "table_b5"])
def test_only_what_starts_from_random_weights_has_the_longer_grid(exhibit):
    longer = {
        (run.upstream.stage, run.bindings["transfer_training.steps"])
        for run in runs_at_paper(exhibit, "transfer")
    }
    assert longer == {("pretrain", 20_000), ("supervised", 20_000), ("initialize", 40_000)}
