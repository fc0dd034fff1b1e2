"""Run `dvc repro`, after a look at what DVC cannot see, and after removing what an earlier kill of it left half-made.

DVC compares times and sizes of the files that it knows. A data set that was missing and has come, a run that was lost,
and a file whose receipt is not true any more are looked for here, as before every call of Snakemake.

DVC empties dvc.lock and its own lock file before it writes them, and refuses to start with half of one. Without them
it runs every step again. The steps know what is left to do, so nothing is trained again.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from common import scales
from common.errors import UserError, command
from common.files import parse_yaml
from stages.running import looking

# One beside each dvc.yaml, and DVC's note on which processes read and write.
LOCKS = (Path("dvc.lock"), Path("workflows/dvc.lock"))
READERS = Path(".dvc/tmp/rwlock")


@command
def main(arguments: list[str] | None = None) -> int:
    """`python -m stages repro [options of dvc repro]`: becomes DVC, in the same process, and ends as DVC does."""
    words = sys.argv[2:] if arguments is None else arguments
    for path in broken_notes():
        path.unlink()
        print(
            f"{path}: DVC was killed at it, so it was removed; every step now looks at what is left to do",
            flush=True,
        )
    looking.look_again(Path("results"), scales.check_scale(scales.default()))
    os.execv(sys.executable, [sys.executable, "-m", "dvc", "repro", *words])


def broken_notes() -> list[Path]:
    """The files of DVC that it would refuse to read."""
    return [path for path in (*LOCKS, READERS) if path.is_file() and not _is_whole(path)]


def _is_whole(path: Path) -> bool:
    from dvc import rwlock, schema
    from voluptuous import Invalid

    check = rwlock.SCHEMA if path == READERS else schema.COMPILED_LOCKFILE_SCHEMA
    try:
        check(_read(path))
    except (Invalid, ValueError):
        return False
    return True


def _read(path: Path) -> Any:
    """The value in a file. ValueError if it is neither JSON nor YAML."""
    text = path.read_bytes()
    try:
        return json.loads(text) if path == READERS else parse_yaml(text, path)
    except UserError as error:
        raise ValueError(str(error)) from error
