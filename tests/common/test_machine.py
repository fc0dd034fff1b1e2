"""Which GPUs and cores a driver may give to its runs."""

import os

import pytest

from common import machine


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("4,5", ["4", "5"]),
        (" 4 , 5 ", ["4", "5"]),
        ("GPU-8932f937,GPU-46b1c8d4", ["GPU-8932f937", "GPU-46b1c8d4"]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("0,-1,1", ["0"]),
    ],
)
def test_visible_devices(monkeypatch, visible, expected):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert machine.devices() == expected
    assert machine.slots() == (len(expected) or machine.cores())


def test_each_slot_has_a_visible_device_of_its_own(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    assert [machine.devices_of_slots([slot]) for slot in range(3)] == [["2"], ["5"], ["2"]]
    assert machine.devices_of_slots([0, 1]) == ["2", "5"] and machine.devices_of_slots([1, 3]) == ["5"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert machine.devices_of_slots([0]) == []


@pytest.mark.parametrize(
    ("visible", "own_cores", "sharing"),
    [("3", 8, 1), ("2,5", 16, 2), ("0,1,2,3,4,5,6,7", 32, 8), ("3", 64, 8), (None, 8, 8)],
)
def test_cores_of_a_part_of_a_node_are_shared_by_the_gpus_of_that_part(
    monkeypatch, tmp_path, visible, own_cores, sharing
):
    """A node of 64 cores and 8 GPUs: a Slurm job has a part of them, and sees the others under /dev."""
    for name in (*(f"nvidia{place}" for place in range(8)), "nvidiactl"):
        (tmp_path / name).touch()
    monkeypatch.setattr(machine, "DEVICES", tmp_path)
    monkeypatch.setattr(machine, "cores", lambda: own_cores)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "environ", {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible})
    assert machine.sharing_gpus() == sharing
    machine.take([0])  # a run sees one GPU, and its driver the others
    assert len(machine.devices()) == 1 and machine.sharing_gpus() == sharing


def test_cores_are_those_of_the_mask():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert machine.cores() == 1
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize(
    ("text", "cores"), [("150000 100000", 1), ("400000 100000", 4), ("max 100000", None)]
)
def test_a_containers_quota_limits_the_cores(tmp_path, text, cores):
    path = tmp_path / "cpu.max"
    path.write_text(text)
    assert machine._quota(path) == cores
    assert machine._quota(tmp_path / "absent") is None
