"""Compare runs of the suite: which parameters, numbers, verdicts and drawings changed.

    make compare BASE="<revision, folder or scale> ..."

The page lists the parameters that differ, the metrics that moved (with intervals) and the verdicts that changed, and
shows both drawings of every exhibit whose numbers moved, side by side. A base is a git revision whose evidence was
committed, the results folder of another clone or machine, or a scale. Each base is compared with one reference, by
default the results that lie here. The code of this checkout draws and judges all sides. With --markdown the same is
written for a pull request.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from common.errors import command
from common.files import write_bytes, write_text
from common.options import add_results
from common.scales import check_scale, default, names
from reports import draw
from reports.comparing.changes import differences, moves
from reports.comparing.counting import counted, parted
from reports.comparing.markdown import markdown
from reports.comparing.sides import (
    EVIDENCE,
    Side,
    aligned_curves,
    from_evidence,
    from_results,
    from_revision,
    with_knobs_of,
)
from reports.comparing.together import SAME, together
from reports.comparing.verdicts import changed_verdicts, evidence_of
from reports.drawing.literal import literal
from reports.drawing.markup import render
from reports.page.png import has_photos
from reports.reading.declarations import label

__all__ = ["changed_verdicts", "evidence_of", "main", "write_page"]


@command
def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    options = _parser().parse_args(arguments)
    options.scale = options.scale or default()
    base_scale = options.base_scale or options.scale
    for scale in (options.scale, base_scale):
        check_scale(scale)
    here = _side(options.reference, options.scale, options) or _here(options, options.scale)
    bases = [_side(name, base_scale, options) for names in options.base for name in _split(names)]
    target = options.out / options.scale / "compare"
    shutil.rmtree(target, ignore_errors=True)
    folders = (
        [target] if len(bases) == 1 else [target / _slug(place, side) for place, side in enumerate(bases, 1)]
    )
    compared = [_compare(base, here, folder, options) for base, folder in zip(bases, folders, strict=True)]
    for base, changed in zip(bases, compared, strict=True):
        print(f"{base.name}: {changed['counted']}" if len(bases) > 1 else changed["counted"])
    if len(bases) > 1:
        context = {"here": here, "compared": list(zip(folders, compared, strict=True)), "label": label}
        context |= {"together": together(compared), "same": SAME, "ignore": options.ignore}
        write_text(target / "index.html", render("compare_many.html.j2", **context))
    if options.markdown:
        write_text(target / "changes.md", "\n".join(map(_relative, folders, compared)))
        print(f"paste {target / 'changes.md'}")
    print(f"open {target / 'index.html'}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reports.compare", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--base",
        required=True,
        action="append",
        help="git revisions, folders of results, or scales, separated by blanks",
    )
    parser.add_argument(
        "--reference", help="the side that every base is compared with (default: the results that lie here)"
    )
    parser.add_argument("--scale", help="the scale of the reference (default: params/scale.yaml)")
    parser.add_argument(
        "--base-scale", help="the scale of a base that is a revision or a folder (default: --scale)"
    )
    parser.add_argument(
        "--ignore",
        nargs="+",
        default=[],
        metavar="PATTERN",
        help="parameters or metrics to leave out, for example Lars.*",
    )
    parser.add_argument("--markdown", action="store_true", help="also write changes.md, for a pull request")
    add_results(parser)
    parser.add_argument("--params", type=Path, default=Path("params"))
    parser.add_argument("--out", type=Path, default=Path("reports/out"))
    return parser


def _split(names: str) -> list[str]:
    """The names between the blanks of a word, unless it is a folder with blanks in its name."""
    return [names] if Path(names).is_dir() else names.split() or [names]


def _side(name: str | None, scale: str, options: argparse.Namespace) -> Side | None:
    """A scale, a folder or a revision as a side."""
    if name is None:
        return None
    if name in names() and not Path(name).is_dir():
        return _here(options, name)
    exhibits = _exhibits(options.params)
    is_folder = bool(name) and Path(name).is_dir()
    return from_results(Path(name), scale, exhibits) if is_folder else from_revision(name, scale, exhibits)


def _here(options: argparse.Namespace, scale: str) -> Side:
    """The results of a scale that lie here, or its committed evidence if there are none."""
    exhibits = _exhibits(options.params)
    has_results = any((options.results / scale / "tidy").glob("*/rows.csv"))
    if not has_results and (Path(EVIDENCE) / scale).is_dir() and options.results == Path("results"):
        return from_evidence(Path(EVIDENCE), scale, exhibits)
    return from_results(options.results, scale, exhibits)


def _exhibits(params: Path) -> list[str]:
    return [path.stem for path in sorted((params / "exhibits").glob("*.yaml"))]


def _slug(place: int, side: Side) -> str:
    return f"{place}-{re.sub(r'[^A-Za-z0-9]+', '-', f'{side.name}-{side.scale}').strip('-').lower()}"


def _relative(folder: Path, changed: Mapping[str, Any]) -> str:
    """The changes in Markdown, pictures addressed from the folder that changes.md lies in."""
    text = markdown(changed)
    return text if folder.name == "compare" else text.replace("](", f"]({folder.name}/")


def _compare(base: Side, here: Side, target: Path, options: argparse.Namespace) -> dict[str, Any]:
    base, here = with_knobs_of(base, here), with_knobs_of(here, base)
    return write_page(base, here, options.params, target, options.ignore)


def write_page(
    base: Side, here: Side, params: Path, target: Path, ignore: Sequence[str] = ()
) -> dict[str, Any]:
    """Write target/index.html and, beside it, both drawings of every exhibit that moved; returns what changed.

    ignore: patterns of parameters and metrics that are left out.
    """
    differing, unsaid = parted(
        differences(base, here), ignore, lambda one: (one.binding, f"{one.stage}/{one.binding}")
    )
    every, unshown = parted(moves(base, here), ignore, lambda move: (move.metric,))
    moved = [move for move in every if move.has_moved]
    drawn = sorted({move.exhibit for move in moved})
    context = {
        "base": base,
        "here": here,
        "differences": differing,
        "moves": moved,
        "left_out": {"differences": len(unsaid), "moves": sum(move.has_moved for move in unshown)},
        "drawings": {exhibit: _both(exhibit, base, here, params, target) for exhibit in drawn},
        "curves": {exhibit: _curves_over(exhibit, base, here, params, target) for exhibit in drawn},
        "label": label,
        "verdicts": changed_verdicts(base, here, params),
    }
    context["counted"] = counted(context, len(every) - len(moved), ignore)
    write_text(target / "index.html", render("compare.html.j2", **context))
    return context


def _both(exhibit: str, base: Side, here: Side, params: Path, target: Path) -> list[dict[str, Any]]:
    """Draw an exhibit of both sides into `target`; what each is, in the order base, here."""
    pictured = any(side.arrays(exhibit) for side in (base, here))
    return [
        {
            "side": name,
            "name": side.name,
            "lacks_pictures": pictured and exhibit in side.tidy and exhibit not in side.places,
            **_drawn(exhibit, side, params, target / f"{exhibit}_{name}.svg"),
        }
        for name, side in (("base", base), ("here", here))
    ]


def _curves_over(exhibit: str, base: Side, here: Side, params: Path, target: Path) -> str | None:
    """The name of a drawing of both sides' learning curves, one over the other; None where a side has none."""
    before = aligned_curves(base, here, exhibit)
    if before.empty or here.curves(exhibit).empty or exhibit not in here.tidy:
        return None
    from reports.drawing import curves, style

    with style.style(f"{exhibit}_over"), style.words_as_text():
        figure = curves.draw_curves(literal(evidence_of(here, exhibit, params)), before)
        write_bytes(target / f"{exhibit}_curves.svg", style.svg_bytes(figure))
    return f"{exhibit}_curves.svg"


def _drawn(exhibit: str, side: Side, params: Path, path: Path) -> dict[str, Any]:
    """A table's markup, or the name of the figure written to `path`, and whether it shows photographs."""
    if exhibit not in side.tidy:
        return {"kind": "none", "content": ""}
    drawn = draw.draw(evidence_of(side, exhibit, params))
    if "html" in drawn:
        return {"kind": "table", "content": Markup(drawn["html"].decode())}
    write_bytes(path, drawn["svg"])
    return {"kind": "figure", "content": path.name, "photos": has_photos(drawn["png"])}


if __name__ == "__main__":
    sys.exit(main())
