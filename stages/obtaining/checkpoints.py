"""Published TensorFlow checkpoints, read by TensorFlow in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from common import files
from common.errors import UserError
from stages.planning.code_hashes import ROOT

if TYPE_CHECKING:
    from torch import Tensor

WITHOUT_TENSORFLOW, UNREADABLE = 3, 4  # exit statuses of the process that reads a checkpoint
READ = "import sys; from stages.obtaining.checkpoints import read_variables; sys.exit(read_variables(*sys.argv[1:]))"


def read_checkpoint(prefix: Path) -> dict[str, Tensor]:
    """Every variable of a TensorFlow checkpoint by name. UserError without TensorFlow, or if it cannot be read."""
    import torch

    if not prefix.with_name(prefix.name + ".index").is_file():
        siblings = sorted(path.name for path in prefix.parent.glob("*")) if prefix.parent.is_dir() else []
        raise UserError(
            "no checkpoint here",
            expected=f"{prefix.name}.index and {prefix.name}.data-00000-of-00001",
            found=", ".join(siblings[:6]) or "nothing",
            where=prefix.parent,
            remedy="unpack the published archive, and give the path up to the step number",
        )
    from simclr.official import CLASSIFIER, ENCODER, HEAD, NOT_WEIGHTS

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "variables.npz"
        parts = [f"{part}/" for part in (ENCODER, HEAD, CLASSIFIER)]
        # A process of its own: TensorFlow and PyTorch bring compilers that do not live in one.
        command = [sys.executable, "-c", READ, str(prefix.absolute()), str(out), *parts]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        _check_reading(done, prefix)
        arrays = files.read_npz(out)
    return {
        name: torch.from_numpy(array)
        for name, array in arrays.items()
        if not any(word in name for word in NOT_WEIGHTS)
    }


def read_variables(prefix: str, out: str, *beginnings: str) -> int:
    """Write a checkpoint's variables whose names begin so to an .npz; returns the exit status, the reason on stderr."""
    import numpy as np

    try:
        import tensorflow
    except ImportError as error:
        print(error, file=sys.stderr)
        return WITHOUT_TENSORFLOW
    try:
        reader = tensorflow.train.load_checkpoint(prefix)
        names = [name for name in reader.get_variable_to_shape_map() if name.startswith(beginnings)]
        arrays = {name: reader.get_tensor(name) for name in names}
    except (tensorflow.errors.OpError, LookupError, RuntimeError, ValueError, TypeError) as error:
        print(str(error).splitlines()[0], file=sys.stderr)
        return UNREADABLE
    np.savez(out, **arrays)
    return 0


def _check_reading(done: subprocess.CompletedProcess[str], prefix: Path) -> None:
    """UserError with the last words of the process that read a checkpoint, if it failed."""
    said = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
    if done.returncode == WITHOUT_TENSORFLOW:
        raise UserError(
            "TensorFlow is needed to read its checkpoints", found=said[0], remedy="run `make official`"
        )
    if done.returncode:
        raise UserError(
            "the checkpoint cannot be read",
            expected="a whole TensorFlow checkpoint",
            found=said[0],
            where=prefix,
            remedy="download it again",
        )


def checksums(prefix: Path) -> dict[str, str]:
    """SHA-256 of each file that holds weights, by name."""
    paths = sorted(prefix.parent.glob(f"{prefix.name}.*"))
    return {path.name: files.sha256_file(path) for path in paths if path.suffix != ".meta"}
