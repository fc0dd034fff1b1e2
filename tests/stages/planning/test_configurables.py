"""Spelling and types of gin bindings, checked without importing torch."""

import subprocess
import sys

import pytest

from common.errors import UserError
from stages.planning import configurables
from stages.planning.code_hashes import ROOT
from stages.planning.recipes import read_recipe


def complaint(*arguments) -> str:
    with pytest.raises(UserError) as caught:
        configurables.check_binding(*arguments)
    return str(caught.value)


def test_a_misspelled_parameter_gets_the_nearest_name():
    text = complaint("pretrain", "nt_xent.temprature", 0.1, "table_05.yaml, line 7")
    assert "did you mean `temperature`?" in text and "table_05.yaml, line 7" in text


def test_a_misspelled_configurable_gets_the_nearest_name():
    assert "did you mean `nt_xent`?" in complaint("pretrain", "ntxent.temperature", 0.1, "here")


def test_a_configurable_of_another_stage_is_refused():
    configurables.check_binding("pretrain", "Lars.eta", 0.001, "here")
    assert "stage linear_eval has no configurable `Lars`" in complaint(
        "linear_eval", "Lars.eta", 0.001, "here"
    )


@pytest.mark.parametrize("value", ["0.1", None, True, [0.1]])
def test_a_value_of_another_type_is_refused(value):
    assert "expected:   float" in complaint("pretrain", "nt_xent.temperature", value, "here")


@pytest.mark.parametrize(
    ("key", "value"), [("nt_xent.temperature", 1), ("nt_xent.l2_normalize", False), ("resnet.depth", 18)]
)
def test_fitting_values_pass(key, value):
    configurables.check_binding("pretrain", key, value, "here")


def test_inherited_fields_of_operators_can_be_bound():
    configurables.check_binding("pretrain", "cutout.probability", 0.5, "here")


def test_a_required_parameter_that_nothing_binds_is_named():
    with pytest.raises(UserError, match=r"none for nt_xent\.temperature"):
        configurables.check_complete("pretrain", {"nt_xent.l2_normalize": True}, "recipe.gin")
    whole = {"nt_xent.l2_normalize": True, "nt_xent.temperature": 0.5}
    configurables.check_complete("pretrain", whole, "recipe.gin")


def test_the_names_are_those_that_gin_registers():
    """The source scan and gin agree, configurable by configurable and parameter by parameter."""
    code = (
        "import gin, inspect\n"
        "import stages.pretrain, stages.linear_eval, stages.supervised, stages.operators, stages.gradients\n"
        "import stages.initialize, stages.finetune, stages.transfer\n"
        "from gin.config import _REGISTRY\n"
        "from stages.planning.configurables import configurables_of\n"
        "names = ('pretrain', 'linear_eval', 'supervised', 'operators', 'gradients', 'initialize', 'finetune',\n"
        "         'transfer')\n"
        "ours = {c.name: c for s in names\n"
        "        for c in configurables_of(s).values()}\n"
        "theirs = {k.split('.')[-1]: v for k, v in _REGISTRY._selector_map.items()\n"
        "          if 'gin' not in k.split('.')[0]}\n"
        "assert set(ours) == set(theirs), set(ours) ^ set(theirs)\n"
        "for name, theirs_one in theirs.items():\n"
        "    parameters = set(inspect.signature(theirs_one.wrapped).parameters) - set(theirs_one.denylist or ())\n"
        "    assert sorted(ours[name].parameters) == sorted(parameters), name\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_planning_does_not_import_torch():
    code = "import sys, stages.plan; from stages.planning import plans; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    "path", sorted((ROOT / "params" / "recipes").glob("*.gin")), ids=lambda path: path.stem
)
def test_every_recipe_is_complete_and_binds_what_its_stage_has(path):
    stage, _, _ = path.stem.rpartition("_")
    recipe = read_recipe(path)
    for key, (value, line) in recipe.items():
        configurables.check_binding(stage, key, value, f"{path}, line {line}")
    required = {
        "gradients": {"gradient_check.loss": "nt_xent", "gradient_check.parameters": [0.5]}
    }  # what an exhibit varies
    bound = {key: value for key, (value, _) in recipe.items()} | required.get(stage, {})
    configurables.check_complete(stage, configurables.applicable(stage, bound, {}), str(path))


def test_what_the_grid_gives_is_not_bound_beside_it():
    assert "transfer_grid.learning_rates" in complaint("transfer", "transfer_training.lr", 0.1, "here")
