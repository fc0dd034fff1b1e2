"""Which values a parameter may have: its type, and the marks of simclr.declared beside it.

Both are read from the source, because importing the module would cost five seconds of torch.
"""

from __future__ import annotations

import ast
import functools
import math
from dataclasses import dataclass
from typing import Any

from common.errors import UserError
from common.names import nearest
from simclr import declared
from stages.planning.code_hashes import module_path, tree_of

TYPES: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "str": (str,), "bool": (bool,)}
ANYTHING = ("Any", "object")
SEQUENCES = ("tuple", "list", "Sequence")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a configurable: annotation and default as source text, marks as objects."""

    name: str
    annotation: str
    default: str
    marks: tuple[declared.Mark, ...] = ()

    @property
    def required(self) -> bool:
        """Whether a recipe or an exhibit must bind it, because it has no default."""
        return self.default == "gin.REQUIRED"

    @property
    def package(self) -> str | None:
        """The package of which a value names a module, such as simclr.losses; None for most parameters."""
        return next((mark.package for mark in self.marks if isinstance(mark, declared.ModuleIn)), None)


def parameter(module: str, name: str, annotation: ast.expr | None, default: ast.expr | None) -> Parameter:
    """An argument in the source of `module` as a Parameter. UserError for a mark that cannot be read."""
    marks: tuple[declared.Mark, ...] = ()
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "Annotated":
        annotation, *written = annotation.slice.elts
        marks = tuple(_mark(module, each) for each in written)
    text = "" if annotation is None else ast.unparse(annotation)
    return Parameter(name, text, "" if default is None else ast.unparse(default), marks)


def check_value(key: str, declares: Parameter, value: Any, where: str) -> None:
    """UserError unless the value has the declared type, is finite, and is allowed by the marks beside the type."""
    if declares.annotation and not _fits(value, _parsed(declares.annotation)):
        raise UserError(
            f"the value of {key} has another type",
            expected=declares.annotation,
            found=repr(value),
            where=where,
        )
    if not _is_finite(value):
        raise UserError(f"{key} must be finite", expected="a finite number", found=value, where=where)
    if declares.package:
        check_module(key, declares.package, value, where)
    for mark in declares.marks:
        if expected := mark.check(value):
            words = [each for each in getattr(mark, "values", ()) if isinstance(each, str)]
            items = value if isinstance(value, list | tuple) else [value]
            near = next(
                (nearest(item, words) for item in items if isinstance(item, str) and item not in words), ""
            )
            raise UserError(
                f"{key} must be {expected}{near}", expected=expected, found=repr(value), where=where
            )


def check_module(key: str, package: str, value: Any, where: str) -> None:
    """UserError unless the package has a module of this name, with a function of the same name."""
    known = modules_in(package)
    if value not in known:
        raise UserError(
            f"{key} names no module of {package}{nearest(str(value), known)}",
            expected="one of " + ", ".join(known),
            found=repr(value),
            where=where,
            remedy=f"choose one of them, or add {package.replace('.', '/')}/{value}.py with a function of that name"
            if isinstance(value, str) and value.isidentifier()
            else "",
        )


@functools.cache
def modules_in(package: str) -> tuple[str, ...]:
    """The modules of a package that define a function of their own name, sorted.

    A file with a syntax error counts too, so that a run that names it is refused with that error and not as unknown.
    """
    names = []
    for path in sorted(module_path(package).parent.glob("*.py")):
        try:
            body = tree_of(f"{package}.{path.stem}").body
        except UserError:
            # If it were left out, it would be reported as unknown, and its author would look for a misspelled name.
            names.append(path.stem)
            continue
        if any(isinstance(node, ast.FunctionDef) and node.name == path.stem for node in body):
            names.append(path.stem)
    return tuple(names)


def _mark(module: str, node: ast.expr) -> declared.Mark:
    """The mark that `Above(0)` writes. Its arguments are literals, or names of literals in the same source."""
    try:
        assert isinstance(node, ast.Call)
        values: list[Any] = []
        for argument in node.args:
            starred = isinstance(argument, ast.Starred)
            value = _literal(module, argument.value if starred else argument)
            values.extend(value) if starred else values.append(value)
        return getattr(declared, ast.unparse(node.func).rpartition(".")[2])(*values)
    except (AssertionError, AttributeError, TypeError, ValueError) as error:
        raise UserError(
            "a mark beside a parameter cannot be read",
            expected="one of simclr.declared with literals, or names of literals",
            found=ast.unparse(node),
            where=f"{module_path(module)}, line {node.lineno}",
        ) from error


def _literal(module: str, node: ast.expr) -> Any:
    if isinstance(node, ast.Name):
        return _constant(module, node.id)
    if isinstance(node, ast.Attribute) and ast.unparse(node) == "math.inf":
        return math.inf
    return ast.literal_eval(node)


def _constant(module: str, name: str) -> Any:
    """A constant of a module, also an imported one; for a dictionary its keys."""
    for node in tree_of(module).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _constant(node.module, alias.name)
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if isinstance(node, ast.Assign | ast.AnnAssign) and any(
            getattr(each, "id", "") == name for each in targets
        ):
            keys = node.value.keys if isinstance(node.value, ast.Dict) else None
            return tuple(map(ast.literal_eval, keys)) if keys is not None else ast.literal_eval(node.value)
    raise ValueError(f"no constant {name} in {module}")


@functools.cache
def _parsed(annotation: str) -> ast.expr:
    return ast.parse(annotation, mode="eval").body


def _fits(value: Any, annotation: ast.expr) -> bool:
    """Whether a value, as YAML or gin can write it, has the annotated type."""
    if isinstance(annotation, ast.BinOp):
        return _fits(value, annotation.left) or _fits(value, annotation.right)
    if isinstance(annotation, ast.Constant):
        return value is None if annotation.value is None else True
    if isinstance(annotation, ast.Subscript):
        return _fits_items(value, ast.unparse(annotation.value), annotation.slice)
    name = ast.unparse(annotation)
    if name not in TYPES:  # a tensor or a network, which no declaration can write
        return name in ANYTHING
    return isinstance(value, TYPES[name]) and (name == "bool" or not isinstance(value, bool))


def _fits_items(value: Any, kind: str, inner: ast.expr) -> bool:
    if kind == "Literal":
        return value in ast.literal_eval(
            inner if isinstance(inner, ast.Tuple) else ast.Tuple([inner], ast.Load())
        )
    if kind not in SEQUENCES:
        return False
    if not isinstance(value, list | tuple):
        return False
    kinds = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    if kind != "tuple" or (len(kinds) == 2 and ast.unparse(kinds[1]) == "..."):
        kinds = kinds[:1] * len(value)
    return len(kinds) == len(value) and all(map(_fits, value, kinds))


def _is_finite(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)
