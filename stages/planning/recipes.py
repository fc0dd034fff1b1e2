"""Recipes: gin files that bind every run of a stage at a scale, and what a scale with a parent changes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from common import scales
from common.documents import read_text
from common.errors import UserError
from common.names import nearest

FOLDER = Path("params") / "recipes"
Recipe = dict[str, tuple[Any, str]]  # {"configurable.parameter": (value, the file and line where it stands)}


def bound_at(stage: str, scale: str) -> Recipe:
    """What a stage is bound to at a scale: the recipe of the scale without a parent, and what its children change."""
    *children, root = scales.lineage(scale)
    path = recipe_path(stage, root)
    bound: Recipe = {key: (value, f"{path}, line {line}") for key, (value, line) in read_recipe(path).items()}
    for name in reversed(children):
        own = scales.read(name)
        for key, value in own.recipes.get(stage, {}).items():
            bound[key] = (value, own.where("recipes", stage, key))
    return bound


def check_stages(scale: str) -> None:
    """UserError if the file of a scale changes the recipe of a stage that does not exist."""
    own, known = scales.read(scale), stages_with_recipes()
    for stage in own.recipes:
        if stage not in known:
            raise UserError(
                f"scale {scale} changes the recipe of an unknown stage, `{stage}`{nearest(stage, known)}",
                expected=", ".join(known),
                found=stage,
                where=own.where("recipes", stage),
            )


def stages_with_recipes() -> list[str]:
    """The stages with a recipe."""
    ending = f"_{scales.roots()[0]}"
    return sorted(path.stem.removesuffix(ending) for path in FOLDER.glob(f"[a-z]*{ending}.gin"))


def recipe_path(stage: str, scale: str) -> Path:
    """params/recipes/<stage>_<scale>.gin, of the scale without a parent that this one comes from."""
    return FOLDER / f"{stage}_{scales.lineage(scale)[-1]}.gin"


def read_recipe(path: Path) -> dict[str, tuple[Any, int]]:
    """A gin recipe as {"configurable.parameter": (value, line)}. Only literal values are allowed, and no macros.

    Gin's own parser reads it, without importing what the names refer to: planning must not cost an import of torch.
    """
    from gin import config_parser

    if not path.is_file():
        known = ", ".join(sorted(other.name for other in path.parent.glob("*.gin")))
        raise UserError("a recipe is missing", expected=known, found=path.name, where=path.parent)
    text, bindings = read_text(path, "a gin recipe"), {}
    try:
        for statement in config_parser.ConfigParser(text, _LiteralsOnly()):
            line = statement.location.line_num
            if not isinstance(statement, config_parser.BindingStatement) or statement.scope:
                raise _not_a_recipe("a recipe may only have lines `name.parameter = value`", path, line)
            key = f"{statement.selector}.{statement.arg_name}"
            if key in bindings:
                raise _not_a_recipe(f"{key} is bound twice", path, line)
            bindings[key] = (statement.value, line)
    except UserError:
        raise
    except SyntaxError as error:
        raise _not_a_recipe(error.msg.splitlines()[0], path, error.lineno) from error
    # Of gin's tokenizer and of Python's parser: an open bracket is a TokenError.
    except Exception as error:
        raise _not_a_recipe(" ".join(str(part) for part in error.args) or error, path, None) from error
    return bindings


class _LiteralsOnly:
    """Gin's parser calls it for references and macros. Neither is allowed, so that YAML and gin say the same things."""

    def configurable_reference(self, scoped_name: str, evaluate: bool) -> Any:
        raise SyntaxError(f"@{scoped_name}: write the value itself")

    def macro(self, macro_name: str) -> Any:
        raise SyntaxError(f"%{macro_name}: write the value itself")


def _not_a_recipe(found: object, path: Path, line: int | None) -> UserError:
    where = f"{path}, line {line}" if line else str(path)
    return UserError(
        "a recipe cannot be read",
        expected="lines `configurable.parameter = literal`",
        found=found,
        where=where,
    )
