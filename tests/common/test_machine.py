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
