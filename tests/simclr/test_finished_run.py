"""A finished run's encoder, opened from its folder: the run's own h, or a refusal that says why."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

import simclr
from simclr.encoder import ARCHITECTURES, resnet
from simclr.evaluation import evaluated
from simclr.finished_run import architecture
from tests.simclr.small import IMAGES, small_resnet


def finished(folder: Path, encoder: torch.nn.Module, prefix: str = "encoder", **bindings: object) -> Path:
    """A run folder as the stages seal it."""
    folder.mkdir(parents=True, exist_ok=True)
    content = save({f"{prefix}.{name}": t.contiguous() for name, t in encoder.state_dict().items()})
    (folder / "weights.safetensors").write_bytes(content)
    listed = {"weights.safetensors": hashlib.sha256(content).hexdigest()}
    cause = {"stage": "pretrain", "bindings": bindings, "files": listed}
    (folder / "run.json").write_text(json.dumps(cause))
    return folder


def moved(encoder: torch.nn.Module) -> torch.nn.Module:
    """An encoder whose running statistics are not the initial ones."""
    with torch.no_grad():
        encoder.train()(IMAGES / 255)
    return encoder


def test_images_get_the_h_that_the_encoder_gives_them(tmp_path):
    encoder = moved(small_resnet(seed=3))
    embed = simclr.pretrained(finished(tmp_path, encoder, **{"ViewPolicy.size": 8}))
    h = embed(IMAGES)
    assert torch.equal(h, evaluated(encoder, IMAGES, 8))
    assert (embed.size, embed.feature_dim, h.shape) == (8, 16, (20, 16)) and not h.requires_grad
    # Images of a list are resampled one by one, with sums in another order.
    torch.testing.assert_close(embed(list(IMAGES)), h)
    assert not embed.training


def test_the_size_may_be_given_and_must_be_where_the_run_says_none(tmp_path):
    folder = finished(tmp_path, small_resnet())
    with pytest.raises(ValueError, match=r"nothing of the size of images: give pretrained\(..., size=224\)"):
        simclr.pretrained(folder)
    assert simclr.pretrained(str(folder), size=10).size == 10


@pytest.mark.parametrize("depth", ARCHITECTURES)
@pytest.mark.parametrize("stem", ["cifar", "imagenet"])
def test_every_architecture_is_told_by_its_weights(depth, stem):
    with torch.device("meta"):
        state = resnet(depth=depth, stem=stem, width=2).state_dict()
        assert {name: t.shape for name, t in resnet(**architecture(state)).state_dict().items()} == {
            name: t.shape for name, t in state.items()
        }
    assert architecture(state)["depth"] == depth


def test_weights_of_no_architecture_are_refused():
    state = small_resnet().state_dict()
    fewer = {name: t for name, t in state.items() if not name.startswith("groups.2")}
    with pytest.raises(ValueError, match=r"no ResNet of this library has groups of \[1, 1\] basic blocks"):
        architecture(fewer)


@pytest.mark.parametrize("place", [0, 100, -1])
def test_one_changed_byte_is_found(tmp_path, place):
    folder = finished(tmp_path, small_resnet(), **{"ViewPolicy.size": 8})
    content = bytearray((folder / "weights.safetensors").read_bytes())
    content[place] ^= 1
    (folder / "weights.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=r"weights.safetensors is damaged: run.json lists SHA-256"):
        simclr.pretrained(folder)


def test_what_is_no_finished_run_with_an_encoder_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no finished run: .* has no run.json"):
        simclr.pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"\(stage pretrain\) holds no encoder"):
        simclr.pretrained(finished(tmp_path / "head", small_resnet(), prefix="head"))
    folder = finished(tmp_path / "none", small_resnet())
    (folder / "run.json").write_text('{"stage": "logistic", "bindings": {}, "files": {}}')
    with pytest.raises(ValueError, match=r"\(stage logistic\) kept no weights"):
        simclr.pretrained(folder)
