"""What changed between two runs of the suite, on one page: `make compare BASE=<revision or results folder>`.

Parameters that differ, then metrics that moved (with intervals), then verdicts that changed, and both drawings of
every exhibit whose numbers moved, side by side. The base is a git revision whose evidence was committed, or the results
folder of another clone, machine or scale. Both sides are drawn and judged by the code of this checkout.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from markupsafe import Markup

from reports import draw, verdict
from reports.declaration import check_scale, load_declaration
from reports.digest import cell_name
from reports.drawing.tables import render
from reports.evidence import Evidence, load_paper
from reports.files import exit_code, write_bytes
from reports.record import label
from reports.sides import Side, from_results, from_revision
from reports.summary import metric

LEVEL = 0.95


class Difference(NamedTuple):
    """A binding that differs, and for how many of the runs of its stage and exhibit it differs like this."""

    exhibit: str
    stage: str
    binding: str
    base: str
    here: str
    runs: str


class Move(NamedTuple):
    """A cell's metric on both sides; low and high bound the change at 95 %, None where a side has a single seed."""

    exhibit: str
    cell: str
    knobs: str
    metric: str
    base: str
    here: str
    change: float | None
    low: float | None
    high: float | None


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
    for scale in {options.scale, options.base_scale or options.scale}:
        check_scale(scale, folder)
    here = from_results(options.results, options.scale, exhibits)
    base_scale = options.base_scale or options.scale
    if Path(options.base).is_dir():
        base = from_results(Path(options.base), base_scale, exhibits)
    else:
        base = from_revision(options.base, base_scale, exhibits)
    target = options.out / options.scale / "compare"
    write_page(base, here, options.params, target)
    print(f"open {target / 'index.html'}")


def write_page(base: Side, here: Side, params: Path, target: Path) -> None:
    """Write target/index.html and, beside it, both drawings of every exhibit that moved."""
    moved = moves(base, here)
    shown = sorted({move.exhibit for move in moved if move.change})
    drawings = {exhibit: _both(exhibit, base, here, params, target) for exhibit in shown}
    context = {
        "base": base,
        "here": here,
        "differences": differences(base, here),
        "moves": [move for move in moved if move.change is None or abs(move.change) > 0],
        "still": sum(move.change == 0 for move in moved),
        "drawings": drawings,
        "label": label,
        "verdicts": changed_verdicts(base, here, params),
    }
    write_bytes(target / "index.html", render("compare.html.j2", **context).encode())


def differences(base: Side, here: Side) -> list[Difference]:
    """Bindings that differ, run by run, with equal differences of one stage of an exhibit put together."""
    found: dict[tuple[str, ...], list[str]] = {}
    for exhibit in sorted({*base.parameters, *here.parameters}):
        old, new = base.parameters.get(exhibit, {}), here.parameters.get(exhibit, {})
        for name in sorted({*old, *new}):
            stage, _, run = name.partition("/")
            for binding, left, right in _unequal(old.get(name), new.get(name)):
                found.setdefault((exhibit, stage, binding, left, right), []).append(run)
    return [
        Difference(*key, runs=_named(runs, _count(here, *key[:2]) or _count(base, *key[:2])))
        for key, runs in found.items()
    ]


def moves(base: Side, here: Side) -> list[Move]:
    """Every cell and metric of either side, by its place in the grid."""
    found = []
    for exhibit in sorted({*base.rows, *here.rows}):
        sides = [_cells(side.rows.get(exhibit)) for side in (base, here)]
        for key in sorted({*sides[0], *sides[1]}):
            found.append(_move(exhibit, key, *(side.get(key) for side in sides)))
    return found


def interval(base: Sequence[float], here: Sequence[float]) -> tuple[float | None, float | None]:
    """Welch's 95 % interval of mean(here) - mean(base); (None, None) if a side has a single value or no spread."""
    if min(len(base), len(here)) < 2:
        return None, None
    from scipy.stats import ttest_ind

    test = ttest_ind(here, base, equal_var=False)
    bounds = test.confidence_interval(LEVEL)
    return (float(bounds.low), float(bounds.high)) if pd.notna(bounds.low) else (None, None)


