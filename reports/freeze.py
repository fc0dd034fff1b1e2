"""Freeze a scale before it is run: write hashes of its claims and runs, with the date, to params/frozen/<scale>.yaml.

Commit that file, and then run the scale. Its page says when it was frozen, and marks every claim and every exhibit that
has changed since.
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
    parser.add_argument(
        "--params", type=Path, default=Path("params"), help="declarations and plans (default: params)"
    )
    parser.add_argument("--again", action="store_true", help="replace an earlier freeze")
    options = parser.parse_args(arguments)
    path = frozen_path(options.params, check_scale(options.scale))
    if path.exists() and not options.again:
        raise UserError(
            f"scale {options.scale} is frozen already",
            expected="a scale that was never frozen, or --again",
            found="an earlier freeze",
            where=path,
            remedy="add --again to freeze what is declared now; the page then has the new date",
        )
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    write_yaml(path, content(options.params, options.scale, today), header=HEADER)
    print(f"{options.scale}: frozen in {path}; commit this file before the first run")


if __name__ == "__main__":
    sys.exit(main())
