"""Whole or absent, and equal bytes for equal values."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from common import files
from common.errors import UserError

ARRAYS = {"b/x": np.arange(6, dtype=np.int16).reshape(2, 3), "a": np.float32(1.5), "c": np.zeros((0, 2))}
WRITERS = {
    "text": (files.write_text, "grün\n", files.read_bytes, "grün\n".encode()),
    "json": (files.write_json, {"b": [1, None], "a": "ü"}, files.read_json, {"a": "ü", "b": [1, None]}),
    "yaml": (
        files.write_yaml,
        {"b": [1, 0.5], "a": {"c": "1e5"}},
        files.read_yaml,
        {"b": [1, 0.5], "a": {"c": "1e5"}},
    ),
}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("kind", WRITERS)
def test_what_was_written_is_read(kind, tmp_path):
    write, value, read, expected = WRITERS[kind]
    assert write(tmp_path / "new" / "file", value)
    assert read(tmp_path / "new" / "file") == expected
    assert names(tmp_path / "new") == ["file"]


@pytest.mark.parametrize("kind", WRITERS)
def test_an_unchanged_file_keeps_its_time(kind, tmp_path):
    write, value, _, _ = WRITERS[kind]
    path = tmp_path / "file"
    write(path, value)
    os.utime(path, ns=(1, 1))
    assert not write(path, value, only_if_changed=True)
    assert path.stat().st_mtime_ns == 1
    assert write(path, value)
    assert path.stat().st_mtime_ns != 1


def test_json_is_sorted_and_refuses_what_json_cannot_hold(tmp_path):
    files.write_json(tmp_path / "a", {"b": 1, "a": 2})
    assert (tmp_path / "a").read_text() == '{\n  "a": 2,\n  "b": 1\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "a", float("nan"))
    assert files.read_json(tmp_path / "a") == {"a": 2, "b": 1}


def test_yaml_is_block_style_in_its_own_order_below_the_header(tmp_path):
    files.write_yaml(tmp_path / "a", {"b": [1], "a": {"c": None}}, header="# why\n")
    assert (tmp_path / "a").read_text() == "# why\nb:\n- 1\na:\n  c: null\n"


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text()
        | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_any_json_value_comes_back(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "value.json"
    files.write_json(path, value)
    assert files.read_json(path) == value


def test_npz_comes_back_with_shapes_and_types(tmp_path):
    files.write_npz(tmp_path / "a.npz", ARRAYS)
    found = files.read_npz(tmp_path / "a.npz")
    assert list(found) == ["a", "b/x", "c"]
    for name, array in found.items():
        np.testing.assert_array_equal(array, ARRAYS[name], strict=True)


def test_an_archive_of_something_else_is_refused_by_name(tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"no array")
    with pytest.raises(UserError) as caught:
        files.read_npz(path)
    assert caught.value.where == str(path) and "x is no array" in str(caught.value)
    files.write_npz(path, ARRAYS)
    whole = path.read_bytes()
    entry = whole.index(b"PK\x01\x02")
    path.write_bytes(whole[: entry + 6] + b"\xff" + whole[entry + 7 :])  # made by a ZIP of the future
    with pytest.raises(UserError) as caught:
        files.read_npz(path)
    assert "zip file version" in str(caught.value)


def test_npz_bytes_know_neither_the_clock_nor_the_order(tmp_path):
    files.write_npz(tmp_path / "a.npz", ARRAYS)
    files.write_npz(tmp_path / "b.npz", dict(reversed(ARRAYS.items())))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {files.EPOCH_OF_ZIP}


@pytest.mark.parametrize(
    "write", [files.write_array, lambda path, array: files.write_npz(path, {"x": array})]
)
def test_arrays_of_objects_are_refused(write, tmp_path):
    with pytest.raises(ValueError, match="Object arrays"):
        write(tmp_path / "a", np.array([{}]))
    assert names(tmp_path) == []


def test_write_arrays_makes_files_that_can_be_memory_mapped(tmp_path):
    x = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert files.write_arrays(tmp_path, {"x": x.T, "y": x})
    assert not files.write_arrays(tmp_path, {"x": x.T, "y": x}, only_if_changed=True)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy", mmap_mode="r"), x.T)


def test_tensors_come_back_and_their_order_does_not_matter(tmp_path):
    tensors = {
        "w": torch.arange(6.0).reshape(2, 3).T,
        "step": torch.tensor(7),
        "h": torch.ones(2, dtype=torch.bfloat16),
    }
    files.write_tensors(tmp_path / "a", tensors)
    files.write_tensors(tmp_path / "b", dict(reversed(tensors.items())))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    found = files.read_tensors(tmp_path / "a")
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("make", "read"),
    [
        (lambda path: files.write_tensors(path, {"x": torch.zeros(99)}), files.read_tensors),
        (lambda path: files.write_json(path, {"a": [1, 2, 3]}), files.read_json),
        (lambda path: files.write_yaml(path, {"a": "x: 'y' \" [z"}), files.read_yaml),
        (lambda path: files.write_npz(path, ARRAYS), files.read_npz),
    ],
)
def test_a_truncated_file_is_named(make, read, tmp_path):
    path = tmp_path / "damaged"
    make(path)
    path.write_bytes(path.read_bytes()[:10])
    with pytest.raises(UserError) as caught:
        read(path)
    # YAML is text: its line is said, too.
    assert caught.value.where.removesuffix(", line 1") == str(path)
    assert caught.value.expected


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="missing") as caught:
        files.read_json(tmp_path / "none.json")
    assert caught.value.where == str(tmp_path / "none.json")


def test_sha256_of_a_file_is_that_of_its_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1
    assert files.sha256_file(tmp_path / "a") == files.sha256_bytes(b"abc") == known
