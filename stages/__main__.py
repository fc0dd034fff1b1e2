"""`python -m stages <stage> ...`: the one command line. Each stage says more with --help.

A file of stages/ that defines `work` trains or measures: its runs are carried out by the driver, which imports it, and
torch with it, only in a fork server and only if a run is left to do. One that defines `main` is a command of its own.
"""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

from common.errors import UserError, command
from common.names import nearest
from stages.running import sweeps

SOURCES = {
    path.stem: path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("[a-z]*.py"))
}
COMMANDS = tuple(name for name, text in SOURCES.items() if re.search(r"^def main\(", text, re.M))
STAGES = tuple(name for name, text in SOURCES.items() if re.search(r"^def work\(", text, re.M))


@command
def main(arguments: list[str]) -> int:
    """Hand the arguments to the stage that the first of them names."""
    known = [*COMMANDS, *STAGES]
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
    return sweeps.main(name, rest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
