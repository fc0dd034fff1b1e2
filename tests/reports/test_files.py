import os

import pytest

from reports.files import ReportError, json_text, write_bytes


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    write_bytes(path, b"one")
    write_bytes(path, b"two")
    assert path.read_bytes() == b"two" and os.listdir(path.parent) == ["file.txt"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_failed_write_leaves_the_old_file_and_no_debris(tmp_path, monkeypatch):
    path = tmp_path / "file.txt"
    write_bytes(path, b"old")
    monkeypatch.setattr(
        os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(ReportError, match=r"expected to write .*No space left"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["file.txt"]


def test_json_keeps_its_order_rounds_floats_and_refuses_nan():
    assert json_text({"b": 0.1 + 0.2, "a": [1, None]}) == '{\n "b": 0.3,\n "a": [\n  1,\n  null\n ]\n}\n'
    with pytest.raises(ValueError):
        json_text({"a": float("nan")})
