"""SimCLR: the method, as an importable PyTorch library that knows nothing of pipelines.

    import simclr
    embed = simclr.pretrained("results/cifar10/pretrain/figure_b7/part1-...")
    h = embed(images)

Its names are listed in __init__.pyi, which type checkers read too. Each is imported when it is first used.
"""

import ast
import functools
import importlib
from pathlib import Path
from typing import Any


@functools.cache
def _homes() -> dict[str, str]:
    """{name: its module}."""
    # From the stub and not from imports here: a stage depends on the code of what it uses, not on a list of all there
    # is, and a process that uses one name should not load the others.
    stub = ast.parse(Path(__file__).with_suffix(".pyi").read_text("utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return sorted(_homes())
    if name not in _homes():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_homes()[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_homes()})
