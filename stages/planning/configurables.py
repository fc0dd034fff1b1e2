"""The names that gin may bind, read from the source: importing torch to check a spelling would cost five seconds."""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass
from typing import Any

from common.errors import UserError
from stages.planning.code_hashes import module_path, reached
from stages.planning.declaration import nearest

# The stages give these themselves; a binding would look as if it counted.
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

LOSSES = module_path("simclr.losses").parent
CHECKED_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "bool": (bool,),
}


@dataclass(frozen=True)
class Configurable:
    """A function or class that gin can bind: its parameters, those it requires, and their annotations."""

    name: str
    module: str
    annotations: dict[str, str]
    required: frozenset[str]


@functools.cache
def configurables_of(stage: str) -> dict[str, Configurable]:
    """Every configurable in the modules that `stage` runs, by name."""
    modules = reached(f"stages.{stage}")
    if "simclr.losses" in modules:  # a loss is reached by its name, not by an import
        modules += tuple(f"simclr.losses.{path.stem}" for path in sorted(LOSSES.glob("*.py")))
    nodes = [(module, node) for module in dict.fromkeys(modules) for node in _definitions(module)]
    classes = {node.name: node for _, node in nodes if isinstance(node, ast.ClassDef)}
    found = {}
    for module, node in nodes:
        if name := _gin_name(node):
            found[name] = _configurable(name, module, node, classes)
    return found


@functools.cache
def _definitions(module: str) -> list[ast.FunctionDef | ast.ClassDef]:
    body = ast.parse(module_path(module).read_text()).body
    return [node for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]


def check_binding(stage: str, key: str, value: Any, where: str) -> None:
    """UserError unless `key` ("configurable.parameter") exists for this stage and `value` fits its annotation."""
    known = configurables_of(stage)
    name, _, parameter = key.partition(".")
    if name not in known:
        raise UserError(
            f"stage {stage} has no configurable `{name}`{nearest(name, known)}",
            expected="one of " + ", ".join(sorted(known)),
            found=key,
            where=where,
        )
    annotations = known[name].annotations
    if parameter not in annotations:
        raise UserError(
            f"`{name}` has no parameter `{parameter}`{nearest(parameter, annotations)}",
            expected="one of " + ", ".join(sorted(annotations)),
            found=key,
            where=where,
        )
    if instead := GIVEN_BY_STAGES.get(key):
        raise UserError(f"`{key}` is given by the stage itself", expected=instead, found=key, where=where)
    allowed = CHECKED_TYPES.get(annotations[parameter])
    if allowed and (not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed)):
        raise UserError(
            f"a value for {key} of another type",
            expected=annotations[parameter],
            found=repr(value),
            where=where,
        )


def check_complete(stage: str, bound: set[str], where: str) -> None:
    """UserError if a configurable that the recipe touches has a required parameter that nothing binds."""
    touched = {key.partition(".")[0] for key in bound}
    for name, configurable in sorted(configurables_of(stage).items()):
        missing = {f"{name}.{parameter}" for parameter in configurable.required} - bound
        if name in touched and missing:
            raise UserError(
                "a recipe is incomplete",
                expected=f"a value for every required parameter of `{name}`",
                found="none for " + ", ".join(sorted(missing)),
                where=where,
                remedy="bind it in the recipe or in the exhibit",
            )


def _gin_name(node: ast.FunctionDef | ast.ClassDef) -> str | None:
    for decorator in node.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else None
        target = ast.unparse(call.func if call else decorator)
        if target in ("gin.configurable", "gin.register"):
            named = call and call.args and isinstance(call.args[0], ast.Constant)
            return call.args[0].value if named else node.name
    return None


def _configurable(
    name: str, module: str, node: ast.FunctionDef | ast.ClassDef, classes: dict[str, ast.ClassDef]
) -> Configurable:
    triples = _fields(node, classes) if isinstance(node, ast.ClassDef) else _arguments(node)
    annotations = {parameter: annotation for parameter, annotation, _ in triples}
    required = frozenset(parameter for parameter, _, default in triples if default == "gin.REQUIRED")
    return Configurable(name, module, annotations, required)


def _arguments(function: ast.FunctionDef) -> list[tuple[str, str, str]]:
    """(name, annotation, default) of every argument but self, as source text."""
    given = function.args
    positional = given.posonlyargs + given.args
    defaults = [None] * (len(positional) - len(given.defaults)) + list(given.defaults)
    pairs = zip(positional + given.kwonlyargs, [*defaults, *given.kw_defaults], strict=True)
    return [(a.arg, _text(a.annotation), _text(default)) for a, default in pairs if a.arg != "self"]


def _fields(klass: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> list[tuple[str, str, str]]:
    """The arguments of a class: those of its __init__, or a dataclass's fields with its bases' before them."""
    for node in klass.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            return _arguments(node)
    bases = [classes[name] for base in klass.bases if (name := ast.unparse(base)) in classes]
    inherited = [triple for base in bases for triple in _fields(base, classes)]
    fields = [
        node for node in klass.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    ]
    return inherited + [(node.target.id, _text(node.annotation), _text(node.value)) for node in fields]


def _text(node: ast.AST | None) -> str:
    return ast.unparse(node) if node is not None else ""
