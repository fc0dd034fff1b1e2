"""What changed between two runs of the suite, on one page: `make compare BASE=<revision or results folder>`.

Parameters that differ, then metrics that moved (with intervals), then verdicts that changed, and both drawings of
every exhibit whose numbers moved, side by side. The base is a git revision whose evidence was committed, or the results
folder of another clone, machine or scale. Both sides are drawn and judged by the code of this checkout.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from markupsafe import Markup

from common.errors import command
from common.files import write_bytes, write_text
from common.scales import check_scale
from reports import draw
from reports.comparing.changes import differences, moves
from reports.comparing.sides import Side, from_results, from_revision, with_knobs_of
from reports.drawing.markup import render
from reports.judging.testing import judged
from reports.judging.verdicts import judge
from reports.reading.declarations import label, load_declaration
from reports.reading.exhibit import Evidence, gather


@command
def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m reports.compare", description=__doc__.splitlines()[0])
    parser.add_argument("--base", required=True, help="a git revision, or a folder of results")
    parser.add_argument("--scale", required=True, help="of this side")
    parser.add_argument("--base-scale", help="of the base (the same)")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--params", type=Path, default=Path("params"))
    parser.add_argument("--out", type=Path, default=Path("reports/out"))
    options = parser.parse_args(arguments)
    folder = options.params / "exhibits"
    exhibits = [path.stem for path in sorted(folder.glob("*.yaml"))]
    base_scale = options.base_scale or options.scale
    for scale in (options.scale, base_scale):
        check_scale(scale)
    here = from_results(options.results, options.scale, exhibits)
    if Path(options.base).is_dir():
        base = from_results(Path(options.base), base_scale, exhibits)
    else:
        base = from_revision(options.base, base_scale, exhibits)
    base, here = with_knobs_of(base, here), with_knobs_of(here, base)
    target = options.out / options.scale / "compare"
    print(write_page(base, here, options.params, target))
    print(f"open {target / 'index.html'}")


def write_page(base: Side, here: Side, params: Path, target: Path) -> str:
    """Write target/index.html and, beside it, both drawings of every exhibit that moved; returns what it counts."""
    every = moves(base, here)
    moved = [move for move in every if move.change != 0]
    for old in target.glob("*.svg"):
        old.unlink()
    context = {
        "base": base,
        "here": here,
        "differences": differences(base, here),
        "moves": moved,
        "drawings": {
            exhibit: _both(exhibit, base, here, params, target)
            for exhibit in sorted({move.exhibit for move in moved})
        },
        "label": label,
        "verdicts": changed_verdicts(base, here, params),
    }
    counted = _counted(context, len(every) - len(moved))
    write_text(target / "index.html", render("compare.html.j2", **context, counted=counted))
    return counted


def _counted(context: Mapping[str, Any], still: int) -> str:
    """For example: 1 parameter difference, 3 numbers moved, 15 stayed, 2 verdicts changed."""
    counts = {name: len(context[name]) for name in ("differences", "moves", "verdicts")}
    one = {name: count == 1 for name, count in counts.items()}
    return (
        f"{counts['differences']} parameter {'difference' if one['differences'] else 'differences'}, "
        f"{counts['moves']} {'number' if one['moves'] else 'numbers'} moved, {still} stayed, "
        f"{counts['verdicts']} {'verdict' if one['verdicts'] else 'verdicts'} changed"
    )


def changed_verdicts(base: Side, here: Side, params: Path) -> list[dict[str, str]]:
    """The claims whose verdict differs, each judged within its own side's family of claims."""
    old, new = (_verdicts(side, params) for side in (base, here))
    return [
        {
            **_said_of(new.get(claim) or old[claim]),
            "base": _word(old.get(claim)),
            "here": _word(new.get(claim)),
        }
        for claim in {**old, **new}
        if _word(old.get(claim)) != _word(new.get(claim))
    ]


def _verdicts(side: Side, params: Path) -> dict[str, dict[str, Any]]:
    claims = [claim for exhibit in side.tidy for claim in evidence_of(side, exhibit, params).judged["claims"]]
    return {claim["id"]: claim for claim in judge(claims)}


def _said_of(claim: Mapping[str, Any]) -> dict[str, str]:
    return {name: claim[name] for name in ("id", "says", "exhibit")}


def _word(claim: Mapping[str, Any] | None) -> str:
    return "not run" if claim is None else claim["verdict"]


def evidence_of(side: Side, exhibit: str, params: Path) -> Evidence:
    """One side's evidence of an exhibit, declared, judged and compared with the paper as in this checkout."""
    declaration = load_declaration(params / "exhibits" / f"{exhibit}.yaml", side.scale)
    evidence = gather(declaration, side.tidy[exhibit], side.arrays(exhibit), params)
    return replace(evidence, judged=judged(evidence, {}))


def _both(exhibit: str, base: Side, here: Side, params: Path, target: Path) -> list[dict[str, Any]]:
    """Draw an exhibit of both sides into `target`; what each is, in the order base, here."""
    pictured = any(side.arrays(exhibit) for side in (base, here))
    return [
        {
            "side": name,
            "name": side.name,
            "lacks_pictures": pictured and side.folder is None,
            **_drawn(exhibit, side, params, target / f"{exhibit}_{name}.svg"),
        }
        for name, side in (("base", base), ("here", here))
    ]


def _drawn(exhibit: str, side: Side, params: Path, path: Path) -> dict[str, Any]:
    """A table's markup, or the name of the figure written to `path`."""
    if exhibit not in side.tidy:
        return {"kind": "none", "content": ""}
    drawn = draw.draw(evidence_of(side, exhibit, params))
    if "html" in drawn:
        return {"kind": "table", "content": Markup(drawn["html"].decode())}
    write_bytes(path, drawn["svg"])
    return {"kind": "figure", "content": path.name}


if __name__ == "__main__":
    sys.exit(main())
