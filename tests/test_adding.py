"""docs/adding.md, executed: its file is written, every command of its console blocks is run, every output compared."""

import json
import re

import pytest

from tests.small_copy import ROOT, Clone, commit_all, copy_tree, shorten_training
from tests.test_tutorial import give_environment, matches, steps

PAGE = ROOT / "docs" / "adding.md"
LOSS = "simclr/losses/alignment.py"


def loss() -> str:
    """The file that the page shows."""
    (block,) = re.findall(r"^```python\n(.*?)^```\n", PAGE.read_text(), flags=re.M | re.S)
    return block


@pytest.mark.slow
def test_the_page_is_what_happens(tmp_path):
    copy_tree(tmp_path, [])
    clone = Clone(tmp_path, [])
    shorten_training(clone)
    (tmp_path / LOSS).write_text(loss())
    commit_all(clone)
    give_environment(clone)
    for step in steps(PAGE.read_text()):
        printed = clone.run("bash", "-c", step.command)
        assert matches(step.shown, printed), (
            f"{PAGE.name}:{step.line}\n$ {step.command}\nshown:\n{step.shown}\nprinted:\n{printed}"
        )
    record = json.loads((tmp_path / "reports/out/smoke/figure_x1.json").read_text())
    assert not record["missing"] and "our own" in json.dumps(record["standing"])
    verdicts = json.loads((tmp_path / "reports/out/smoke/verdicts.json").read_text())
    (claim,) = verdicts["claims"]
    assert claim["id"] == "X1" and claim["verdict"] != "not run" and claim["n"] == 3
    clone.run("ruff", "check", LOSS, "reports/exhibits/figure_x1.py")
    clone.run("ruff", "format", "--check", LOSS, "reports/exhibits/figure_x1.py")


def test_every_block_is_executed():
    assert len(steps(PAGE.read_text())) >= 12
    assert set(re.findall(r"^```(\w*)$", PAGE.read_text(), flags=re.M)) == {"console", "python", ""}
    assert f"`{LOSS}`" in PAGE.read_text() and "def alignment(" in loss()
