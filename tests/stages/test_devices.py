"""No stage lets tensors of two devices meet, or takes a GPU's tensor for an array: all run on a pretended GPU."""

import pytest

from stages.planning.plans import Run
from stages.running.execution import execution
from tests.elsewhere import elsewhere
from tests.stages import tiny

OPENING = {
    "pretrain": {
        "Pretraining__online_classifier": True,
        "Pretraining__epochs": 1,
        "ViewPolicy__ops": ["crop", "flip", "color", "blur"],
        "color_distortion__strength": 1.0,
    },
    "supervised": {"supervised__epochs": 1},
    "initialize": {},
    "operators": {"illustration__image": 5, "illustration__copies": 2, "ViewPolicy__ops": ["gaussian_noise"]},
}
EVALUATIONS = {
    "linear_eval": {"linear_evaluation__epochs": 1},
    "finetune": {},
    "transfer_search": {"transfer_training__steps": 2},
    "transfer": {"transfer_training__steps": 2},
    "logistic": {
        "frozen_features__size": 8,
        "l2_path__lowest": 0.1,
        "l2_path__highest": 10.0,
        "l2_path__values": 2,
    },
    "probe": {
        "ViewPolicy__then": ["rotate"],
        "probing__operator": "rotate",
        "representation__layer": "z",
        "probe_training__batch_size": 16,
        "probe_training__epochs": 1,
        "probe_training__base_lr": 0.1,
    },
    "tsne": {},
    "spectrum": {},
}


def on_a_gpu(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with elsewhere() as device:
        monkeypatch.setattr(execution, "prepare", lambda self: device)
        tiny.work(run)


@pytest.mark.parametrize(("stage", "bound"), OPENING.items())
def test_a_chain_opens_on_a_gpu(stage, bound, data, monkeypatch):
    on_a_gpu(tiny.a_run(stage, **bound), monkeypatch)


@pytest.mark.parametrize(("stage", "bound"), EVALUATIONS.items())
def test_an_evaluation_runs_on_a_gpu(stage, bound, data, monkeypatch):
    upstream = tiny.a_run("pretrain", projection_head__kind="linear", projection_head__out_dim=16)
    tiny.work(upstream)
    on_a_gpu(tiny.a_run(stage, upstream, **bound), monkeypatch)
