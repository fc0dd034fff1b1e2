"""Evaluations of h and of z: probe, t-SNE, spectrum and kNN, end to end on a tiny pretraining."""

from pathlib import Path

import gin
import numpy as np
import pytest
import torch

from common import files
from common.errors import UserError
from simclr.heads import projection_head
from simclr.views import ViewPolicy
from stages import spectrum
from stages.running.job import Job
from stages.steps.representing import representation
from tests.stages import tiny

PROBE = {
    "ViewPolicy__ops": ["crop", "flip", "color"],
    "color_distortion__strength": 0.5,
    "probing__operator": "grayscale",
    "probe_training__batch_size": 12,
    "probe_training__epochs": 4,
    "probe_training__base_lr": 1.0,
}
TSNE = {"chosen_images__images_per_class": 3}


@pytest.fixture
def upstream(project):
    """A finished pretraining with a linear head as wide as h."""
    tiny.prepare_tiny(project)
    run = tiny.a_run("pretrain", projection_head__kind="linear", projection_head__out_dim=16)
    tiny.work(run)
    return run


def metrics(stage: str, upstream, **bindings) -> dict[str, float]:
    return files.read_json(tiny.work(tiny.a_run(stage, upstream, **bindings)) / "metrics.json")


def weights(run) -> bytes:
    return (run.folder(tiny.RESULTS) / "weights.safetensors").read_bytes()


@pytest.mark.parametrize("layer", ["h", "z"])
def test_a_representation_is_the_frozen_network_up_to_its_layer(upstream, layer):
    run = tiny.a_run("linear_eval", upstream, representation__layer=layer)
    job = Job(run, tiny.RESULTS)
    network, images = representation(job), torch.rand(4, 3, 8, 8)
    encoder = job.upstream_encoder().eval()
    head = projection_head(16, kind="linear", out_dim=16)
    head.load_state_dict(job.upstream_tensors("head"))
    expected = encoder(images) if layer == "h" else head.eval()(encoder(images))
    assert torch.allclose(network(images), expected, atol=1e-6)
    assert not network.training and not any(p.requires_grad for p in network.parameters())


def test_linear_evaluation_of_h_and_z_differ_and_both_leave_the_pretraining_alone(upstream):
    before = weights(upstream)
    h, z = (metrics("linear_eval", upstream, representation__layer=layer) for layer in ("h", "z"))
    assert h != z and set(h) == {"top1", "top2", "top5", "knn_top1"}
    assert weights(upstream) == before


def test_an_unknown_layer_is_named(upstream):
    with pytest.raises(UserError, match=r"h \| z"):
        tiny.work(tiny.a_run("linear_eval", upstream, representation__layer="g"))


def test_the_probe_of_nothing_is_at_chance_and_of_h_above_it(upstream):
    told = metrics("probe", upstream, representation__layer="h", **PROBE)
    nothing = metrics("probe", upstream, representation__layer="none", **PROBE)
    assert set(told) == {"accuracy"} and 50 <= nothing["accuracy"] <= told["accuracy"] <= 100


def test_a_probe_of_what_was_not_applied_is_refused(upstream):
    with pytest.raises(UserError, match="draws no rotate/angle"):
        tiny.work(tiny.a_run("probe", upstream, **{**PROBE, "probing__operator": "rotate"}))


def test_the_plane_has_a_point_per_chosen_image_and_the_same_bytes_each_time(upstream):
    run = tiny.a_run("tsne", upstream, **TSNE)
    folder = tiny.work(run)
    arrays = files.read_npz(folder / "arrays.npz")
    assert arrays["embedding"].shape == (9, 2) and sorted(arrays["classes"]) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert arrays["class_names"].tolist() == ["red", "green", "blue"]
    found = files.read_json(folder / "metrics.json")
    assert -1 <= found["silhouette"] <= 1 and 0 <= found["knn_accuracy"] <= 100
    listed = tiny.listed(folder)
    again = tiny.work(tiny.a_run("tsne", upstream, seed=0, **TSNE))
    assert tiny.listed(again) == listed


@pytest.mark.parametrize("scale", ["smoke", "reduced", "cifar10", "paper"])
def test_the_recipe_resizes_images_for_the_plane_and_augments_none(scale):
    gin.parse_config(Path(f"params/recipes/tsne_{scale}.gin").read_text(), skip_unknown=True)
    policy = ViewPolicy()
    assert len(policy.ops) == 0 and policy.size == gin.query_parameter("ViewPolicy.size")


def test_too_few_images_for_the_perplexity_are_refused(upstream):
    with pytest.raises(UserError, match="perplexity"):
        tiny.work(tiny.a_run("tsne", upstream, **{**TSNE, "embedding__perplexity": 9.0}))


def test_the_spectrum_of_a_known_matrix():
    rotation = torch.tensor([[0.0, -2.0, 0.0], [2.0, 0.0, 0.0], [0.0, 0.0, 3.0]])
    assert spectrum.squared_eigenvalues(rotation).tolist() == pytest.approx([9.0, 0.0, 0.0], abs=1e-12)
    assert spectrum.squared_eigenvalues(torch.diag(torch.tensor([1.0, -3.0, 2.0]))).tolist() == [
        9.0,
        4.0,
        1.0,
    ]


def test_the_effective_rank_counts_equal_eigenvalues():
    assert spectrum.summary(np.ones(20)) == pytest.approx(
        {"effective_rank": 20.0, "top5_share": 5.0, "dimension": 20.0}
    )
    assert spectrum.summary(np.array([4.0, 0.0, 0.0]))["effective_rank"] == pytest.approx(1.0)


def test_the_spectrum_stage_decomposes_the_saved_head(upstream):
    folder = tiny.work(tiny.a_run("spectrum", upstream))
    saved = files.read_tensors(upstream.folder(tiny.RESULTS) / "weights.safetensors")["head.0.dense.weight"]
    squared = files.read_npz(folder / "arrays.npz")["squared_eigenvalues"]
    assert np.allclose(np.sort(np.linalg.eigvals(saved.double().numpy()).real ** 2)[::-1], squared)


def test_a_head_without_a_square_matrix_has_no_spectrum(project):
    tiny.prepare_tiny(project)
    run = tiny.a_run("pretrain")
    tiny.work(run)
    with pytest.raises(UserError, match="no spectrum"):
        tiny.work(tiny.a_run("spectrum", run))
