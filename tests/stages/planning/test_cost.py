"""What a run is said to cost is what passes through its encoder, at the size that its stage binds."""

from collections import Counter

import pytest

from common.errors import UserError
from simclr.encoder import ResNet
from stages.planning import cost
from stages.planning.network import network_of
from stages.planning.plans import Run
from tests.stages import tiny

STAGES = {
    "pretrain": {"Pretraining__online_classifier": True},
    "supervised": {},
    "linear_eval": {},
    "finetune": {},
    "transfer_search": {},
    "transfer": {"transfer_grid__weight_decays": [0.0, 0.1]},
    "logistic": {
        "frozen_features__size": 8,
        "l2_path__lowest": 1.0,
        "l2_path__highest": 1.0,
        "l2_path__values": 1,
    },
    "probe": {
        "ViewPolicy__ops": ["rotate"],
        "probing__operator": "rotate",
        "probe_training__batch_size": 16,
        "probe_training__epochs": 1,
        "probe_training__base_lr": 0.1,
    },
    "tsne": {},
}
OPENING = ("pretrain", "supervised")


def a_run(stage: str, **changes) -> Run:
    head = {"projection_head__kind": "linear", "projection_head__out_dim": 16}
    return tiny.a_run(stage, None if stage in OPENING else tiny.a_run("pretrain", **head), **changes)


@pytest.mark.parametrize(
    ("stage", "bound"), [*STAGES.items(), ("linear_eval", {"evaluate__split": "validation"})]
)
def test_the_images_are_those_that_pass_through_the_encoder(stage, bound, data, monkeypatch):
    run, passed, forward = a_run(stage, **bound), Counter(), ResNet.forward
    for read in run.reads:
        tiny.work(read)

    def counting(self, images):
        passed[self.training] += len(images)
        return forward(self, images)

    monkeypatch.setattr(ResNet, "forward", counting)
    tiny.work(run)
    found = cost.cost_of(run)
    assert found.images == passed[True] + passed[False]
    flops = network_of(tiny.SHARED, 8).flops
    assert found.flops == (3 * passed[True] + passed[False]) * flops


def test_logistic_pays_for_its_own_size_and_no_size_is_assumed(data):
    def at(size: int) -> float:
        bound = {**STAGES["logistic"], "frozen_features__size": size}
        return cost.cost_of(a_run("logistic", **bound)).flops

    assert at(16) == pytest.approx(4 * at(8))
    with pytest.raises(UserError, match=r"nothing binds frozen_features\.size"):
        cost.cost_of(tiny.a_run("logistic", tiny.a_run("pretrain")))
