"""`python -m stages <command>` is the one command line; `python -m stages --help` lists the commands.

A file of stages/ that defines `work` is a stage, which trains or measures. The driver carries out its runs, and imports
it, and torch with it, only in a fork server and only if a run is left to do. A file that defines `main` is a command of
its own.
"""

from __future__ import annotations

import ast
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
    """Hand the arguments to the command or stage that the first of them names."""
    known = [*COMMANDS, *STAGES]
    if arguments and arguments[0] in ("-h", "--help"):
        print(overview())
        return 0
    if not arguments or arguments[0] not in known:
        asked = arguments[0] if arguments else ""
        hint = nearest(asked, known)
        raise UserError(
            f"unknown command `{asked}`{hint}" if asked else "no command was given",
            expected=", ".join(known),
            found=asked or "none",
            remedy="python -m stages --help says what each of them does",
        )
    name, *rest = arguments
    if name in COMMANDS:
        return importlib.import_module(f"stages.{name}").main(rest)
    return sweeps.main(name, rest, said_of(name))


def overview() -> str:
    """Every command and stage, with the first line of what it says of itself."""
    width = max(map(len, SOURCES))
    lines = ["Commands; each explains its options with --help:", ""]
    lines += [f"  python -m stages {name:{width}}  {said_of(name)}" for name in COMMANDS]
    lines += [
        "",
        "Stages, which carry out the runs of an exhibit (python -m stages pretrain --sweep figure_08):",
        "",
    ]
    lines += [f"  {name:{width}}  {said_of(name).partition(': ')[2]}" for name in STAGES]
    return "\n".join(lines)


def said_of(name: str) -> str:
    """The first paragraph of a file's docstring, in one line."""
    paragraph = (ast.get_docstring(ast.parse(SOURCES[name])) or "").partition("\n\n")[0]
    return " ".join(paragraph.split())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
