"""docs/own_images.md, executed: every command of its console blocks, and the edit that its YAML block shows."""

import re

import pytest

from tests.small_copy import ROOT, Clone, copy_tree
from tests.stages.test_declare_dataset import draw
from tests.test_tutorial import give_environment, matches, steps

PAGE = ROOT / "docs" / "own_images.md"
EXHIBIT = "params/exhibits/table_05.yaml"


@pytest.mark.slow
def test_the_page_is_what_happens(tmp_path):
    copy_tree(tmp_path, ["table_05"])
    draw(tmp_path / "data" / "mine")
    clone = Clone(tmp_path, [])
    give_environment(clone)
    text = PAGE.read_text()
    (edit,) = re.finditer(r"^```yaml\n(.*?)^```\n", text, flags=re.M | re.S)
    edited_at = text[: edit.start()].count("\n")
    before = 0
    for step in steps(text):
        if before < edited_at < step.line:
            clone.edit(EXHIBIT, "\nruns:\n", f"\n{edit[1]}runs:\n")
        before = step.line
        printed = clone.run("bash", "-c", step.command)
        assert matches(step.shown, printed), (
            f"{PAGE.name}:{step.line}\n$ {step.command}\nshown:\n{step.shown}\nprinted:\n{printed}"
        )
    plan = (tmp_path / "params/plan/smoke/table_05.yaml").read_text()
    assert plan.count("name: mine") == 2


def test_every_block_of_commands_is_executed():
    text = PAGE.read_text()
    assert len(steps(text)) >= 8 and set(re.findall(r"^```(\w+)$", text, flags=re.M)) == {"console", "yaml"}
