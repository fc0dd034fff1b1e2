"""What may be wrong in a module: its mutants, each one small change of the source that changes what it does."""

import ast
import random
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names


@dataclass(frozen=True)
class Mutant:
    """One change, told as the line before and after it; `source` is the whole module with it."""

    line: int
    before: str
    after: str
    source: str

    def __str__(self) -> str:
        return f"{self.line}: {self.before}  ->  {self.after}"


def path_of(module: str) -> Path:
    """The file of a module, found without importing anything."""
    path = Path(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def mutants(path: Path) -> list[Mutant]:
    """Every mutant of a file by every operator of Cosmic Ray, without those that the interpreter cannot tell apart."""
    source = path.read_text("utf-8")
    found, seen = [], {_meaning(source)}
    for name in sorted(operator_names()):
        if "variable" in name.lower():  # those two ask for names of variables
            continue
        operator, occurrence = get_operator(name)(), 0
        while (changed := mutate_code(source, operator, occurrence)) is not None:
            occurrence += 1
            try:
                meaning = _meaning(changed)
            except SyntaxError:
                continue
            if meaning not in seen:
                seen.add(meaning)
                found.append(_told(source, changed))
    return sorted(found, key=lambda mutant: (mutant.line, mutant.after, mutant.source))


def sample(found: list[Mutant], size: int, seed: str) -> list[Mutant]:
    """So many of them at random, in their order; all if there are no more."""
    if len(found) <= size:
        return found
    kept = random.Random(seed).sample(range(len(found)), size)
    return [found[place] for place in sorted(kept)]


def _told(source: str, changed: str) -> Mutant:
    pairs = zip(source.splitlines(), changed.splitlines(), strict=False)
    for line, (before, after) in enumerate(pairs, start=1):
        if before != after:
            return Mutant(line, before.strip(), after.strip(), changed)
    raise ValueError("a mutant that changes no line")


def _meaning(source: str) -> str:
    """The syntax tree without what only readers and type checkers use."""
    return ast.dump(_Meaning().visit(ast.parse(source)))


class _Meaning(ast.NodeTransformer):
    """Takes annotations away, unless they hold a range that is enforced."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = _enforced(node.annotation)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.annotation = _enforced(node.annotation) or ast.Name("", ast.Load())
        return self.generic_visit(node)


def _enforced(annotation: ast.expr | None) -> ast.expr | None:
    return annotation if annotation is not None and "Annotated" in ast.dump(annotation) else None