def _unequal(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> list[tuple[str, str, str]]:
    if old is None or new is None:
        return [
            (
                "(the run)",
                "not planned" if old is None else "planned",
                "not planned" if new is None else "planned",
            )
        ]
    keys = sorted({*old, *new})
    return [(key, _said(old, key), _said(new, key)) for key in keys if _said(old, key) != _said(new, key)]


def _said(bindings: Mapping[str, Any], key: str) -> str:
    return str(bindings[key]) if key in bindings else "not bound"


def _count(side: Side, exhibit: str, stage: str) -> int:
    return sum(name.startswith(f"{stage}/") for name in side.parameters.get(exhibit, {}))


def _named(runs: list[str], of: int) -> str:
    if len(runs) == of:
        return f"all {of} runs" if of > 1 else runs[0]
    return ", ".join(runs) if len(runs) <= 4 else f"{len(runs)} of {of} runs"


def _cells(measured: pd.DataFrame | None) -> dict[tuple[str, str], tuple[str, list[float]]]:
    """{(cell, metric): (its knobs in words, values over seeds)}."""
    if measured is None:
        return {}
    knobs = [name for name in measured.columns if name not in ("seed", "metric", "value", "run")]
    cells: dict[tuple[str, str], tuple[str, list[float]]] = {}
    for row in measured.to_dict(orient="records"):
        words = ", ".join(f"{knob} {row[knob]}" for knob in knobs if row[knob] != "")
        cells.setdefault((cell_name(row["run"]), row["metric"]), (words, []))[1].append(row["value"])
    return cells


def _move(
    exhibit: str,
    key: tuple[str, str],
    base: tuple[str, list[float]] | None,
    here: tuple[str, list[float]] | None,
) -> Move:
    cell, name = key
    knobs = " → ".join(dict.fromkeys(side[0] for side in (base, here) if side))
    told = [_mean(side[1], name) if side else "not run" for side in (base, here)]
    if not (base and here):
        return Move(exhibit, cell, knobs, name, *told, None, None, None)
    change = sum(here[1]) / len(here[1]) - sum(base[1]) / len(base[1])
    return Move(exhibit, cell, knobs, name, *told, change, *interval(base[1], here[1]))


def _mean(values: list[float], name: str) -> str:
    return f"{sum(values) / len(values):{metric(name).format}} (n = {len(values)})"


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
    records = [{"claims": verdict.results(evidence_of(side, exhibit, params))} for exhibit in side.rows]
    return {claim["id"]: claim for claim in verdict.judge(records)}


def _said_of(claim: Mapping[str, Any]) -> dict[str, str]:
    return {name: claim[name] for name in ("id", "says", "exhibit")}


def _word(claim: Mapping[str, Any] | None) -> str:
    return "not run" if claim is None else claim["verdict"]


def evidence_of(side: Side, exhibit: str, params: Path) -> Evidence:
    """One side's evidence of an exhibit, declared and compared with the paper as in this checkout."""
    runs = {name: {"bindings": bound} for name, bound in side.parameters.get(exhibit, {}).items()}
    return Evidence(
        exhibit=load_declaration(params / "exhibits" / f"{exhibit}.yaml", side.scale),
        measured=side.rows[exhibit],
        paper=load_paper(params / "paper" / f"{exhibit}.csv"),
        arrays={},
        missing=(),
        provenance={"dataset": "", "missing": [], "runs": runs, "versions": {}},
    )


def _both(exhibit: str, base: Side, here: Side, params: Path, target: Path) -> list[dict[str, str]]:
    """Draw an exhibit of both sides into `target`; what each is, in the order base, here."""
    shown = []
    for name, side in (("base", base), ("here", here)):
        if exhibit not in side.rows:
            shown.append({"side": name, "kind": "none", "content": "not run"})
            continue
        drawn = draw.draw(evidence_of(side, exhibit, params))
        if "html" in drawn:
            shown.append({"side": name, "kind": "table", "content": Markup(drawn["html"].decode())})
        else:
            write_bytes(target / f"{exhibit}_{name}.svg", drawn["svg"])
            shown.append({"side": name, "kind": "figure", "content": f"{exhibit}_{name}.svg"})
    return shown


if __name__ == "__main__":
    sys.exit(exit_code(main))
