"""Whether all that a scale left is as it was written, byte by byte; what is not is made again by the next command.

Snakemake is told by itself, before every call. DVC compares times and sizes where it knows a file, and so cannot see a
byte that changed on the disk without them: `python -m stages check && dvc repro`, or `dvc repro` after the complaint.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from common import receipts, scales
from common.errors import UserError, command
from stages.running import lost


@command
def main(arguments: list[str] | None = None) -> int:
    """`python -m stages check [--scale S]`: says what is broken, and takes back what said that it was done."""
    parser = argparse.ArgumentParser(prog="python -m stages check", description=__doc__.splitlines()[0])
    parser.add_argument("--scale", help="one of params/scales/ (default: params/scale.yaml)")
    parser.add_argument("--results", type=Path, default=Path("results"))
    options = parser.parse_args(arguments)
    folder = options.results / scales.check_scale(options.scale or scales.default())
    runs = lost.discard_indices(options.results, folder.name, read_all=True)
    if broken := [*receipts.discard_broken(folder), *(f"the runs of {name}" for name in runs)]:
        raise UserError(
            "files of finished steps were changed or removed",
            expected="the files that their receipts list, with their checksums",
            found=f"others after {', '.join(broken)}",
            where=folder / receipts.PLACE,
            remedy="run the same engine again (dvc repro, or make reports): it does these steps anew",
        )
    print(f"{folder}: all that its receipts list is as it was written")
    return 0
