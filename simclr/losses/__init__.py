"""Contrastive losses, each in a file of its own that has its name.

Nothing here imports a loss, so a run depends on the code of the loss that it names and of no other. A loss of your
own is one more file in this folder, with a function of the file's name.
"""

import contextlib
import difflib
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any


def loss_named(name: str) -> Callable[..., Any]:
    """The function `name` of module simclr.losses.`name`: loss(za, zb, ...) with za, zb (n, d), a scalar.

    Raises ValueError, with the names that are there, for any other name.
    """
    return part_of(name, "")


def part_of(name: str, prefix: str) -> Callable[..., Any]:
    """The function `prefix``name` of the same module, as objective_nt_xent; ValueError where there is none."""
    if name not in loss_names():
        near = difflib.get_close_matches(str(name), loss_names(), 1)
        hint = f", did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"a loss must be one of {', '.join(loss_names())}; found {name!r}{hint}")
    module = importlib.import_module(f"{__name__}.{name}")
    if not hasattr(module, prefix + name):
        raise ValueError(f"loss {name!r} has no {prefix}{name} in {module.__file__}")
    return getattr(module, prefix + name)


def loss_names() -> tuple[str, ...]:
    """The files of this folder that define a function of their own name, sorted."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return tuple(path.stem for path in files if f"\ndef {path.stem}(" in "\n" + path.read_text("utf-8"))


def register() -> None:
    """Import every loss there is, so that gin knows what it may bind."""
    for name in loss_names():
        # A broken loss is an error for the run that names it, and for no other.
        with contextlib.suppress(Exception):
            loss_named(name)
