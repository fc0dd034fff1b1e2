"""Images as the library wants them, and the declared device and threads."""

import os

import gin
import numpy as np
import pytest
import torch

from common import files
from common.errors import UserError
from stages.data import datasets
from stages.data.file_lists import UNKNOWN, Entry, FileList
from stages.data.loading import dataset
from stages.planning.configurables import check_binding
from stages.running import job
from stages.running.execution import execution
from tests.stages import tiny

CPU = torch.device("cpu")


@pytest.fixture
def threads():
    """As many threads after the test as before."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def data(project):
    """The folder that holds the data set "tiny"."""
    folder = tiny.prepare_tiny(project).parent
    gin.bind_parameter("dataset.name", "tiny")
    return folder


def test_images_come_channels_first_with_their_labels(data):
    stored, labels = tiny.coloured(tiny.SIZES["test"], seed=1)
    images, found = dataset(data, "test", CPU)
    assert images.dtype == torch.uint8 and images.shape == (12, 3, 8, 8) and images.is_contiguous()
    assert found.dtype == torch.int64 and found.tolist() == labels.tolist()
    for n, channel, y, x in [(0, 0, 0, 0), (3, 1, 2, 5), (11, 2, 7, 1)]:
        assert images[n, channel, y, x] == stored[n, y, x, channel]


def test_training_splits_share_no_image_and_are_all_of_train(data):
    parts = [dataset(data, split, CPU)[0] for split in ("train", "validation", "train+validation")]
    assert [len(part) for part in parts] == [36, 12, 48]
    kept, held, all_ = ({image.numpy().tobytes() for image in part} for part in parts)
    assert not kept & held and kept | held == all_


def test_a_limit_keeps_a_class_balanced_part_of_training_and_all_of_test(data):
    gin.bind_parameter("dataset.limit", 12)
    images, labels = dataset(data, "train+validation", CPU)
    assert len(images) == 12 and labels.bincount().tolist() == [4, 4, 4]
    assert len(dataset(data, "test", CPU)[0]) == 12
    again, _ = dataset(data, "train+validation", CPU)
    assert torch.equal(images, again)


def test_grey_images_are_repeated_to_three_channels(monkeypatch, tmp_path):
    grey = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4, 1)
    monkeypatch.setattr(datasets, "load", lambda *_, **__: (grey, np.array([0, 1])))
    images, _ = dataset(tmp_path, "train", CPU, "grey")
    assert images.shape == (2, 3, 4, 4) and images.is_contiguous()
    for channel in range(3):
        assert torch.equal(images[:, channel], torch.from_numpy(grey)[..., 0])


def test_damaged_images_are_not_used(data):
    path = data / "tiny" / "train.images.npy"
    array = np.load(path)
    array[0, 0, 0, 0] ^= 1
    files.write_array(path, array)
    with pytest.raises(UserError, match="an array is damaged") as caught:
        dataset(data, "train", CPU)
    assert "train.images.npy" in str(caught.value)


def test_a_data_set_must_be_named(project):
    with pytest.raises(RuntimeError, match="name"):
        dataset(project, "train", CPU)


def test_prepare_sets_the_declared_threads(threads):
    assert execution(device="cpu", threads=2).prepare() == CPU
    assert torch.get_num_threads() == 2
    execution(device="cpu", threads=1).prepare()
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize(
    ("device", "cuda", "chosen"),
    [("auto", False, "cpu"), ("auto", True, "cuda"), ("cpu", True, "cpu"), ("cuda", True, "cuda")],
)
def test_auto_is_cuda_where_there_is_one_and_kernels_there_are_deterministic(
    device, cuda, chosen, monkeypatch, threads
):
    told = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(torch, "use_deterministic_algorithms", lambda on, warn_only: told.append(on))
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "unset")
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    expected = torch.device(chosen, 1) if chosen == "cuda" else CPU
    assert execution(device=device).prepare() == expected
    assert told == ([True] if chosen == "cuda" else [])
    assert os.environ.get("CUBLAS_WORKSPACE_CONFIG") == (":4096:8" if chosen == "cuda" else None)


def test_what_is_declared_of_reading_reaches_the_photographs(data, monkeypatch):
    """With the defaults as many processes as there are cores to spare, and splits of up to 4 GB kept."""
    given = []
    monkeypatch.setattr(job, "dataset", lambda folder, split, device, **how: given.append(how))
    job.Job(tiny.a_run("pretrain"), tiny.RESULTS).data("train")
    job.Job(tiny.a_run("pretrain", execution__workers=3, execution__keep_gb=0.5), tiny.RESULTS).data("train")
    assert given == [{"workers": None, "keep_gb": 4.0}, {"workers": 3, "keep_gb": 0.5}]


def test_declared_workers_and_room_become_the_photographs_own(monkeypatch, tmp_path):
    photographs = FileList(tmp_path, (Entry("a.jpg", 1, UNKNOWN),))
    monkeypatch.setattr(datasets, "load", lambda *_, **__: (photographs, np.array([0])))
    images, _ = dataset(tmp_path, "train", CPU, "any", workers=3, keep_gb=0.5)
    assert (images.workers, images._budget) == (3, 500_000_000)


def test_workers_are_a_number_or_none():
    for good in (0, 8, None):
        check_binding("pretrain", "execution.workers", good, "here")
    for key, bad in (("workers", -1), ("workers", 1.5), ("keep_gb", -1.0), ("keep_gb", "all")):
        with pytest.raises(UserError):
            check_binding("pretrain", f"execution.{key}", bad, "here")
