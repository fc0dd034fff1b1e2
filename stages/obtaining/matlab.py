"""Lists in MATLAB's .mat files, read by SciPy in a process of its own.

A damaged file can end SciPy's reader, and the process with it, by a segmentation fault; ours then says which file it
was. The child prints JSON: {"values": [...]}, or {"fault": "..."}.
"""

from __future__ import annotations

import io
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from common.errors import UserError
from stages.data.datasets import REPOSITORY

SECONDS = 120
MEMORY = 8 << 30  # bytes of address space; the largest list, of Stanford Cars, needs a hundredth


def values(path: Path, name: str, *fields: str) -> list[Any]:
    """The variable `name` of a .mat file in one dimension: numbers and texts, or with fields a list of these each.

    UserError, naming the file, if it is missing, damaged, or has no such variable or fields.
    """
    expected = f"a .mat file with {name}" + (
        f", an array of structs with {', '.join(fields)}" if fields else ""
    )
    if not path.is_file():
        raise unreadable(path, expected, "No such file or directory" if not path.exists() else "no file")
    child = [sys.executable, "-m", "stages.obtaining.matlab", str(path.absolute()), name, *fields]
    try:
        done = subprocess.run(child, cwd=REPOSITORY, capture_output=True, text=True, timeout=SECONDS)
        answer = json.loads(done.stdout or "{}")
    except subprocess.TimeoutExpired:
        answer = {"fault": f"not read after {SECONDS} s"}
    if "values" in answer:
        return answer["values"]
    # by a signal there are no words
    raise unreadable(path, expected, answer.get("fault") or "bytes that end the process that reads them")


def unreadable(path: Path, expected: str, error: Exception | str) -> UserError:
    """An official list that is missing or damaged."""
    forbidden = isinstance(error, PermissionError)
    return UserError(
        "a list of the data set is missing or cannot be read",
        expected=expected,
        found=getattr(error, "strerror", None) or error,
        where=path,
        remedy="check the owner and mode of the file"
        if forbidden
        else "unpack the official archive that has it again",
    )


def _main(path: str, name: str, *fields: str) -> None:
    import numpy as np
    from scipy.io import loadmat

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        variables = loadmat(io.BytesIO(Path(path).read_bytes()), squeeze_me=True)
        array = np.atleast_1d(variables.get(name, []))
        if name not in variables:
            answer: dict[str, Any] = {"fault": f"none called {name}"}
        elif absent := set(fields) - set(array.dtype.names or ()):
            answer = {"fault": f"{name} without {', '.join(sorted(absent))}"}
        elif fields:
            answer = {"values": [[_plain(one[field]) for field in fields] for one in array.reshape(-1)]}
        else:
            answer = {"values": [_plain(one) for one in array.reshape(-1)]}
    except Exception as error:  # a damaged file can raise nearly anything
        answer = {"fault": str(error)[:400] or type(error).__name__}
    print(json.dumps(answer))


def _plain(value: Any) -> int | float | str:
    """What JSON can hold; MATLAB's own numbers are floats."""
    if getattr(value, "size", 1) == 1 and hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int | float | str) else str(value)[:80]


if __name__ == "__main__":
    _main(*sys.argv[1:])
