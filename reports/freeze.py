"""Freeze a scale before it is run: `python -m reports.freeze --scale reduced` writes params/frozen/<scale>.yaml.

Its claims and its resolved runs are put down by their hashes, with the date. Commit the file; then run. The page says
when that was, and names every claim and every exhibit that is not what was frozen.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Sequence
from pathlib import Path

from common.errors import UserError, command
from common.files import write_yaml
from common.scales import check_scale
from reports.reading.frozen import content, frozen_path

HEADER = (
    "# Made by `python -m reports.freeze` before the scale was run: hashes of its claims and of its plans.\n"
)


@command
def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m reports.freeze", description=__doc__.splitlines()[0])
    parser.add_argument("--scale", required=True, help="one of params/scales/")
    parser.add_argument("--params", type=Path, default=Path("params"))
    parser.add_argument("--again", action="store_true", help="freeze anew what was frozen before")
    options = parser.parse_args(arguments)
    path = frozen_path(options.params, check_scale(options.scale))
    if path.exists() and not options.again:
        raise UserError(
            "the scale is frozen",
            expected="a scale that never was, or --again",
            found=f"{path}",
            remedy="its history shows when and why; --again freezes what is declared now, and the page says so",
        )
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    write_yaml(path, content(options.params, options.scale, today), header=HEADER)
    print(f"{options.scale}: frozen in {path}; commit it before the first run")


if __name__ == "__main__":
    sys.exit(main())
