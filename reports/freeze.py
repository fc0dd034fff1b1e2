"""Freeze a scale before it is run: write hashes of its claims and runs, with the date, to params/frozen/<scale>.yaml.

Plan the scale first, commit that file, and then run the scale. Its page says when it was frozen, and marks every claim
and every exhibit that has changed since. Exhibits that are declared later, or that had to change, are frozen again,
with a reason: what did not change keeps its first date, and the page names the others with theirs.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.errors import UserError, command
from common.files import write_yaml
from common.scales import check_scale
from reports.reading.frozen import check_planned, content, content_again, frozen_path, read_frozen

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
    parser.add_argument(
        "--again", metavar="WHY", help="freeze what has changed since an earlier freeze, with the reason"
    )
    options = parser.parse_args(arguments)
    path = frozen_path(options.params, check_scale(options.scale))
    check_planned(options.params, options.scale)
    if path.exists() and not options.again:
        raise UserError(
            f"scale {options.scale} is frozen already",
            expected="a scale that was never frozen, or --again",
            found="an earlier freeze",
            where=path,
            remedy='add --again "why" to freeze what has changed since; the page then says what, when and why',
        )
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    write_yaml(path, _content(options, today), header=HEADER)
    print(f"{options.scale}: frozen in {path}; commit this file before the first run")


def _content(options: argparse.Namespace, today: str) -> dict[str, Any]:
    frozen = read_frozen(options.params, options.scale)
    if frozen is None:
        return content(options.params, options.scale, today)
    if not (frozen.claims or frozen.plans):
        raise UserError(
            f"nothing of scale {options.scale} has changed since it was frozen",
            expected="a claim or a plan that differs from what was frozen",
            found="none",
            where=frozen_path(options.params, options.scale),
            remedy="nothing is to be done; after a change of params/ run make plan first",
        )
    return content_again(options.params, options.scale, frozen, today, options.again)


if __name__ == "__main__":
    sys.exit(main())
