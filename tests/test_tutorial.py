"""docs/change_one_number.md, executed: every command of its console blocks in order, every line of output compared.

As in a doctest `...` stands for anything, alone on a line for any number of lines. Runs of blanks are equal, since the
columns of a table are as wide as its numbers.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.small_copy import ROOT, Clone, commit_all, copy_tree, shorten_training

PAGE = ROOT / "docs" / "change_one_number.md"
LINES = r"(?:[^\n]*\n)*?"


class Step(NamedTuple):
    """A command, the output that the page shows, and the line at which it stands."""

    command: str
    shown: str
    line: int


def steps(text: str) -> list[Step]:
    """The commands of the blocks that are tagged console."""
    found: list[Step] = []
    is_console = False
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("```"):
            is_console = line == "```console"
        elif is_console and line.startswith("$ "):
            found.append(Step(line[2:], "", number))
        elif is_console:
            found[-1] = found[-1]._replace(shown=found[-1].shown + line + "\n")
    return found


def matches(shown: str, printed: str) -> bool:
    """Whether a command printed what the page shows."""
    patterns = [
        LINES if line == "..." else ".*".join(map(re.escape, line.split("..."))) + "\n"
        for line in _blanks(shown).splitlines()
    ]
    return re.fullmatch("".join(patterns), _blanks(printed)) is not None


def _blanks(text: str) -> str:
    """Every run of blanks as one, none at the ends of a line, a line break after the last."""
    return "".join(f"{' '.join(line.split())}\n" for line in text.splitlines())


def give_environment(clone: Clone) -> None:
    """What `make install` would have made, from the environment of the tests."""
    (clone.folder / ".venv").mkdir()
    for path in Path(sys.prefix).iterdir():
        if path.name != "installed":
            (clone.folder / ".venv" / path.name).symlink_to(path)
    (clone.folder / ".venv" / "installed").touch()


@pytest.mark.slow
def test_the_page_is_what_happens(tmp_path):
    copy_tree(tmp_path, ["table_05"])
    clone = Clone(tmp_path, [])
    shorten_training(clone)
    commit_all(clone)
    give_environment(clone)
    for step in steps(PAGE.read_text()):
        printed = clone.run("bash", "-c", step.command)
        assert matches(step.shown, printed), (
            f"{PAGE.name}:{step.line}\n$ {step.command}\nshown:\n{step.shown}\nprinted:\n{printed}"
        )
    _check_the_comparison((tmp_path / "reports/out/smoke/compare/index.html").read_text())


def _check_the_comparison(page: str) -> None:
    """What the page says of the parameter, the numbers, the verdicts and both tables."""
    assert "<td><code>0.1</code></td><td><code>0.2</code></td>" in page
    assert page.count("l2_norm yes, temperature 0.1 → l2_norm yes, temperature 0.2") == 3
    changed = re.findall(r'<th scope="row">(D\d+)</th>.*<td>([a-z ]+)</td></tr>', page)
    assert {("D6", "not run"), ("D7", "not run"), ("D8", "not run")} <= set(changed)
    assert page.count("<caption>Table 5.") == 2


TEXT = """
```console
$ first
one ... three
...
last
$ second
```
```yaml
$ not: a command
```
"""


def test_blocks_are_read_and_output_is_compared():
    first, second = steps(TEXT)
    assert (first.command, first.line, second.command, second.shown) == ("first", 3, "second", "")
    assert matches(first.shown, "one  two three \nanything\nat all\nlast")
    assert matches(first.shown, "one three\nlast\n") is False  # blanks around the dots are there
    assert matches(first.shown, "one 2 three\nlast\n")
    assert not matches(first.shown, "one 2 three\nlast\nmore\n")
    assert matches("", "") and not matches("", "a word\n")
    assert not matches("1 + 1\n", "11\n")  # not a regular expression


def test_every_command_of_the_page_is_in_a_block_that_is_executed():
    commands = [step.command for step in steps(PAGE.read_text())]
    assert len(commands) >= 20 and subprocess.run(["bash", "-n", "-c", "\n".join(commands)]).returncode == 0
    assert set(re.findall(r"^```(\w*)$", PAGE.read_text(), flags=re.M)) == {"console", ""}
