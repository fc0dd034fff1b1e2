"""The text of a new exhibit: its declaration and its drawing function, made from forms of drawings and of claims."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from common import scales
from common.documents import read_text
from common.errors import UserError
from stages.planning.declaration import exhibit_ids, read_exhibit

TEMPLATES = Path(__file__).parent / "templates"
FORMS = {"bars": "figure", "lines": "figure", "heat_map": "figure", "table": "table"}
OWN_LETTER = "X"  # the letter of claims of one's own; the paper's have A to I


@dataclass(frozen=True)
class Knob:
    """A parameter that is varied: the binding, and its values as written and as YAML reads them."""

    name: str
    binding: str
    written: tuple[str, ...]

    @property
    def label(self) -> str:
        """The name in words."""
        return self.name.replace("_", " ")


@dataclass(frozen=True)
class Request:
    """What was asked for."""

    id: str
    form: str
    claims: tuple[str, ...]
    knobs: tuple[Knob, ...]
    chain: tuple[str, ...]
    measure: tuple[str, ...]
    seeds: tuple[str, ...]
    title: str

    @property
    def metrics(self) -> list[str]:
        """The names of what is measured, as claims and drawings call them."""
        return [name.rpartition(".")[2] for name in self.measure]


def declaration(request: Request) -> str:
    """The YAML in the style in which `dvc exp run -S` writes it: blocks, with one value on a line."""
    letters = [f"{OWN_LETTER}{place}" for place in _free_claims(len(request.claims))]
    claims = "".join(_claim(name, form, request) for name, form in zip(letters, request.claims, strict=True))
    knobs = [f"{knob.name}: {knob.binding}" for knob in request.knobs]
    grid = [line for knob in request.knobs for line in (f"{knob.name}:", *_items(knob.written))]
    return (
        _template("exhibit.yaml")
        .substitute(
            id=request.id,
            label=_label(request.id),
            kind=FORMS[request.form],
            section="own",
            title=_folded(request.title, 2),
            caption=_folded(_caption(request), 2),
            knobs=_indented(knobs, 2),
            runs=_indented(["- chain:", *_indent(_items(request.chain)), "  grid:", *_indent(grid, 4)], 0),
            measure=_indented(_items(request.measure), 0),
            seeds=_indented(_items(request.seeds), 0),
            scales=_indented([f"{name}: {{}}" for name in scales.roots()], 2),
            claims=f"claims:\n{claims}".rstrip("\n") if claims else "",
        )
        .rstrip("\n")
        + "\n"
    )


def drawing(request: Request) -> str:
    """The Python module with draw(evidence)."""
    x, hue = request.knobs[0], request.knobs[-1]
    return _template(f"{request.form}.py").substitute(
        label=_label(request.id),
        metric=request.metrics[0],
        metrics=", ".join(json.dumps(name) for name in request.metrics),
        x=x.name,
        hue=hue.name,
        x_label=x.label.capitalize(),
        hue_label=hue.label.capitalize(),
        knobs=", ".join(f"{json.dumps(knob.name)}: {json.dumps(knob.label)}" for knob in request.knobs),
        knobs_in_words=" and ".join(knob.label for knob in request.knobs),
    )


def _difference(request: Request) -> tuple[str, str, list[str]]:
    knob, metric = request.knobs[-1], request.metrics[0]
    first, *_, last = knob.written
    says = f"With {knob.label} {last} the {metric} is higher than with {first}, on average over the rest."
    return says, "D", ["contrast:", "- minus:", f"  - {knob.name}: {last}", f"  - {knob.name}: {first}"]


def _best(request: Request) -> tuple[str, str, list[str]]:
    knob, metric = request.knobs[-1], request.metrics[0]
    first = knob.written[0]
    says = f"With {knob.label} {first} the {metric} is higher than with any other."
    return says, "R", ["contrast:", "- minus:", f"  - {knob.name}: {first}", "  - others", "of: every"]


def _trend(request: Request) -> tuple[str, str, list[str]]:
    knob, metric = request.knobs[0], request.metrics[0]
    return f"The {metric} rises with {knob.label}.", "R", ["contrast:", f"- trend: {knob.name}"]


def _equivalence(request: Request) -> tuple[str, str, list[str]]:
    knob, metric = request.knobs[-1], request.metrics[0]
    says = f"No two values of {knob.label} differ by more than 2 in {metric}."
    return says, "E", ["contrast:", f"- pairs: {knob.name}", "of: every", "within: 2"]


def _correlation(request: Request) -> tuple[str, str, list[str]]:
    if len(request.metrics) < 2:
        raise UserError(
            "a correlation needs two metrics",
            expected="two metrics in --measure, such as linear_eval.top1,linear_eval.knn_top1",
            found=", ".join(request.measure),
        )
    one, other = request.metrics[:2]
    sides = ["correlate:", "  pearson:", f"  - metric: {one}", f"  - metric: {other}", "above: 0.8"]
    return f"Over all settings {one} and {other} correlate by more than 0.8.", "R", sides


def _report(request: Request) -> tuple[str, str, list[str]]:
    says, _, lines = _difference(request)
    return says, "report", lines


def _analytic(request: Request) -> tuple[str, str, list[str]]:
    return f"Every {request.metrics[0]} is above 0.", "A", ["of: every", "above: 0"]


CLAIMS = {
    "difference": _difference,
    "best": _best,
    "trend": _trend,
    "equivalence": _equivalence,
    "correlation": _correlation,
    "report": _report,
    "analytic": _analytic,
}


def _claim(name: str, form: str, request: Request) -> str:
    says, kind, lines = CLAIMS[form](request)
    metrics = request.metrics[:2] if form == "correlation" else request.metrics[:1]
    measured = [f"metric: {metrics[0]}"] if len(metrics) == 1 else ["metric:", *_items(metrics)]
    body = [f"type: {kind}", *measured, *lines]
    return f"  {name}:\n    says: >-\n{_folded(says, 6)}\n{_indented(body, 4)}\n"


def _caption(request: Request) -> str:
    knobs = " and ".join(knob.label for knob in request.knobs)
    stages = ", then ".join(request.chain)
    return f"{request.metrics[0].capitalize()} by {knobs}, of runs of {stages}. Not an exhibit of the paper."


def _free_claims(count: int) -> list[int]:
    """The first numbers that no claim of our own has yet."""
    taken = {name for each in exhibit_ids() for name in read_exhibit(each).get("claims", {})}
    numbers = (place for place in range(1, 100) if f"{OWN_LETTER}{place}" not in taken)
    return [number for number, _ in zip(numbers, range(count), strict=False)]


def _template(name: str) -> Template:
    return Template(read_text(TEMPLATES / f"{name}.txt"))


def _label(name: str) -> str:
    """The name in print: figure_x1 is Figure X.1."""
    kind, number = name.split("_")
    printed = str(int(number)) if number.isdigit() else f"{number[0].upper()}.{number[1:]}"
    return f"{kind.capitalize()} {printed}"


def _items(values: Sequence[str]) -> list[str]:
    return [f"- {value}" for value in values]


def _indent(lines: Sequence[str], by: int = 2) -> list[str]:
    return [" " * by + line for line in lines]


def _indented(lines: Sequence[str], by: int) -> str:
    return "\n".join(_indent(lines, by))


def _folded(text: str, by: int) -> str:
    """Lines of a folded scalar, which may hold any character."""
    words = " ".join(text.split())
    return textwrap.indent(textwrap.fill(words, 70, break_long_words=False, break_on_hyphens=False), " " * by)
