"""All losses and their parts under one name, for interactive use and for tests.

Nothing that trains may import this module: it imports every loss, so an edit of one would retrain the runs of all.
"""

from simclr.losses import loss_named, loss_names
from simclr.losses.global_batch import hardest_below, normalize, similarities
from simclr.losses.margin_triplet import gradient_margin_triplet, margin_triplet, objective_margin_triplet
from simclr.losses.nt_logistic import gradient_nt_logistic, nt_logistic, objective_nt_logistic
from simclr.losses.nt_xent import (
    gradient_nt_xent,
    nt_xent,
    nt_xent_blockwise,
    nt_xent_whole,
    objective_nt_xent,
)
from simclr.losses.statistics import contrastive_statistics

__all__ = [
    "contrastive_statistics",
    "gradient_margin_triplet",
    "gradient_nt_logistic",
    "gradient_nt_xent",
    "hardest_below",
    "loss_named",
    "loss_names",
    "margin_triplet",
    "normalize",
    "nt_logistic",
    "nt_xent",
    "nt_xent_blockwise",
    "nt_xent_whole",
    "objective_margin_triplet",
    "objective_nt_logistic",
    "objective_nt_xent",
    "similarities",
]
