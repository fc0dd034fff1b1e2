"""The paper's claims as the exhibits declare them. `python -m reports.claims` writes the list, docs/claims.md.

A claim stands under `claims:` of params/exhibits/<id>.yaml, as what it says, its type, and one condition or several
(`all:`). A condition names a metric (or some), the cells (`where`), what is compared (`contrast`, see
reports.contrast, or `correlate`), over how much of it (`of`: mean, every, or a share such as 5/12), and a bound. Where
an exhibit tries several settings of a cell, `tuned_over` names their knobs: validation chooses, the test split counts.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports.declaration import load_declaration
from reports.evidence import load_paper
from reports.files import ReportError, exit_code, read_csv, write_bytes
from reports.inference import Bound

SCALES = ("smoke", "reduced", "cifar10", "paper")
COUNTS = {"A": 17, "B": 6, "C": 9, "D": 10, "E": 11, "F": 5, "G": 6, "H": 4, "I": 3}  # by the paper's subject
ALL = [f"{subject}{number}" for subject, count in COUNTS.items() for number in range(1, count + 1)]
TYPES = {
    "D": "difference",
    "R": "rank or trend",
    "E": "equivalence",
    "A": "analytic",
    "report": "a number without a verdict",
}
OWN_WORDS = ("metric", "tuned_over", "where", "contrast", "correlate", "of", "above", "below", "within")
NOTE = {True: "yes", False: "**no**", None: "undecided"}


@dataclass(frozen=True)
class Condition:
    """One comparison; correlate is (method, one side, other side) or None."""

    metrics: tuple[str, ...]
    tuned_over: Sequence[str]
    where: Mapping[str, Any]
    contrast: Sequence[Mapping[str, Any]]
    correlate: tuple[str, Any, Any] | None
    of: str
    bound: Bound


@dataclass(frozen=True)
class Claim:
    """What the paper says (in our words), and the conditions under which it holds here.

    paper_text: what the paper gives in words or elsewhere. paper_differs: why its own numbers do not support it.
    """

    id: str
    says: str
    type: str
    conditions: tuple[Condition, ...]
    min_scale: str
    paper_text: str | None
    paper_differs: str | None

    @property
    def metrics(self) -> list[str]:
        """Every metric that a condition reads."""
        return list(dict.fromkeys(metric for condition in self.conditions for metric in condition.metrics))

    def sensible_at(self, scale: str) -> bool:
        """Whether the scale is large enough for the claim to mean something."""
        return SCALES.index(scale) >= SCALES.index(self.min_scale)


def parse(declared: Mapping[str, Any]) -> list[Claim]:
    """The `claims` of a declaration. ReportError for one that lacks something."""
    return [_claim(str(name), body) for name, body in declared.items()]


def in_order(ids: Sequence[str]) -> list[str]:
    """A2 before A10."""
    return sorted(ids, key=lambda name: (name[0], int(name[1:])))


def _claim(name: str, body: Mapping[str, Any]) -> Claim:
    try:
        shared = {key: value for key, value in body.items() if key in OWN_WORDS}
        return Claim(
            id=name,
            says=str(body["says"]).strip(),
            type=body["type"],
            conditions=tuple(_condition({**shared, **own}) for own in body.get("all", [{}])),
            min_scale=body.get("min_scale", SCALES[0]),
            paper_text=body.get("paper_text"),
            paper_differs=body.get("paper_differs"),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ReportError(
            f"expected claim {name} as params/schema/exhibit.json describes it; found: {error!r}. Correct the file."
        ) from error


def _condition(body: Mapping[str, Any]) -> Condition:
    metrics, bounds = body["metric"], {key: body[key] for key in ("above", "below", "within") if key in body}
    ((kind, value),) = (bounds or {"above": 0}).items()
    method, sides = next(iter((body.get("correlate") or {}).items()), (None, (None, None)))
    return Condition(
        metrics=tuple([metrics] if isinstance(metrics, str) else metrics),
        tuned_over=body.get("tuned_over", []),
        where=body.get("where", {}),
        contrast=body.get("contrast", []),
        correlate=(method, *sides) if method else None,
        of=str(body.get("of", "mean")),
        bound=Bound(kind, float(value)),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m reports.claims", description=__doc__.splitlines()[0])
    parser.add_argument("--params", type=Path, default=Path("params"))
    parser.add_argument("--out", type=Path, default=Path("docs/claims.md"))
    options = parser.parse_args(arguments)
    write_bytes(options.out, page(options.params).encode())


def page(params: Path) -> str:
    """The list as Markdown: every claim with the paper's own effect, computed from params/paper."""
    from reports.verdict import on_paper, written_effect

    rows, said = {}, []
    for exhibit, section, claim in declared(params):
        found = on_paper(claim, load_paper(params / "paper" / f"{exhibit}.csv"))
        effect = written_effect(found["effect"], found["unit"]) or "—"
        scale = "" if claim.min_scale == SCALES[0] else claim.min_scale
        cells = [
            claim.id,
            exhibit,
            section,
            claim.says,
            TYPES[claim.type],
            scale,
            effect,
            NOTE[found["supports"]],
        ]
        rows[claim.id] = f"| {' | '.join(cells)} |"
        notes = [text for text in (claim.paper_text, claim.paper_differs) if text]
        said += [f"- **{claim.id}**: {' '.join(notes)}"] if notes else []
    absent = [name for name in ALL if name not in rows]
    lines = [rows[name] for name in in_order(list(rows))]
    lost = [f"\nNot declared: {', '.join(absent)}."] if absent else []
    said = [line for name in in_order(list(rows)) for line in said if line.startswith(f"- **{name}**")]
    return "\n".join(
        [
            HEAD.format(count=len(rows), total=len(ALL)),
            *lines,
            *lost,
            "",
            "## Where words decide",
            "",
            *said,
            "",
        ]
    )


def declared(params: Path) -> list[tuple[str, str, Claim]]:
    """(exhibit, section, claim) of every exhibit that is declared, in the paper's order."""
    _, contents = read_csv(
        params / "paper" / "contents.csv", "the paper's contents", "Run from the repository root."
    )
    found = []
    for exhibit, *_ in contents:
        path = params / "exhibits" / f"{exhibit}.yaml"
        if path.exists():
            declaration = load_declaration(path, SCALES[0])
            found += [(exhibit, declaration.section, claim) for claim in parse(declaration.claims)]
    return found


HEAD = """# The paper's claims

Made by `python -m reports.claims` from `claims:` in `params/exhibits/` and the numbers in `params/paper/`; edit those.
{count} of {total} claims are declared. *Paper's effect* is computed from the paper's numbers by the code that judges
ours; with `every`, it is the weakest difference. *Supported* says whether they would confirm the claim if one repeat of
one of its numbers varied by 0.15 points, as its repeats of one setting (64.4, 64.5, 64.6) suggest. *From* is the
smallest scale at which the claim makes sense; below it the verdict is *not run*.

| claim | exhibit | section | says | type | from | paper's effect | supported |
|---|---|---|---|---|---|---|---|"""


if __name__ == "__main__":
    sys.exit(exit_code(main))
