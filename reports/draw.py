"""Draw one exhibit: `python -m reports.draw --scale smoke --exhibit figure_08`.

Reads the exhibit's declaration, its tidy results and the paper's values; writes to <out>/<scale>/<exhibit>.*:
a figure as svg and png, a table as html and tex, and for both a csv (ours beside the paper's) and a
json record. Last it writes <results>/<scale>/drawn/<exhibit>.json, the checksums of these files.
"""

import argparse
import hashlib
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from reports.drawing.tables import spread_note, to_html, to_latex
from reports.evidence import Evidence, load
from reports.files import ReportError, exit_code, json_text, record_text, write_bytes
from reports.record import label, record, standing
from reports.summary import beside

ENDINGS = {"figure": ("svg", "png", "csv", "json"), "table": ("html", "tex", "csv", "json")}


def draw(evidence: Evidence) -> dict[str, bytes]:
    """The files of one exhibit by their ending. ReportError if the exhibit has no module that draws it."""
    render = _figure if evidence.exhibit.kind == "figure" else _table
    return {
        **render(evidence),
        "csv": beside(evidence).to_csv(index=False, float_format="%.10g", lineterminator="\n").encode(),
        "json": record_text(record(evidence, ENDINGS[evidence.exhibit.kind])).encode(),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m reports.draw", description=__doc__.splitlines()[0])
    parser.add_argument("--scale", required=True, help="smoke, reduced, cifar10 or paper")
    parser.add_argument("--exhibit", required=True, help="for example figure_08 or table_b1")
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="where tidy/<exhibit> lies, by scale"
    )
    parser.add_argument(
        "--params", type=Path, default=Path("params"), help="declarations and the paper's values"
    )
    parser.add_argument("--out", type=Path, default=Path("reports/out"), help="drawings go to <out>/<scale>")
    options = parser.parse_args(arguments)
    evidence = load(options.exhibit, options.scale, options.results, options.params)
    drawn = {f"{options.exhibit}.{ending}": data for ending, data in draw(evidence).items()}
    for name, data in drawn.items():
        write_bytes(options.out / options.scale / name, data)
    checksums = {name: hashlib.sha256(data).hexdigest() for name, data in drawn.items()}
    receipt = options.results / options.scale / "drawn" / f"{options.exhibit}.json"
    write_bytes(receipt, json_text(checksums).encode())


def _module(exhibit: str) -> ModuleType:
    name = f"reports.exhibits.{exhibit}"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        where = name.replace(".", "/") + ".py"
        raise ReportError(
            f"expected draw(evidence) in {where}; there is no such file. Write that module."
        ) from None


def _figure(evidence: Evidence) -> dict[str, bytes]:
    from reports.drawing import style  # matplotlib: a table without formulae does not pay for it

    with style.style(evidence.exhibit.id):
        figure = _module(evidence.exhibit.id).draw(evidence)
        return {"svg": style.svg_bytes(figure), "png": style.png_bytes(figure)}


def _table(evidence: Evidence) -> dict[str, bytes]:
    exhibit = evidence.exhibit
    table = _module(exhibit.id).draw(evidence)
    below = [*standing(evidence), *spread_note(table), *table.notes]
    title = f"{label(exhibit.id)}. {exhibit.title}"
    return {
        "html": to_html(table, title, below).encode(),
        "tex": to_latex(table, exhibit.title, exhibit.id, below).encode(),
    }


if __name__ == "__main__":
    sys.exit(exit_code(main))
