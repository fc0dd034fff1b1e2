"""What the stages seal is what the library opens."""

import gin
import pytest
import torch

import simclr
from common import files
from tests.stages import tiny

IMAGES = torch.randint(0, 256, (5, 3, 8, 8), generator=torch.Generator().manual_seed(0)).byte()


@pytest.mark.parametrize("stage", ["pretrain", "supervised"])
def test_a_run_of_the_pipeline_opens_from_its_folder(project, stage):
    tiny.prepare_tiny(project)
    folder = tiny.work(tiny.a_run(stage, seed=1))
    gin.bind_parameter("resnet.width", 4)  # what gin holds now is another run's
    embed = simclr.pretrained(folder)
    saved = files.read_tensors(folder / "weights.safetensors")
    assert embed.size == 8 and embed(IMAGES).shape == (5, embed.feature_dim)
    assert torch.equal(embed.encoder.stem.conv.weight, saved["encoder.stem.conv.weight"])
