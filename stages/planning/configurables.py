"""The names that gin may bind. They are read from the source, because importing torch would cost five seconds."""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common.errors import UserError
from common.names import nearest
from stages.planning.code_hashes import reached, tree_of
from stages.planning.parameters import Parameter, check_module, check_value, modules_in, parameter

# The stages set these themselves. A binding would have no effect, and look as if it had.
GIVEN_BY_STAGES = {
    "Pretraining.device": "execution.device",
    "Pretraining.precision": "execution.precision",
    "Pretraining.labels": "nothing: the data set's labels are used",
    "resnet.seed": "the exhibit's seeds",
    "projection_head.seed": "the exhibit's seeds",
    "learning_rate.base_lr": "Pretraining.base_lr",
    "learning_rate.warmup_epochs": "Pretraining.warmup_epochs",
    "learning_rate.scaling": "Pretraining.lr_scaling",
    "transfer_training.lr": "transfer_grid.learning_rates",
    "transfer_training.weight_decay": "transfer_grid.weight_decays",
}


@dataclass(frozen=True)
class Configurable:
    """A function or class that gin can bind, the module it stands in, and its parameters by name."""

    name: str
    module: str
    parameters: dict[str, Parameter]


def named_modules(stage: str, bindings: Mapping[str, Any]) -> tuple[str, ...]:
    """The modules that a run's bindings name (such as its loss), sorted: they decide its numbers, though not imported.

    UserError for a module that does not exist.
    """
    modules: tuple[str, ...] = ()
    for key, package, default in _naming(stage):
        value = bindings.get(key, default)
        if value is not None:
            check_module(key, package, value, f"the bindings of stage {stage}")
            modules += (f"{package}.{value}",)
    return tuple(sorted(modules))


def configurables_of(stage: str, bindings: Mapping[str, Any] | None = None) -> dict[str, Configurable]:
    """Every configurable in the modules that a run of `stage` with these bindings uses, by name.

    Without bindings, the configurables of every possible run of the stage.
    """
    # Two losses may each have a `temperature`: only the modules of this run say which one is meant.
    named = _every_module(stage) if bindings is None else named_modules(stage, bindings)
    return _configurables(reached(f"stages.{stage}", *named))


