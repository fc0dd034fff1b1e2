"""What a run has to do, as its stage states it: images through a network, how many at once, and what must fit its data.

The file of each stage has a function `cost(bound, images) -> Work`. It is a pure function of its arguments, and the
planner takes it from the source alone, because importing a stage costs five seconds of torch. No number rests on it, so
it is no part of the code hash.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from common.errors import UserError
from stages.planning.code_hashes import COST, module_path, tree_of

Bindings = Mapping[str, Any]  # {"configurable.parameter": value}


class Splits(NamedTuple):
    """How many images of each split a run reads (training as limited, validation about), and how many classes."""

    train_and_validation: int
    train: int
    validation: int
    test: int
    classes: int


@dataclass(frozen=True)
class Work:
    """How many images of `size` pixels a side pass through the encoder; each view of a pretraining counts as one.

    trained: images that pass forwards and backwards. frozen: images that pass forwards only.
    batch, frozen_batch: how many at once, over all processes, which share a batch equally; of a batch, so many `views`.
    vectors: how many h are in memory at once, float32. keeps: how many networks it stores.
    fits: for a binding, what it needs, what there is, and of what; a run that needs more is refused.
    divides: for a binding, what must divide what without a remainder.
    """

    trained: float = 0
    frozen: float = 0
    size: int = 0
    batch: float = 0
    views: int = 1
    frozen_batch: float = 0
    vectors: float = 0
    keeps: int = 0
    fits: Mapping[str, tuple[float, float, str]] = field(default_factory=dict)
    divides: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def work_of(stage: str, bound: Bindings, images: Splits) -> Work:
    """What a run of `stage` with these bindings has to do."""
    try:
        return _said_by(stage)(bound, images)
    except KeyError as error:
        raise UserError(
            f"nothing binds {error.args[0]}, which stage {stage} needs",
            expected="a value in the recipe or in the exhibit",
            found="none",
            where=f"params/recipes, params/exhibits ({stage})",
        ) from error


@functools.cache
def _said_by(stage: str) -> Callable[[Bindings, Splits], Work]:
    """The function `cost` of a stage's file. UserError for a stage without one: no cost is silently taken as zero."""
    path = module_path(f"stages.{stage}")
    for node in tree_of(f"stages.{stage}").body:
        if isinstance(node, ast.FunctionDef) and node.name == COST:
            node.returns = None
            for argument in node.args.args:
                argument.annotation = None
            known: dict[str, Any] = {"Work": Work}
            exec(compile(ast.Module([node], []), str(path), "exec"), known)
            return known[COST]
    raise UserError(
        f"stage {stage} does not say what it costs",
        expected="a function cost(bound, images) -> Work (stages/planning/work.py)",
        found="none",
        where=path,
    )
