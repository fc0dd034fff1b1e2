"""Fine-tuning on few labels: which labels, what learns, and one look at the test split."""

from pathlib import Path

import numpy as np
import pytest
import torch

from common import files
from common.errors import UserError
from simclr.classification import Classification
from simclr.encoder import resnet
from simclr.views import evaluation_view
from stages import finetune
from stages.data import datasets
from stages.planning.plans import Run
from tests.stages import tiny


def subset_of(folder: Path) -> np.ndarray:
    """Rows (index, label) of the subset that a finished run stored."""
    return np.loadtxt(folder / "subset.csv", np.int64, delimiter=",", skiprows=1, ndmin=2)


def weights(run: Run) -> dict[str, torch.Tensor]:
    return files.read_tensors(run.folder(tiny.RESULTS) / "weights.safetensors")


def test_every_weight_of_the_encoder_has_changed_and_the_upstream_file_has_not(upstream):
    before = (upstream.folder(tiny.RESULTS) / "weights.safetensors").read_bytes()
    run = tiny.a_run("finetune", upstream)
    tiny.work(run)
    tuned, old = weights(run), weights(upstream)
    learned = [name for name in tuned if name.startswith("encoder.")]
    assert set(learned) == {name for name in old if name.startswith("encoder.")}
    assert not [name for name in learned if torch.equal(tuned[name], old[name])]
    assert (upstream.folder(tiny.RESULTS) / "weights.safetensors").read_bytes() == before


def test_the_subset_is_balanced_stored_and_nested_and_no_runs_seed_moves_it(upstream):
    _, labels = datasets.load(tiny.RESULTS / "smoke" / "data" / "tiny", "train+validation")

    def stored(**changes) -> np.ndarray:
        return subset_of(tiny.work(tiny.a_run("finetune", upstream, **changes)))

    subsets = [stored(label_subset__fraction=fraction) for fraction in (0.25, 0.5, 1.0)]
    for (index, used), per_class in zip((subset.T for subset in subsets), (4, 8, 16), strict=True):
        assert np.all(np.diff(index) > 0) and np.array_equal(labels[index], used)
        assert np.bincount(used).tolist() == [per_class] * 3
    assert set(subsets[0][:, 0]) < set(subsets[1][:, 0]) < set(subsets[2][:, 0])
    assert np.array_equal(stored(seed=1), subsets[0])
    assert not np.array_equal(stored(label_subset__seed=1), subsets[0])


def test_only_the_chosen_images_are_trained_on(upstream, monkeypatch):
    seen, step = [], Classification.step

    def spy(training):
        seen.append((len(training.images), training.labels.tolist(), training.batch_size))
        return step(training)

    monkeypatch.setattr(Classification, "step", spy)
    used = subset_of(tiny.work(tiny.a_run("finetune", upstream)))[:, 1].tolist()
    assert seen == [(12, used, 12)] * 3, (
        "a batch of 16 shrinks to the 12 labelled images; 3 epochs of one step"
    )


def test_the_metrics_are_those_of_the_saved_network_on_test_read_once(reads, upstream):
    run = tiny.a_run("finetune", upstream, label_subset__fraction=1.0)
    metrics = files.read_json(tiny.work(run) / "metrics.json")
    assert reads == ["train+validation", "test"]
    assert {"top1", "top5", "images"} <= metrics.keys() and metrics["images"] == 48
    assert metrics["top5"] == 100  # there are three classes
    encoder, head = resnet(depth=8, stem="cifar", base_channels=4), torch.nn.Linear(16, 3)
    for module, prefix in ((encoder, "encoder."), (head, "head.")):
        own = {k.removeprefix(prefix): v for k, v in weights(run).items() if k.startswith(prefix)}
        module.load_state_dict(own)
    images, labels = (torch.from_numpy(a) for a in tiny.coloured(12, seed=1))
    views = evaluation_view(images.permute(0, 3, 1, 2), 8)
    right = head(encoder.eval()(views)).argmax(1).eq(labels).double().mean().item()
    assert metrics["top1"] == pytest.approx(100 * right, abs=1e-9)


@pytest.mark.parametrize("fraction", [0, -0.1, 1.5])
def test_a_fraction_out_of_range_is_refused_before_training(upstream, fraction):
    with pytest.raises(UserError, match="fraction"):
        tiny.work(tiny.a_run("finetune", upstream, label_subset__fraction=fraction))


def test_a_list_decides(tmp_path):
    listed = tmp_path / "some.txt"
    listed.write_text("c.JPEG\na.JPEG\n")
    names = ["b.JPEG", "a.JPEG", "c.JPEG"]
    found = finetune.label_subset(np.array([0, 0, 1]), names, 0.5, str(listed))
    assert found.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("listed", "fraction", "fits"),
    [
        (10, 0.01, True),
        (11, 0.01, True),
        (12, 0.01, False),
        (10, 0.1, False),
        (10, 1.0, False),
        (99, 0.1, True),
        (101, 0.1, True),
        (98, 0.1, False),
        (496, 0.5, True),
        (494, 0.5, False),
    ],
)
def test_a_list_of_another_fraction_is_refused(tmp_path, listed, fraction, fits):
    names, path = [f"{i}.JPEG" for i in range(1000)], tmp_path / "list.txt"
    path.write_text("\n".join(names[:listed]))
    labels = np.arange(1000) % 2
    if fits:
        assert len(finetune.label_subset(labels, names, fraction, str(path))) == listed
        return
    with pytest.raises(UserError, match="not of the fraction") as caught:
        finetune.label_subset(labels, names, fraction, str(path))
    assert (caught.value.where, caught.value.found) == (str(path), f"{listed} names")


def test_a_list_that_is_missing_empty_or_strange_is_refused_by_name(tmp_path):
    labels, names, listed = np.array([0, 1]), ["a.JPEG", "b.JPEG"], tmp_path / "list.txt"
    for text, found in ((None, ""), ("", ""), ("a.JPEG\nz.JPEG\n", "z.JPEG")):
        if text is not None:
            listed.write_text(text)
        with pytest.raises(UserError) as caught:
            finetune.label_subset(labels, names, 0.1, str(listed))
        assert "list.txt" in str(caught.value) and found in str(caught.value)


def test_a_list_for_a_data_set_of_arrays_says_what_to_bind(upstream, tmp_path):
    (tmp_path / "list.txt").write_text("a.JPEG\n")
    with pytest.raises(UserError) as caught:
        tiny.work(tiny.a_run("finetune", upstream, label_subset__file=str(tmp_path / "list.txt")))
    assert "label_subset.fraction" in str(caught.value)


def test_a_killed_run_resumes_to_the_bytes_of_an_unbroken_one(upstream, project):
    run = tiny.a_run("finetune", upstream, fine_tuning__epochs=4, execution__checkpoint_minutes=0.0)
    expected = tiny.listed(tiny.work(run))
    assert expected.keys() == {
        "curve.csv",
        "metrics.json",
        "operative.gin",
        "subset.csv",
        "weights.safetensors",
    }
    broken = tiny.killed_after(3, run, project / "broken")
    assert tiny.listed(tiny.work(run, broken)) == expected


def test_equal_runs_have_equal_bytes_and_another_seed_has_others(upstream):
    run = tiny.a_run("finetune", upstream, label_subset__fraction=1.0)
    first = tiny.listed(tiny.work(run))
    torch.manual_seed(17)
    assert tiny.listed(tiny.work(run)) == first
    other = tiny.listed(tiny.work(tiny.a_run("finetune", upstream, seed=1, label_subset__fraction=1.0)))
    assert other["weights.safetensors"] != first["weights.safetensors"]
