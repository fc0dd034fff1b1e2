"""A loss is named by what the recipe binds, and lives in a file of its own."""

import subprocess
import sys

import pytest

from simclr import losses, objectives
from stages.planning import code_hashes

MINE = '''"""The distance of the pair."""

import gin
from torch import Tensor


@gin.configurable
def mine(za: Tensor, zb: Tensor, weight: float = gin.REQUIRED) -> Tensor:
    """Mean squared distance, weighted."""
    return weight * (za - zb).square().sum(dim=1).mean()
'''


@pytest.mark.parametrize("name", ["nt_xent", "nt_logistic", "margin_triplet"])
def test_a_loss_and_its_formulae_are_found_by_name(name):
    assert losses.loss_named(name) is getattr(objectives, name)
    for prefix in ("objective_", "gradient_"):
        assert losses.part_of(name, prefix) is getattr(objectives, prefix + name)


def test_names_are_the_files_that_hold_a_loss():
    names = losses.loss_names()
    assert {"margin_triplet", "nt_logistic", "nt_xent"} <= set(names) and list(names) == sorted(names)
    assert not {"__init__", "blockwise", "global_batch", "statistics"} & set(names)


@pytest.mark.parametrize(
    "name", ["nt_xnet", "statistics", "global_batch", "__init__", "../nt_xent", "", None]
)
def test_another_name_is_an_error_that_lists_what_is_there(name):
    with pytest.raises(ValueError, match=f"{', '.join(losses.loss_names())}; found") as error:
        losses.loss_named(name)
    assert ("did you mean 'nt_xent'" in str(error.value)) == (name in ("nt_xnet", "../nt_xent"))


def test_training_reaches_no_loss_by_imports_and_gin_knows_them_all():
    modules = code_hashes.modules_of("pretrain")
    assert "simclr.losses.statistics" in modules and "simclr.objectives" not in modules
    assert not {f"simclr.losses.{name}" for name in losses.loss_names()} & set(modules)
    code = "import gin, simclr.training\n" + "".join(
        f"gin.bind_parameter('{name}.l2_normalize', True)\n" for name in losses.loss_names()
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_broken_loss_breaks_only_what_names_it(tmp_path, monkeypatch):
    (tmp_path / "broken.py").write_text("import nothing_of_this_name\ndef broken(za, zb): ...\n")
    monkeypatch.setattr(losses, "__file__", str(tmp_path / "__init__.py"))
    monkeypatch.setattr(losses, "__path__", [*losses.__path__, str(tmp_path)])
    losses.register()
    with pytest.raises(ModuleNotFoundError, match="nothing_of_this_name"):
        losses.loss_named("broken")


def test_an_own_loss_is_one_more_file(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "tools.py").write_text("def helper(): ...\n")
    monkeypatch.setattr(losses, "__file__", str(tmp_path / "__init__.py"))
    monkeypatch.setattr(losses, "__path__", [str(tmp_path)])
    assert losses.loss_names() == ("mine",)
    assert losses.loss_named("mine").__name__ == "mine"
    with pytest.raises(ValueError, match=r"'mine' has no gradient_mine in .*mine\.py"):
        losses.part_of("mine", "gradient_")
    sys.modules.pop("simclr.losses.mine")