def applicable(stage: str, shared: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The part of `shared` that counts for a run that binds `own` beside it: settings of other losses do not."""
    known = configurables_of(stage, {**shared, **own})
    return {key: value for key, value in shared.items() if key.partition(".")[0] in known}


def check_binding(stage: str, key: str, value: Any, where: str) -> None:
    """UserError unless some run of `stage` has the parameter `key` ("configurable.parameter") and may have `value`."""
    known = configurables_of(stage)
    name, _, parameter_name = key.partition(".")
    if name not in known:
        raise _unknown(stage, key, known, where, nearest(name, known))
    parameters = known[name].parameters
    if parameter_name not in parameters:
        raise UserError(
            f"`{name}` has no parameter `{parameter_name}`{nearest(parameter_name, parameters)}",
            expected="one of " + ", ".join(sorted(parameters)),
            found=key,
            where=where,
        )
    instead = GIVEN_BY_STAGES.get(key, "" if parameters[parameter_name].default else "another parameter")
    if instead:
        raise UserError(
            f"`{key}` is set by the stage, not by a recipe", expected=instead, found=key, where=where
        )
    check_value(key, parameters[parameter_name], value, where)


def check_applies(stage: str, key: str, bindings: Mapping[str, Any], where: str) -> None:
    """UserError for a setting that a run with these bindings does not use, such as the temperature of another loss."""
    known = configurables_of(stage, bindings)
    if key.partition(".")[0] not in known:
        choices = [f"{choice} is {bindings.get(choice, default)!r}" for choice, _, default in _naming(stage)]
        raise _unknown(stage, key, known, where, f" where {', '.join(choices)}")


def check_complete(stage: str, bindings: Mapping[str, Any], where: str) -> None:
    """UserError if a configurable that the bindings touch has a required parameter that nothing binds."""
    touched = {key.partition(".")[0] for key in bindings}
    for name, configurable in sorted(configurables_of(stage, bindings).items()):
        required = {each.name for each in configurable.parameters.values() if each.required}
        missing = {f"{name}.{each}" for each in required} - set(bindings)
        if missing and name in touched:
            raise UserError(
                "a required parameter has no value",
                expected=f"a value for every required parameter of `{name}`",
                found="none for " + ", ".join(sorted(missing)),
                where=where,
                remedy="bind it in the recipe or in the exhibit",
            )


def _unknown(stage: str, key: str, known: Mapping[str, Configurable], where: str, why: str) -> UserError:
    return UserError(
        f"stage {stage} has no configurable `{key.partition('.')[0]}`{why}",
        expected="one of " + ", ".join(sorted(known)),
        found=key,
        where=where,
    )


@functools.cache
def _naming(stage: str) -> tuple[tuple[str, str, Any], ...]:
    """(key, package, default) of each parameter of a stage whose value is the name of a module."""
    return tuple(
        (f"{configurable.name}.{each.name}", each.package, _default(each))
        for configurable in _configurables(reached(f"stages.{stage}")).values()
        for each in configurable.parameters.values()
        if each.package
    )


def _default(declares: Parameter) -> Any:
    return None if declares.required or not declares.default else ast.literal_eval(declares.default)


@functools.cache
def _every_module(stage: str) -> tuple[str, ...]:
    named = [f"{package}.{name}" for _, package, _ in _naming(stage) for name in modules_in(package)]
    return tuple(module for module in named if _is_python(module))


def _is_python(module: str) -> bool:
    try:
        return bool(reached(module))
    except UserError:  # A broken loss concerns only the runs that name it.
        return False


@functools.cache
def _configurables(modules: tuple[str, ...]) -> dict[str, Configurable]:
    nodes = [(module, node) for module in modules for node in _definitions(module)]
    classes = {node.name: (module, node) for module, node in nodes if isinstance(node, ast.ClassDef)}
    by_name = {}
    for module, node in nodes:
        if name := _gin_name(node):
            by_name[name] = _configurable(name, module, node, classes)
    return by_name


@functools.cache
def _definitions(module: str) -> list[ast.FunctionDef | ast.ClassDef]:
    return [node for node in tree_of(module).body if isinstance(node, ast.FunctionDef | ast.ClassDef)]


def _gin_name(node: ast.FunctionDef | ast.ClassDef) -> str | None:
    for decorator in node.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else None
        target = ast.unparse(call.func if call else decorator)
        if target in ("gin.configurable", "gin.register"):
            named = call and call.args and isinstance(call.args[0], ast.Constant)
            return call.args[0].value if named else node.name
    return None


Classes = dict[str, tuple[str, ast.ClassDef]]


def _configurable(
    name: str, module: str, node: ast.FunctionDef | ast.ClassDef, classes: Classes
) -> Configurable:
    own = _fields(module, node, classes) if isinstance(node, ast.ClassDef) else _arguments(module, node)
    given = _denied(node)
    return Configurable(name, module, {each.name: each for each in own if each.name not in given})


def _denied(node: ast.FunctionDef | ast.ClassDef) -> list[str]:
    """The parameters that gin may not bind: a caller gives them."""
    calls = [decorator for decorator in node.decorator_list if isinstance(decorator, ast.Call)]
    keywords = [keyword for call in calls for keyword in call.keywords if keyword.arg == "denylist"]
    return [name for keyword in keywords for name in ast.literal_eval(keyword.value)]


def _arguments(module: str, function: ast.FunctionDef) -> list[Parameter]:
    """Every argument but self."""
    given = function.args
    positional = given.posonlyargs + given.args
    defaults = [None] * (len(positional) - len(given.defaults)) + list(given.defaults)
    pairs = zip(positional + given.kwonlyargs, [*defaults, *given.kw_defaults], strict=True)
    return [parameter(module, a.arg, a.annotation, default) for a, default in pairs if a.arg != "self"]


def _fields(module: str, klass: ast.ClassDef, classes: Classes) -> list[Parameter]:
    """The arguments of a class: those of its __init__, or a dataclass's fields with its bases' before them."""
    for node in klass.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            return _arguments(module, node)
    bases = [classes[name] for base in klass.bases if (name := ast.unparse(base)) in classes]
    inherited = [each for base in bases for each in _fields(*base, classes)]
    fields = [
        node for node in klass.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    ]
    return inherited + [parameter(module, node.target.id, node.annotation, node.value) for node in fields]
