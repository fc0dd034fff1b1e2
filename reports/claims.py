"""The list of the paper's claims: `python -m reports.claims` writes docs/claims.md.

What each says, where it is tested, and the paper's own effect, computed from params/paper by the code that judges ours.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from reports.declaration import load_declaration
from reports.evidence import load_paper
from reports.files import exit_code, read_csv, write_bytes
from reports.judging.claim import SCALES, Claim, in_order, parse
from reports.verdict import on_paper, written_effect

COUNTS = {"A": 17, "B": 6, "C": 9, "D": 10, "E": 11, "F": 5, "G": 6, "H": 4, "I": 3}  # by the paper's subject
ALL = [f"{subject}{number}" for subject, count in COUNTS.items() for number in range(1, count + 1)]
TYPES = {
    "D": "difference",
    "R": "rank or trend",
    "E": "equivalence",
    "A": "analytic",
    "report": "a number without a verdict",
}
SUPPORTED = {True: "yes", False: "**no**", None: "undecided"}
COLUMNS = ("claim", "exhibit", "section", "says", "type", "from", "paper's effect", "supported")
INTRODUCTION = """# The paper's claims

Made by `python -m reports.claims` from `claims:` in `params/exhibits/` and the numbers in `params/paper/`; edit those.
{count} of {total} claims are declared.

*Paper's effect* is computed from the paper's numbers by the code that judges ours: of a claim about every cell the
weakest difference, of one with several conditions the weakest of them, of a trend the rise of the straight line through
all its cells, which is not quite the difference of the outermost. *Supported* says whether these numbers alone
would confirm the claim, tested at 5 % as if a repeat of one of them varied by 0.15 points, as the paper's repeats of
one setting do (64.4, 64.5, 64.6). *From* is the smallest scale at which a claim makes sense; below, it is *not run*.
"""
GRAMMAR = """## How a claim is declared

```yaml
C1:
  says: A nonlinear projection head is better than a linear one of the same width, whatever the width.
  type: D                         # difference, R rank or trend, E equivalence, A analytic, or report
  metric: top1
  contrast:                       # cells, made step by step into differences
  - minus:
    - {projection: nonlinear}     # whatever else two cells have is equal, here the width
    - {projection: linear}
  of: every                       # of the differences; or mean, or a share such as 5/12
  above: 0                        # or below, or within
```

The steps (`minus`, `swap`, `pairs`, `mean`, `trend`) and the words that select cells at every scale (`first`, `second`,
`last`, `any`, `others`) are explained in `reports/judging/contrast.py`, the tests in
`reports/judging/inference.py`.
"""


class Listed(NamedTuple):
    """A claim and where it is declared."""

    exhibit: str
    section: str
    claim: Claim


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m reports.claims", description=__doc__.splitlines()[0])
    parser.add_argument("--params", type=Path, default=Path("params"))
    parser.add_argument("--out", type=Path, default=Path("docs/claims.md"))
    options = parser.parse_args(arguments)
    write_bytes(options.out, page(options.params).encode())


def page(params: Path) -> str:
    """The list as Markdown."""
    found = {listed.claim.id: listed for listed in declared(params)}
    ordered, absent = (
        [found[name] for name in in_order(list(found))],
        [name for name in ALL if name not in found],
    )
    table = [
        _row(COLUMNS),
        _row(["---"] * len(COLUMNS)),
        *(_row(_cells(listed, params)) for listed in ordered),
    ]
    words = [f"- **{listed.claim.id}**: {said}" for listed in ordered if (said := _said(listed.claim))]
    parts = [
        INTRODUCTION.format(count=len(found), total=len(ALL)),
        "\n".join(table) + "\n",
        *([f"Not declared: {', '.join(absent)}.\n"] if absent else []),
        "\n".join(["## What the paper says in words", "", *words]) + "\n",
        GRAMMAR,
    ]
    return "\n".join(parts)


def declared(params: Path) -> list[Listed]:
    """The claims of every exhibit that is declared, in the paper's order."""
    contents = read_csv(
        params / "paper" / "contents.csv", "the paper's contents", "Run from the repository root."
    )
    found = []
    for exhibit, *_ in contents[1]:
        path = params / "exhibits" / f"{exhibit}.yaml"
        if path.exists():
            declaration = load_declaration(path, SCALES[0])
            found += [Listed(exhibit, declaration.section, claim) for claim in parse(declaration.claims)]
    return found


def _cells(listed: Listed, params: Path) -> list[str]:
    claim = listed.claim
    found = on_paper(claim, load_paper(params / "paper" / f"{listed.exhibit}.csv"))
    scale = "" if claim.min_scale == SCALES[0] else claim.min_scale
    if found["effect"] is None:
        judged = ["—", "in words only" if claim.paper_text else "—"]
    else:
        judged = [written_effect(found["effect"], found["unit"]), SUPPORTED[found["supports"]]]
    return [claim.id, listed.exhibit, listed.section, claim.says, TYPES[claim.type], scale, *judged]


def _said(claim: Claim) -> str:
    return " ".join(text for text in (claim.paper_text, claim.paper_differs) if text)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(exit_code(main))
