"""Draw the exhibits of a scale that have changed, or one exhibit.

The command reads an exhibit's declaration, its results, the paper's values, and what `reports.verdict` tested on them.
It writes <out>/<scale>/<exhibit>.*: a figure as svg and png, a table as html and tex, and for both a csv (ours beside
the paper's) and a json record. Last it writes <results>/<scale>/drawn/<exhibit>.json, the checksums of these files and
of everything they were made from. An exhibit whose drawings and inputs still have these checksums is not drawn again.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import functools
import importlib
import importlib.metadata
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from common import machine, receipts
from common.errors import UserError, command
from common.files import read_json, sha256_bytes, write_bytes, write_text
from common.scales import check_scale, default
from reports.drawing.literal import literal, spoken
from reports.drawing.standing import banner, standing
from reports.drawing.tables import spread_note, to_html, to_latex
from reports.reading.declarations import load_all, load_declaration
from reports.reading.exhibit import Evidence, load
from reports.reading.folders import Folders, add_folders, check_collected, code_hash, folders_of, hashes
from reports.reading.judged import read_fresh
from reports.reading.plain import json_text, record_text
from reports.reading.record import record
from reports.reading.summary import beside

ENDINGS = {"figure": ("svg", "png", "csv", "json"), "table": ("html", "tex", "csv", "json")}
# Their versions decide how a drawing looks.
INK = ("matplotlib", "seaborn", "pandas", "numpy", "jinja2", "pillow")
FEW = 3  # exhibits for each further process, which costs a second of imports
CURVES = "_curves"  # ends the name of a drawing that every kind of exhibit may have
Files = dict[str, bytes]


@command
def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m reports.draw", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--exhibit", help="only this exhibit, for example figure_08 (default: all that have changed)"
    )
    add_folders(parser)
    options = parser.parse_args(arguments)
    scale, folders = check_scale(options.scale or default()), folders_of(options)
    if options.exhibit:
        load_declaration(folders.params / "exhibits" / f"{options.exhibit}.yaml", scale)
        check_collected(scale, folders, options.exhibit)
        left = write(options.exhibit, scale, folders, options.out / scale)
        receipts.write(folders.results / scale, f"drawn/{options.exhibit}", left)
        return
    check_collected(scale, folders)
    declared = {exhibit.id: exhibit for exhibit in load_all(folders.params, scale)}
    with_results = [name for name in declared if folders.rows(name, scale).exists()]
    stale = [name for name in with_results if not is_drawn(name, scale, folders, options.out / scale)]
    write_all(stale, scale, folders, options.out / scale)
    left = {name: drawings(name, options.out / scale) for name in declared}
    receipts.write(folders.results / scale, "drawn", [path for paths in left.values() for path in paths])
    # Also those of a call for one exhibit: what an earlier one wrote would list drawings that have changed.
    for name, paths in left.items():
        receipts.write(folders.results / scale, f"drawn/{name}", paths)


def draw(evidence: Evidence) -> Files:
    """The files of one judged exhibit by their ending. UserError if the exhibit has no module that draws it."""
    exhibit = evidence.exhibit
    files, notes = (_figure if exhibit.kind == "figure" else _table)(evidence)
    files |= _curves(evidence)
    names = [file_name(exhibit.id, ending) for ending in (*files, "csv", "json")]
    said = {"banner": banner(exhibit.scale), "standing": standing(evidence), "notes": notes}
    return {
        **files,
        "csv": beside(evidence).to_csv(index=False, float_format="%.10g", lineterminator="\n").encode(),
        "json": record_text(record(evidence, names, **said)).encode(),
    }


def write(exhibit: str, scale: str, folders: Folders, out: Path) -> list[Path]:
    """Draw an exhibit into the folder `out`, and leave a receipt; returns what was drawn."""
    evidence = replace(load(exhibit, scale, folders), judged=read_fresh(exhibit, scale, folders))
    files = {file_name(exhibit, ending): data for ending, data in draw(evidence).items()}
    for name, data in files.items():
        write_bytes(out / name, data, only_if_changed=True)
    receipt = {"files": {name: sha256_bytes(data) for name, data in files.items()}}
    receipt["made_from"] = made_from(exhibit, scale, folders)
    write_text(_receipt(exhibit, scale, folders), json_text(receipt), only_if_changed=True)
    return [out / name for name in files]


def write_all(exhibits: Sequence[str], scale: str, folders: Folders, out: Path) -> None:
    """Draw exhibits, as many at a time as there are cores. The bytes are the same as drawn one by one."""
    jobs = min(machine.cores(), len(exhibits) // FEW)
    one = functools.partial(write, scale=scale, folders=folders, out=out)
    if jobs < 2:
        for exhibit in exhibits:
            one(exhibit)
        return
    importlib.import_module("reports.drawing.style")  # before they fork, or each would import matplotlib
    # Only the parent reports an interrupt.
    ignore = (signal.SIGINT, signal.SIG_IGN)
    with concurrent.futures.ProcessPoolExecutor(jobs, initializer=signal.signal, initargs=ignore) as pool:
        for _ in pool.map(one, exhibits):
            pass


def drawings(exhibit: str, out: Path) -> list[Path]:
    """The files of an exhibit that lie in the folder `out`."""
    endings = {ending for some in ENDINGS.values() for ending in some}
    found = (out / f"{exhibit}{kind}.{ending}" for kind in ("", CURVES) for ending in endings)
    return sorted(path for path in found if path.is_file())


def file_name(exhibit: str, ending: str) -> str:
    """figure_08.svg, or figure_08_curves.svg for the ending "_curves.svg"."""
    return f"{exhibit}{ending}" if ending.startswith(CURVES) else f"{exhibit}.{ending}"


def is_drawn(exhibit: str, scale: str, folders: Folders, out: Path) -> bool:
    """Whether the drawings that its receipt names are there, and were made from what is there now."""
    path = _receipt(exhibit, scale, folders)
    try:
        receipt: dict[str, Any] = read_json(path)
    except UserError:
        return False
    if not isinstance(receipt, dict) or receipt.get("made_from") != made_from(exhibit, scale, folders):
        return False
    files = receipt.get("files") or {}
    drawn = hashes([out / name for name in files])
    return bool(files) and list(drawn.values()) == list(files.values())


def made_from(exhibit: str, scale: str, folders: Folders) -> dict[str, str]:
    """The hashes of everything that decides how an exhibit looks."""
    own = f"reports/exhibits/{exhibit}.py"
    code = code_hash("common", "reports/reading", "reports/drawing", "reports/draw.py", own)
    sheets = [
        Path(__file__).parent / "drawing" / "style.mplstyle",
        Path(__file__).parent / "templates" / "table.html.j2",
    ]
    inputs = [*folders.inputs(exhibit, scale), folders.judged(exhibit, scale), *sheets]
    versions = {name: importlib.metadata.version(name) for name in INK}
    return hashes(inputs) | {"code": code} | versions


def _receipt(exhibit: str, scale: str, folders: Folders) -> Path:
    return folders.results / scale / "drawn" / f"{exhibit}.json"


def _module(exhibit: str) -> ModuleType:
    name = f"reports.exhibits.{exhibit}"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise UserError(
            f"nothing draws {exhibit}",
            expected="a module with draw(evidence), which returns a figure or a table",
            found="none",
            where=name.replace(".", "/") + ".py",
            remedy="write that module",
        ) from None


def _figure(evidence: Evidence) -> tuple[Files, list[str]]:
    from reports.drawing import style  # imports matplotlib, which a table without formulae does not need

    with style.style(evidence.exhibit.id):
        drawing = style.Drawing.of(_module(evidence.exhibit.id).draw(literal(evidence)))
        files = {"svg": style.svg_bytes(drawing.figure), "png": style.png_bytes(drawing.figure)}
    return files, [spoken(note) for note in drawing.notes]


def _curves(evidence: Evidence) -> Files:
    """The learning curves, by the ending "_curves.svg"; nothing for an exhibit whose runs recorded none."""
    if evidence.curves.empty:
        return {}
    from reports.drawing import curves, style

    # Text stays text here: as outlines it would be most of the bytes of such a drawing.
    with style.style(evidence.exhibit.id + CURVES), style.words_as_text():
        figure = curves.draw_curves(literal(evidence))
        return {f"{CURVES}.svg": style.svg_bytes(figure)} if figure else {}


def _table(evidence: Evidence) -> tuple[Files, list[str]]:
    exhibit, table = evidence.exhibit, _module(evidence.exhibit.id).draw(evidence)
    notes = [*spread_note(table), *table.notes]
    title, below = f"{exhibit.label}. {exhibit.title}", [*standing(evidence), *notes]
    html, latex = to_html(table, title, below), to_latex(table, exhibit.title, exhibit.id, below)
    return {"html": html.encode(), "tex": latex.encode()}, notes


if __name__ == "__main__":
    sys.exit(main())
