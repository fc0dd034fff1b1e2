"""The untrained encoder: where pretraining starts, and what trains from scratch."""

import pytest
import torch

from common import files
from simclr.encoder import resnet
from tests.stages import tiny


@pytest.fixture(autouse=True)
def data(project) -> None:
    """The tiny data set in a project of one's own."""
    tiny.prepare_tiny(project)


def test_it_saves_the_initial_weights_of_the_seed_and_counts_them():
    run = tiny.a_run("initialize", seed=3)
    folder = tiny.work(run)
    saved = files.read_tensors(folder / "weights.safetensors")
    expected = resnet(seed=3, depth=8, stem="cifar", base_channels=4)
    assert saved.keys() == {f"encoder.{name}" for name in expected.state_dict()}
    assert all(torch.equal(saved[f"encoder.{name}"], t) for name, t in expected.state_dict().items())
    # ResNet-8 with 4 channels: 3x3 convolutions, three 1x1 shortcuts, two numbers per batch-norm channel
    convolutions = 9 * (3 * 4 + 2 * 16 + 32 + 64 + 128 + 256) + 16 + 32 + 128
    norms = 2 * (4 + 3 * 4 + 3 * 8 + 3 * 16)
    assert files.read_json(folder / "metrics.json") == {"params": (convolutions + norms) / 1e6}


def test_it_reads_no_data_and_each_seed_is_another_network(project):
    (tiny.RESULTS / "smoke" / "data" / "tiny" / "manifest.json").unlink()
    one, other = (tiny.listed(tiny.work(tiny.a_run("initialize", seed=seed))) for seed in (0, 1))
    assert one["weights.safetensors"] != other["weights.safetensors"]


def test_training_from_scratch_is_a_chain_on_it():
    upstream = tiny.a_run("initialize")
    tiny.work(upstream)
    bindings = {"label_subset__fraction": 1.0, "fine_tuning__epochs": 6}
    metrics = files.read_json(tiny.work(tiny.a_run("finetune", upstream, **bindings)) / "metrics.json")
    assert metrics["top1"] > 50, "a third would be chance"
