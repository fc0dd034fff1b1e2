"""An own loss is one file and one binding: it makes the runs that name it, and touches no other."""

import shutil
from pathlib import Path

import pytest

from common.errors import UserError
from stages import plan
from stages.planning import code_hashes, configurables, parameters, plans
from stages.planning.code_hashes import ROOT

EXHIBIT = "params/exhibits/table_04.yaml"
OTHERS = ("table_05", "figure_08", "table_06")
MINE = '''\
"""A loss of one's own."""

import gin
from typing import Annotated

from simclr.declared import Above


@gin.configurable
def mine(za, zb, sharpness: Annotated[float, Above(0)] = 2.0):
    """Squared distance of the two views."""
    return sharpness * (za - zb).square().mean()
'''


def forget():
    for module in (code_hashes, configurables, parameters):
        for each in vars(module).values():
            if hasattr(each, "cache_clear"):
                each.cache_clear()


@pytest.fixture
def sources(project, monkeypatch) -> Path:
    """A copy of the project's source, to edit."""
    for name in ("simclr", "stages", "common"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code_hashes, "ROOT", project)
    forget()
    yield project
    forget()


@pytest.fixture
def losses(sources) -> Path:
    return sources / "simclr" / "losses"


def fingerprints(*exhibits: str) -> dict[tuple[str, str], str]:
    forget()
    return {
        (name, f"{stage}/{run.id}"): run.fingerprint
        for name in exhibits
        for stage, runs in plans.resolve(name, "smoke").stages.items()
        for run in runs
    }


def code_files(results: Path) -> dict[str, str]:
    forget()
    every = [plans.resolve(name, "smoke") for name in ("table_04", *OTHERS)]
    plan.write_code("smoke", every, results)
    return {path.name: path.read_text() for path in (results / "smoke" / "code" / "stages").iterdir()}


def bind_mine(edit) -> None:
    """The fourth setting of one loss becomes ours, in one cell of the table and nowhere else."""
    edit(
        EXHIBIT,
        "knobs:\n  loss:\n",
        "knobs:\n  loss:\n    Mine: {Pretraining.loss: mine, mine.sharpness: 3.0}\n",
    )
    text = Path(EXHIBIT).read_text()
    at = text.rindex("        loss:\n        - NT-Xent\n", 0, text.index("  reduced:\n"))
    Path(EXHIBIT).write_text(text[:at] + text[at:].replace("- NT-Xent\n", "- NT-Xent\n        - Mine\n", 1))


def test_only_the_runs_that_name_an_own_loss_are_new(losses, edit, tmp_path):
    before, engine = fingerprints("table_04", *OTHERS), code_files(tmp_path / "results")
    (losses / "mine.py").write_text(MINE)
    assert fingerprints("table_04", *OTHERS) == before
    assert code_files(tmp_path / "results") == engine
    bind_mine(edit)
    after = fingerprints("table_04", *OTHERS)
    assert {key: after[key] for key in before} == before
    new = [key for key in after if key not in before]
    assert {key[0] for key in new} == {"table_04"} and len(new) == 4  # two splits, trained and evaluated
    added = code_files(tmp_path / "results")
    assert {name for name in added if added[name] != engine[name]} == {"pretrain"}
    assert set(engine["pretrain"].split()) < set(added["pretrain"].split())


def test_an_edit_of_one_loss_changes_the_runs_that_name_it(losses):
    before = fingerprints("table_04", *OTHERS)
    path = losses / "nt_logistic.py"
    path.write_text(path.read_text() + "\n\nUNUSED = 1\n")
    after = fingerprints("table_04", *OTHERS)
    changed = {key for key in before if after[key] != before[key]}
    named = {
        key for key in before if key[0] == "table_04" and key[1].split("/")[1].startswith(("part2", "part4"))
    }
    assert changed == named


def test_a_default_of_another_loss_in_the_recipe_touches_no_run(losses, edit):
    before = fingerprints("table_04", *OTHERS)
    edit("params/recipes/pretrain_smoke.gin", "nt_xent.temperature = 0.5", "nt_xent.temperature = 0.25")
    after = fingerprints("table_04", *OTHERS)
    kept = {key[1].split("/")[1].split("-")[0] for key in before if after[key] == before[key]}
    assert kept == {"part1", "part2", "part3", "part4"}  # of Table 4, whose fifth block is NT-Xent


def test_a_setting_of_a_loss_that_a_run_does_not_have_is_refused_with_its_line(project, edit):
    edit(EXHIBIT, "  temperature: nt_logistic.temperature", "  temperature: nt_xent.temperature")
    with pytest.raises(UserError) as caught:
        plans.resolve("table_04", "smoke")
    text = str(caught.value)
    assert "no configurable `nt_xent` where Pretraining.loss is 'nt_logistic'" in text
    assert f"{EXHIBIT}, line" in text


def test_an_exhibit_sets_nothing_that_none_of_its_runs_has(project, edit):
    edit("params/exhibits/table_05.yaml", "\nruns:\n", "\nset: {margin_triplet.margin: 0.4}\nruns:\n")
    with pytest.raises(UserError, match="no configurable `margin_triplet` where"):
        plans.resolve("table_05", "smoke")


def test_an_unknown_loss_gets_the_nearest_name_and_the_line(project, edit):
    edit("params/recipes/pretrain_smoke.gin", "Pretraining.loss = 'nt_xent'", "Pretraining.loss = 'nt_xnet'")
    with pytest.raises(UserError) as caught:
        plans.resolve("table_05", "smoke")
    text = str(caught.value)
    assert "did you mean `nt_xent`?" in text and "pretrain_smoke.gin, line" in text
    assert "simclr/losses/nt_xnet.py" in text


def test_the_range_of_an_own_parameter_counts(losses, edit):
    (losses / "mine.py").write_text(MINE)
    bind_mine(edit)
    edit(EXHIBIT, "mine.sharpness: 3.0", "mine.sharpness: 0")
    forget()
    with pytest.raises(UserError, match="sharpness must be a finite number above 0"):
        plans.resolve("table_04", "smoke")


@pytest.mark.parametrize("text", [b"def mine(:\n", b"\xff\xfe", b"x = '\0'"])
def test_a_broken_loss_is_the_affair_of_the_runs_that_name_it(losses, edit, text):
    before = fingerprints("table_04", *OTHERS)
    (losses / "mine.py").write_bytes(text)
    assert fingerprints("table_04", *OTHERS) == before
    edit(EXHIBIT, "Pretraining.loss: nt_xent,", "Pretraining.loss: mine,")
    forget()
    with pytest.raises(UserError) as caught:
        plans.resolve("table_04", "smoke")
    assert "not Python" in str(caught.value) and "mine.py" in str(caught.value)


def test_a_range_beside_a_parameter_retrains_nothing(losses):
    (losses / "mine.py").write_text(MINE)
    forget()
    before = code_hashes.code_hash("pretrain", ("simclr.losses.mine",))
    for old, new in (
        ("Above(0)", "AtLeast(1)"),
        ("import Above", "import AtLeast"),
        ("[float, ", "[ float , "),
    ):
        text = (losses / "mine.py").read_text()
        assert old in text
        (losses / "mine.py").write_text(text.replace(old, new))
        forget()
        assert code_hashes.code_hash("pretrain", ("simclr.losses.mine",)) == before
    (losses / "mine.py").write_text((losses / "mine.py").read_text().replace("= 2.0", "= 2.5"))
    forget()
    assert code_hashes.code_hash("pretrain", ("simclr.losses.mine",)) != before
