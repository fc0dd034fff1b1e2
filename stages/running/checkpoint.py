"""The checkpoint of a run at work: tensors, the seconds that they cost, and a checksum over all of it, in one file.

The file is a safetensors file. Its metadata hold the SHA-256 of the whole file with zeros in the place of the digest,
so that a changed byte anywhere is seen: the format itself sees none in the numbers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from common import atomic, files
from common.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

ZEROS = b"0" * 64
BEFORE = b'"sha256":"'  # stands before the digest; metadata come first in the file


def write(path: Path, tensors: Mapping[str, Tensor], seconds: float) -> None:
    """Write a checkpoint of a run that took so many seconds up to it."""
    data = files.tensor_bytes(tensors, {"sha256": ZEROS.decode(), "seconds": repr(float(seconds))})
    digest = _digest(data)
    start, end = _place(data)
    view = memoryview(data)  # a network can be large: no second copy of it
    with atomic.whole_file(path, needed=len(data)) as file:
        for part in (view[:start], digest, view[end:]):
            file.write(part)


def read(path: Path) -> tuple[dict[str, Tensor], float]:
    """The tensors, and the seconds up to them. UserError if the file is damaged.

    One without metadata was written before checkpoints had a checksum: it is taken as it is, with 0 seconds.
    """
    data = files.read_bytes(path)
    tensors = files.parse_tensors(data, path)
    told = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")]).get("__metadata__")
    if told is None:
        return tensors, 0.0
    if told.get("sha256", "").encode() != _digest(data):
        raise UserError("a checkpoint is damaged", expected="the bytes that were written", where=path)
    return tensors, float(told["seconds"])


def _place(data: bytes) -> tuple[int, int]:
    start = data.find(BEFORE) + len(BEFORE)
    return start, start + len(ZEROS)


def _digest(data: bytes) -> bytes:
    start, end = _place(data)
    view = memoryview(data)
    digest = hashlib.sha256(view[:start])
    digest.update(ZEROS)
    digest.update(view[end:])
    return digest.hexdigest().encode()
