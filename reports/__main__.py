"""`python -m reports` lists the commands that make, judge and explain the reports."""

import ast
from pathlib import Path

FOLDER = Path(__file__).parent


def commands() -> dict[str, str]:
    """Each command with the first line of what it says of itself."""
    said_by = {}
    for path in sorted(FOLDER.glob("[!_]*.py")):
        said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        said_by[path.stem] = said.splitlines()[0]
    return said_by


if __name__ == "__main__":
    print("Commands; each explains its options with --help:\n")
    for name, said in commands().items():
        print(f"  python -m reports.{name:10}{said}")
