"""Check that all files that a scale left are as they were written, byte by byte; changed ones are made again next time.

Before every call of Snakemake and of `python -m stages repro` the check runs by itself, and hashes of the runs those
that changed. DVC compares times and sizes of the files that it knows, and so cannot see a byte that changed on the disk
without them: use `python -m stages repro`, or `dvc repro` after the error.
"""

from __future__ import annotations

import argparse

from common import receipts, scales
from common.errors import UserError, command
from common.options import add_results, add_scale
from stages.running import lost


@command
def main(arguments: list[str] | None = None) -> int:
    """`python -m stages check [--scale S]`: says what is broken, and removes the receipts, so that it is made again."""
    parser = argparse.ArgumentParser(prog="python -m stages check", description=__doc__.splitlines()[0])
    add_scale(parser)
    add_results(parser)
    options = parser.parse_args(arguments)
    folder = options.results / scales.check_scale(options.scale or scales.default())
    runs = lost.discard_indices(options.results, folder.name, read_all=True)
    if broken := [*receipts.discard_broken(folder), *(f"the runs of {name}" for name in runs)]:
        raise UserError(
            "files of finished steps were changed or removed",
            expected="the files that their receipts list, with their checksums",
            found=f"others after {', '.join(broken)}",
            where=folder / receipts.PLACE,
            remedy="run the same engine again (dvc repro, or make reports): it repeats these steps",
        )
    print(f"{folder}: all that its receipts list is as it was written")
    return 0
