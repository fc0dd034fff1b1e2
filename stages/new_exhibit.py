r"""Write a new exhibit: its declaration and the function that draws it, from a form of drawing and forms of claims.

    python -m stages new_exhibit figure_x1 --form bars --claim difference \
        --vary projection_head.out_dim=16,32 --vary nt_xent.temperature=0.1,0.5

An exhibit is two files, params/exhibits/<id>.yaml and reports/exhibits/<id>.py. No registry or list has to know it.
Both files work at once, and you are meant to edit them; docs/adding.md is a walk through it.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import files, scales
from common.errors import UserError, command
from common.names import nearest
from stages.planning.declaration import PARAMS
from stages.planning.plans import Plan, resolve
from stages.planning.scaffold import CLAIMS, FORMS, Knob, Request, declaration, drawing

DRAWINGS = Path("reports") / "exhibits"
CHAIN, MEASURE, SEEDS = "pretrain,linear_eval", "linear_eval.top1", "0,1,2"
VARY = ("projection_head.out_dim=16,32", "nt_xent.temperature=0.1,0.5")


@command
def main(arguments: list[str] | None = None) -> None:
    """`python -m stages new_exhibit ID [--form F] [--claim C ...] [--vary BINDING=VALUES ...]`; --help has the rest."""
    request = _request(_parser().parse_args(arguments))
    declared, drawn = PARAMS / "exhibits" / f"{request.id}.yaml", DRAWINGS / f"{request.id}.py"
    texts = {declared: declaration(request), drawn: drawing(request)}
    try:
        for path, text in texts.items():
            files.write_text(path, text)
        plans = {scale: resolve(request.id, scale) for scale in scales.names()}
    except BaseException:  # files that cannot be planned are not left behind
        for path in texts:
            path.unlink(missing_ok=True)
        raise
    print(_next(request, plans[scales.names()[0]], declared, drawn))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m stages new_exhibit",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "id", help="figure_ or table_, and then a letter and a number (figure_x1) or two digits (table_09)"
    )
    parser.add_argument(
        "--form", help=f"the form of the drawing: {' | '.join(FORMS)} (default: bars for a figure)"
    )
    parser.add_argument(
        "--claim",
        action="append",
        help=f"the form of a claim: {' | '.join(CLAIMS)} (may be repeated; default: no claim)",
    )
    parser.add_argument(
        "--vary",
        action="append",
        metavar="BINDING=VALUES",
        help=f"a parameter and its values; the first one goes along the axis (default: --vary {' --vary '.join(VARY)})",
    )
    parser.add_argument(
        "--chain", default=CHAIN, help=f"the stages of each cell, in order (default: {CHAIN})"
    )
    parser.add_argument(
        "--measure",
        default=MEASURE,
        help=f"what to measure: <stage>.<metric>, separated by commas (default: {MEASURE})",
    )
    parser.add_argument("--seeds", default=SEEDS, help=f"the seeds of each cell (default: {SEEDS})")
    parser.add_argument(
        "--title", help="the title on the page and the drawing (default: made of the parameters)"
    )
    return parser


def _request(options: argparse.Namespace) -> Request:
    form = options.form or ("table" if options.id.startswith("table_") else "bars")
    claims, knobs = tuple(options.claim or ()), tuple(_knob(text) for text in options.vary or VARY)
    _check_among(form, FORMS, "--form")
    for claim in claims:
        _check_among(claim, CLAIMS, "--claim")
    _check_id(options.id, form)
    _check_knobs(knobs, form, claims)
    request = Request(
        options.id,
        form,
        claims,
        knobs,
        _split(options.chain),
        _split(options.measure),
        _split(options.seeds),
        options.title or f"{' and '.join(knob.label for knob in knobs).capitalize()}",
    )
    return request


def _check_id(name: str, form: str) -> None:
    """UserError if no exhibit can have this id, or one has it already."""
    pattern = files.read_json(PARAMS / "schema" / "exhibit.json")["properties"]["id"]["pattern"]
    if not re.fullmatch(pattern, name):
        raise UserError(
            "not an id for an exhibit",
            expected="figure_ or table_, then a letter and a number (figure_x1), or two digits (table_09)",
            found=name,
        )
    if not name.startswith(f"{FORMS[form]}_"):
        raise UserError(
            f"a {FORMS[form]} cannot be called {name}",
            expected=f"{FORMS[form]}_{name.partition('_')[2]}, or another --form",
            found=f"{name} --form {form}",
        )
    for path in (PARAMS / "exhibits" / f"{name}.yaml", DRAWINGS / f"{name}.py"):
        if path.exists():
            raise UserError(
                f"{name} exists already", expected="a new id", found=path, remedy="choose another id"
            )


def _knob(text: str) -> Knob:
    """Read "nt_xent.temperature=0.1,0.5"; UserError if it is not of that form."""
    binding, _, values = text.partition("=")
    written = _split(values)
    if not re.fullmatch(r"([a-z_]+/)?\w+\.[a-z][a-z0-9_]*", binding) or not written:
        raise UserError(
            "--vary needs a parameter and its values",
            expected="--vary nt_xent.temperature=0.1,0.5, or for a later stage linear_eval/evaluate.split=test",
            found=text,
        )
    return Knob(binding.rpartition(".")[2], binding, written)


def _check_knobs(knobs: Sequence[Knob], form: str, claims: Sequence[str]) -> None:
    names = [knob.name for knob in knobs]
    if len(set(names)) < len(names):
        raise UserError(
            "two knobs have the same name", expected="parameters of different names", found=", ".join(names)
        )
    if form != "table" and len(knobs) != 2:
        raise UserError(
            f"{form.replace('_', ' ')} are drawn over two knobs",
            expected="--vary twice",
            found=", ".join(names),
            remedy="vary two parameters, or choose --form table",
        )
    compared = {"difference", "best", "equivalence", "report"} & set(claims)
    lonely = [knob.name for knob in knobs if len(knob.written) < 2]
    if (compared and knobs[-1].name in lonely) or ("trend" in claims and knobs[0].name in lonely):
        raise UserError(
            "this form of claim compares two values",
            expected=f"two or more values of {knobs[-1].name if compared else knobs[0].name}",
            found=", ".join(lonely) + " with one value",
        )


def _check_among(word: str, known: Any, option: str) -> None:
    if word not in known:
        raise UserError(
            f"unknown {option} `{word}`{nearest(word, list(known))}", expected=" | ".join(known), found=word
        )


def _next(request: Request, plan: Plan, declared: Path, drawn: Path) -> str:
    counts = ", ".join(f"{len(runs)} runs of {stage}" for stage, runs in plan.stages.items())
    edits = [
        (declared, "title, caption, and what each claim says" if request.claims else "title and caption"),
        (declared, "scales: other values or seeds at a scale, with the reason (`thinned`)"),
        (drawn, "labels, limits, notes"),
    ]
    lines = [f"{request.id}: {counts} at scale {plan.scale}", f"wrote {declared} and {drawn}", "edit next:"]
    lines += [f"  {path}: {what}" for path, what in edits]
    lines += ["then:", "  python -m stages plan", f"  snakemake --cores all {request.id}"]
    return "\n".join([*lines, "docs/declaring.md explains every key"])


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
