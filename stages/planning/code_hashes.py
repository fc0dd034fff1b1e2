"""The source that a stage runs or that makes a drawing, and a hash of what that source does.

The hash ignores comments, docstrings, blank lines, the ranges declared beside parameters and a stage's estimate of its
cost. They change no number, so an edit of them retrains nothing. The hash is taken over the text that remains, and not
over a syntax tree, whose printed form differs between versions of Python. A module that a run names in a binding, such
as its loss, counts for that run and for no other.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import io
import tokenize
from collections.abc import Iterable
from pathlib import Path

from common.errors import UserError

# The code in these folders decides numbers, together with the stage's own file. An edit here retrains.
DECIDE_NUMBERS = ("simclr", "stages.data", "stages.steps")
COST = "cost"  # the stage's estimate of what a run costs; no number rests on it
RANGES = "simclr.declared"  # which values a parameter may have; no number comes from there
PACKAGES = ("simclr", "stages", "reports", "common")
ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def modules_of(stage: str, named: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The modules whose lines decide the numbers of a run of `stage`, sorted.

    They are the stage's own file, the modules that the run's bindings name, and what these reach by imports.
    """
    return tuple(module for module in reached(f"stages.{stage}", *named) if _decides_numbers(module, stage))


@functools.cache
def code_hash(stage: str, named: tuple[str, ...] = ()) -> str:
    """SHA-256 (16 hexadecimal digits) over the stripped source of these modules."""
    return _hash(modules_of(stage, named))


@functools.cache
def tool_hash(tool: str, *found: str) -> str:
    """The same over all that `python -m stages <tool>` reaches, and the modules that it finds by name.

    It is in no fingerprint: a tool that obtains or gathers is carried out again, and no run.
    """
    return _hash(reached(f"stages.{tool}", *found))


@functools.cache
def drawing_hash(exhibit: str) -> str:
    """The same over the modules that draw an exhibit. Those that test its claims are in `judging_hash`."""
    return _hash(reached("reports.draw", f"reports.exhibits.{exhibit}"))


@functools.cache
def judging_hash() -> str:
    """The same over the modules that test the claims of a scale."""
    return _hash(reached("reports.verdict"))


@functools.cache
def page_hash() -> str:
    """The same over the modules that judge a scale and make its page."""
    return _hash(reached("reports.index"))


@functools.cache
def reached(*modules: str) -> tuple[str, ...]:
    """These modules of the project and all that they import, directly or not, sorted."""
    seen: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        # `from module import function` looks like a module of that name, but there is no such file.
        if module not in seen and module_path(module).is_file():
            seen.add(module)
            waiting.extend(_imports(module))
    return tuple(sorted(seen))


@functools.cache
def module_hash(module: str) -> str:
    """SHA-256 (16 hexadecimal digits) over the stripped source of one module."""
    return hashlib.sha256(_stripped_module(module).encode()).hexdigest()[:16]


def module_path(module: str) -> Path:
    """The file of a module of this project."""
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def tree_of(module: str) -> ast.Module:
    """The syntax tree of a module. UserError if the file is not Python."""
    path = module_path(module)
    try:
        return ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise UserError(
            "a source file is not Python", expected="Python", found=error, where=f"{path}{line}"
        ) from error


def stripped(source: str) -> str:
    """`source` without comments, docstrings, declared ranges, estimates of cost, blank lines and trailing blanks."""
    source = _without_estimates(source)
    lines = source.splitlines()
    for line, column in _comments(source):
        lines[line] = lines[line][:column]
    for first, last in _docstrings(source):
        lines[first:last] = [""] * (last - first)
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _without_estimates(source: str) -> str:
    """`Annotated[int, AtLeast(1)]` as `int`, no import of the marks, and no function `cost`."""
    tree, edits = ast.parse(source), []
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and getattr(node.value, "id", "") == "Annotated":
            edits.append((node, ast.get_source_segment(source, node.slice.elts[0]) or ""))
        elif isinstance(node, ast.ImportFrom) and node.module == RANGES:
            edits.append((node, ""))
    edits += [(node, "") for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == COST]
    # Most modules have none, and their text stays as it is, byte for byte.
    if not edits:
        return source
    text, starts = source.encode(), [0]  # columns of a syntax tree count bytes
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    # From the end to the beginning, so that an edit does not move the places that are still to be edited.
    for node, instead in sorted(edits, key=lambda edit: (edit[0].lineno, edit[0].col_offset), reverse=True):
        first, last = (
            starts[node.lineno - 1] + node.col_offset,
            starts[node.end_lineno - 1] + node.end_col_offset,
        )
        text = text[:first] + instead.encode() + text[last:]
    return text.decode()


def _comments(source: str) -> list[tuple[int, int]]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return [(token.start[0] - 1, token.start[1]) for token in tokens if token.type == tokenize.COMMENT]


def _docstrings(source: str) -> list[tuple[int, int]]:
    """The lines of every docstring that has its lines to itself, as slices."""
    spans = []
    for node in ast.walk(ast.parse(source)):
        documented = isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if documented and ast.get_docstring(node, clean=False) is not None:
            first, rest = node.body[0], node.body[1:]
            last = first.end_lineno or first.lineno
            shared = first.lineno == getattr(node, "lineno", 0) or any(other.lineno <= last for other in rest)
            if not shared:  # `def f(): "text"` keeps its line
                spans.append((first.lineno - 1, last))
    return spans


def _decides_numbers(module: str, stage: str) -> bool:
    return module == f"stages.{stage}" or (
        module != RANGES
        and any(module == place or module.startswith(f"{place}.") for place in DECIDE_NUMBERS)
    )


def _hash(modules: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for module in modules:
        digest.update(f"{module}\n{_stripped_module(module)}\n".encode())
    return digest.hexdigest()[:16]


@functools.cache
def _stripped_module(module: str) -> str:
    return stripped(module_path(module).read_text("utf-8"))


@functools.cache
def _imports(module: str) -> list[str]:
    """Project modules that `module` imports anywhere, also in functions; of a package, itself and the members named."""
    names = []
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
    # Importing a.b runs a/__init__.py first, so that decides numbers too.
    parents = [name.rsplit(".", 1)[0] for name in names if "." in name]
    return [name for name in [*names, *parents] if name.split(".")[0] in PACKAGES]
