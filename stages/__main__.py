"""`python -m stages <stage> ...`: the one command line. Each stage says more with --help.

The stages that train or measure run sweeps, through the driver; it imports them, and torch with them, only in a fork
server and only if a run is left to do. The others are commands of their own.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from common.errors import UserError, command
from stages.planning.declaration import nearest
from stages.running import driver

COMMANDS = ("plan", "prepare", "collect", "adopt", "embed", "import_official")
SWEEPS = tuple(
    sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py") if path.stem not in COMMANDS)
)


@command
def main(arguments: list[str]) -> int:
    """Hand the arguments to the stage that the first of them names."""
    known = [*COMMANDS, *SWEEPS]
    if arguments and arguments[0] in ("-h", "--help"):
        print(__doc__.strip(), "Stages: " + ", ".join(known) + ".", sep="\n\n")
        return 0
    if not arguments or arguments[0] not in known:
        asked = arguments[0] if arguments else ""
        hint = nearest(asked, known)
        raise UserError(f"which stage?{hint}", expected=", ".join(known), found=asked or "none")
    name, *rest = arguments
    if name in COMMANDS:
        return importlib.import_module(f"stages.{name}").main(rest)
    return driver.main(name, rest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
