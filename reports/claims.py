"""Write the list of the paper's claims, docs/claims.md.

The list has for each claim what it says, where it is tested, and the paper's own effect, which the code that judges our
numbers computes from params/paper.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from common import scales
from common.errors import command
from common.files import write_text
from reports.judging.claim import Claim, in_order, parse
from reports.judging.testing import on_paper
from reports.reading.declarations import Declaration, load_all
from reports.reading.notation import written_effect
from reports.reading.paper import load_paper

TYPES = {
    "D": "difference",
    "R": "rank or trend",
    "E": "equivalence",
    "A": "analytic",
    "report": "number only",
}
SUPPORTED = {True: "yes", False: "**no**", None: "undecided"}
COLUMNS = ("claim", "exhibit", "section", "says", "type", "from", "paper's effect", "supported")
INTRODUCTION = """# The paper's claims

Made by `python -m reports.claims` from `claims:` in `params/exhibits/` and the numbers in `params/paper/`; edit those.
{count} claims of the paper are declared.

*Paper's effect* is computed from the paper's numbers by the code that judges ours. For a claim about every cell it is
the least certain difference; for a claim with several conditions, that of the least certain one; for a trend, the rise
of the straight line through all its cells, which is not quite the difference of the outermost. *Supported* says
whether these numbers alone would confirm the claim, tested at 5 % as if a repeat of one of them varied by 0.15 points,
as the paper's repeats of one setting do (64.4, 64.5, 64.6). *From* is the smallest scale at which a claim makes sense;
below, it is *not run*.

## How a claim is judged

- **One family.** Every claim is tested from both sides. All these tests of a scale are one family. The procedure of
  Benjamini and Hochberg keeps the expected share of wrong verdicts at 5 % or less. A verdict that Holm's procedure
  would also let stand has a mark: if those were the only verdicts, 95 % of such boards would have no wrong one at
  all. Claims of exhibits that the paper does not have are a family apart.
- **A training that diverged gives no number.** If one of the compared cells diverged in a seed, that seed is left out
  of the comparison, and the claim names the cell. If fewer than two seeds are left (or none, where there was one),
  the claim is *not run*, and its reason is *diverged*. Where validation chooses among settings, a setting that
  diverged in any seed is no candidate.
- **What you add changes no claim of the paper.** Where the paper prints the values that a claim names, `others` means
  the other values that the paper prints: a temperature or a loss of your own is drawn beside them, and not judged. A
  block of runs with `label: {{own: yes}}` is left out of the exhibit's claims altogether.
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
`last`, `any`, `others`) are explained in `reports/judging/contrast.py` and `selection.py`, the tests in
`reports/judging/inference.py`.
"""


class Listed(NamedTuple):
    """A claim and where it is declared."""

    exhibit: Declaration
    claim: Claim


@command
def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m reports.claims", description=__doc__.splitlines()[0])
    parser.add_argument("--params", type=Path, default=Path("params"))
    parser.add_argument("--out", type=Path, default=Path("docs/claims.md"))
    options = parser.parse_args(arguments)
    write_text(options.out, page(options.params))


def page(params: Path) -> str:
    """The list as Markdown: the paper's claims, and then our own."""
    every = declared(params)
    papers, own = ([each for each in every if each.exhibit.is_papers == whose] for whose in (True, False))
    words = [f"- **{listed.claim.id}**: {said}" for listed in papers if (said := _said(listed.claim))]
    parts = [
        INTRODUCTION.format(count=len(papers)),
        "## All of them\n",
        _table(papers, params),
        *(["## Of our own exhibits, not the paper's\n", _table(own, params)] if own else []),
        "\n".join(["## What the paper says in words", "", *words]) + "\n",
        GRAMMAR,
    ]
    return "\n".join(parts)


def declared(params: Path) -> list[Listed]:
    """The claims of every exhibit that is declared, in the order of their ids."""
    exhibits = load_all(params, scales.names()[0])
    by_id = {claim.id: Listed(exhibit, claim) for exhibit in exhibits for claim in parse(exhibit.claims)}
    return [by_id[name] for name in in_order(list(by_id))]


def _table(listed: Sequence[Listed], params: Path) -> str:
    rows = [COLUMNS, ["---"] * len(COLUMNS), *(_cells(each, params) for each in listed)]
    return "\n".join(map(_row, rows)) + "\n"


def _cells(listed: Listed, params: Path) -> list[str]:
    exhibit, claim = listed
    result = on_paper(claim, load_paper(params / "paper" / f"{exhibit.id}.csv"))
    scale = "" if claim.min_scale == scales.names()[0] else claim.min_scale
    if result["effect"] is None:
        judged = ["—", "in words only" if claim.paper_text else "—"]
    else:
        judged = [written_effect(result["effect"], result["unit"]), SUPPORTED[result["supports"]]]
    return [claim.id, exhibit.id, exhibit.section, claim.says, TYPES[claim.type], scale, *judged]


def _said(claim: Claim) -> str:
    return " ".join(text for text in (claim.paper_text, claim.paper_differs) if text)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
