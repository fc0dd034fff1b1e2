"""The formats of files: text, JSON, YAML, CSV, arrays and tensors, written and read, and their checksums.

Every writer leaves a file that is whole or absent (common.atomic), gives equal bytes for equal values, and returns
whether it wrote. With `only_if_changed=True` a file that already holds these bytes keeps its modification time, so that
a workflow engine sees no change. Every reader raises UserError for a file that is missing or damaged.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from common.atomic import whole_file
from common.documents import read_yaml as read_yaml  # YAML is read where its limits are
from common.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

RUN_AGAIN = "run the stage that makes it"
EPOCH_OF_ZIP = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip entry can carry: no clock in our bytes


def write_bytes(path: str | Path, data: bytes, *, only_if_changed: bool = False) -> bool:
    """Write `data`; returns False if `only_if_changed` and the file held it already."""
    path = Path(path)
    if only_if_changed and _holds(path, data):
        return False
    with whole_file(path, needed=len(data)) as file:
        file.write(data)
    return True


def write_text(path: str | Path, text: str, *, only_if_changed: bool = False) -> bool:
    """Write `text` as UTF-8, with its line ends unchanged."""
    return write_bytes(path, text.encode(), only_if_changed=only_if_changed)


def write_json(path: str | Path, value: Any, *, only_if_changed: bool = False) -> bool:
    """Write `value` with sorted keys, two spaces and a final newline. NaN and infinities raise ValueError."""
    text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"
    return write_text(path, text, only_if_changed=only_if_changed)


def write_yaml(path: str | Path, value: Any, *, header: str = "", only_if_changed: bool = False) -> bool:
    """Write dicts, lists and scalars as block style YAML in their own order, below `header` (comments)."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.sort_base_mapping_type_on_output, yaml.width = False, False, 110
    yaml.representer.ignore_aliases = lambda data: True  # equal values are written out, not referred to
    stream = io.StringIO()
    yaml.dump(value, stream)
    return write_text(path, header + stream.getvalue(), only_if_changed=only_if_changed)


def write_array(path: str | Path, array: np.ndarray, *, only_if_changed: bool = False) -> bool:
    """Write one array as .npy, which can be memory-mapped. Object arrays raise ValueError."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(array, order="C"), allow_pickle=False)
    return write_bytes(path, stream.getvalue(), only_if_changed=only_if_changed)


def write_arrays(
    folder: str | Path, arrays: Mapping[str, np.ndarray], *, only_if_changed: bool = False
) -> bool:
    """Write each array as folder/<name>.npy; returns whether any was written."""
    written = [
        write_array(Path(folder) / f"{name}.npy", array, only_if_changed=only_if_changed)
        for name, array in arrays.items()
    ]
    return any(written)


def write_npz(path: str | Path, arrays: Mapping[str, np.ndarray], *, only_if_changed: bool = False) -> bool:
    """Write `npz_bytes` of the arrays."""
    return write_bytes(path, npz_bytes(arrays), only_if_changed=only_if_changed)


def npz_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Arrays as an uncompressed .npz: sorted names, no clock, no pickle, the same bytes everywhere.

    Not deflated on purpose: builds of zlib differ in their output.
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            entry = io.BytesIO()
            np.lib.format.write_array(entry, np.asarray(arrays[name], order="C"), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", EPOCH_OF_ZIP), entry.getvalue())
    return stream.getvalue()


def write_tensors(path: str | Path, tensors: Mapping[str, Tensor], *, only_if_changed: bool = False) -> bool:
    """Write tensors (any device) as safetensors. Tensors that share memory raise RuntimeError."""
    return write_bytes(path, tensor_bytes(tensors), only_if_changed=only_if_changed)


def tensor_bytes(tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> bytes:
    """Tensors (any device) as a safetensors file, with this metadata in its header."""
    from safetensors.torch import save

    return save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, metadata)


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, on the CPU. UserError if it is missing or damaged."""
    return parse_tensors(read_bytes(path), path)


def parse_tensors(data: bytes, path: str | Path) -> dict[str, Tensor]:
    """The tensors of the bytes of a safetensors file. UserError, naming the path, if they are damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(data)
    except SafetensorError as error:
        raise _damaged(path, "a whole safetensors file", error) from error


def read_bytes(path: str | Path, remedy: str = RUN_AGAIN) -> bytes:
    """The content of a file. UserError, with this remedy, if there is no such file."""
    try:
        return Path(path).read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise UserError(
            "a file is missing", expected="a file", found=error.strerror, where=path, remedy=remedy
        ) from error


def read_text(path: str | Path, remedy: str = RUN_AGAIN) -> str:
    """The text of a UTF-8 file. UserError if it is missing or not UTF-8."""
    try:
        return read_bytes(path, remedy).decode()
    except UnicodeDecodeError as error:
        raise UserError(
            "a file cannot be read", expected="UTF-8", found=error, where=path, remedy=remedy
        ) from error


def read_json(path: str | Path, remedy: str = "") -> Any:
    """The value in a JSON file. UserError if it is missing or damaged."""
    try:
        return json.loads(read_bytes(path, remedy or RUN_AGAIN))
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "JSON", error, remedy) from error


def parse_yaml(text: str | bytes, where: str | Path) -> Any:
    """The value of a YAML text (plain types only). UserError, naming `where`, if the text is not YAML."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe").load(text)
    except (YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise UserError("a file cannot be read", expected="YAML", found=error, where=where) from error


def read_csv(path: str | Path, remedy: str = RUN_AGAIN) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of a CSV file, as text. UserError if it is missing or ragged."""
    return parse_csv(read_text(path, remedy), path, remedy)


def parse_csv(text: str, where: str | Path, remedy: str = "") -> tuple[list[str], list[list[str]]]:
    """The header and the rows of a CSV text. UserError, naming `where`, unless rows are as wide as the header."""
    lines = [line for line in csv.reader(text.removeprefix("\ufeff").splitlines()) if line]
    if not lines:
        raise UserError("a table is empty", expected="a header", found="no line", where=where, remedy=remedy)
    header, *rows = lines
    if len(set(header)) < len(header):
        raise UserError(
            "two columns have one name",
            expected="distinct names",
            found=", ".join(header),
            where=where,
            remedy=remedy,
        )
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise UserError(
                "a row is not as wide as its header",
                expected=f"{len(header)} fields ({', '.join(header)})",
                found=f"{len(row)} in row {number}",
                where=where,
                remedy=remedy,
            )
    return header, rows


def read_npz(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file. UserError if it is missing or damaged."""
    try:
        with np.load(io.BytesIO(read_bytes(path)), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        if others := [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]:
            raise ValueError(f"{others[0]} is no array")
        return arrays
    except UserError:
        raise
    except Exception as error:  # a damaged archive can raise nearly anything
        raise _damaged(path, "an .npz file", error) from error


def sha256_bytes(data: bytes) -> str:
    """Hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: str | Path) -> str:
    """Hexadecimal SHA-256 of a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _holds(path: Path, data: bytes) -> bool:
    return path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data


def _damaged(path: str | Path, expected: str, error: Exception, remedy: str = "") -> UserError:
    return UserError(
        "a file is damaged",
        expected=expected,
        found=f"{error} ({Path(path).stat().st_size:,} bytes)",
        where=path,
        remedy=remedy or "delete it and run the stage that makes it again",
    )
