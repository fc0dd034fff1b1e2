"""Trace numbers back to what made them: each run with its parameters, its folder and the command that makes it again.

For each run of a cell the command prints what it measured and, stage by stage, its folder, its parameters, the git
commit, seconds and images/s of its record.json, and the command that makes exactly this run. Of a run whose folder is
not here it prints commit and cost as they were committed, in records.csv beside the evidence. The page shows the same
except for commit and cost, which may differ between two makings of equal numbers.

With `--claim D6` it prints a verdict's history: the committed revisions of the evidence in which the verdict changed,
and the numbers that moved it. The code of this checkout judges each revision again, so that only the evidence differs.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from common.errors import UserError, command
from common.files import read_json
from common.names import cell_name, nearest
from common.run_records import RECORDS, read_records
from common.scales import check_scale, default
from reports.comparing import history
from reports.reading.declarations import load_declaration
from reports.reading.folders import add_folders, check_collected, folders_of
from reports.reading.knobs import canonical, sort_key
from reports.reading.lineage import SHORT, Trail, Tried, absent, trails
from reports.reading.notation import metric
from reports.reading.tidy import load_collected, mended_by

AGAIN = "make the run again, by the command of its stage"
# The rows of records.csv by fingerprint, cut short as on the page.
Committed = Mapping[str, Mapping[str, str | None]]


@command
def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m reports.trace", description=__doc__.splitlines()[0])
    parser.add_argument("--exhibit", help="the exhibit to trace, for example figure_08")
    parser.add_argument(
        "--claim",
        help="instead of an exhibit, a claim, for example D6: when its verdict changed, and because of which numbers",
    )
    parser.add_argument("--run", help="only this run, or without the seed in its name the runs of all seeds")
    parser.add_argument(
        "--cell",
        nargs="+",
        default=[],
        metavar="KNOB=VALUE",
        help="only the cells with these values (default: all)",
    )
    add_folders(parser, has_products=False)
    options = parser.parse_args(arguments)
    folders = folders_of(options)
    options.scale = check_scale(options.scale or default())
    if (options.claim is None) == (options.exhibit is None):
        parser.error("one of --exhibit and --claim is needed")
    if options.claim:
        print("\n".join(history.told(options.claim, options.scale, options.params)))
        return
    # Only for its error about a misspelled exhibit.
    load_declaration(options.params / "exhibits" / f"{options.exhibit}.yaml", options.scale)
    check_collected(options.scale, folders, options.exhibit)
    folder = folders.tidy(options.exhibit, options.scale)
    with mended_by(folders.mend(options.exhibit, options.scale)):
        measured, provenance = load_collected(folder, options.exhibit, options.scale)
    record = {
        "exhibit": options.exhibit,
        "scale": options.scale,
        "raw": measured.to_dict(orient="records"),
        "missing": provenance["missing"],
        "provenance": provenance,
    }
    committed = _committed(options.evidence / options.scale / RECORDS)
    for trail in _chosen(trails(record), options.run, options.cell):
        print("\n".join(_told(trail, record, options.results, committed)))
    if not (options.run or options.cell):
        for name, line in absent(record).items():
            print(f"missing: {name}\n  {'command':11}{line}")


def _chosen(matching: Sequence[Trail], run: str | None, cell: Sequence[str]) -> list[Trail]:
    """The trails of a run, or of the cells with these values. If there are none, a UserError lists what there is."""
    for word in cell:
        knob, equals, value = word.partition("=")
        known = sorted({name for trail in matching for name in trail.cell})
        if not equals or knob not in known:
            raise UserError(
                f"not a cell: {word}{nearest(knob, known)}",
                expected=f"--cell KNOB=VALUE with a knob of the exhibit ({', '.join(known) or 'it has none'})",
                found=word,
            )
        values = sorted({trail.cell.get(knob, "none") for trail in matching}, key=sort_key)
        matching = [trail for trail in matching if trail.cell.get(knob, "none") == canonical(value)]
        if not matching:
            raise UserError(f"no cell has this {knob}", expected=f"one of {', '.join(values)}", found=value)
    if run is None:
        return list(matching)
    chosen = [trail for trail in matching if run in (trail.run, cell_name(trail.run))]
    if not chosen:
        known = [trail.run for trail in matching]
        raise UserError(
            f"no such run{nearest(run, known)}",
            expected=f"one of {len(known)} runs, such as {', '.join(known[:3])}",
            found=run,
        )
    return chosen


def _told(trail: Trail, record: Mapping[str, Any], results: Path, committed: Committed) -> Iterator[str]:
    """A run on the command line."""
    knobs = [f"{name.replace('_', ' ')} {value}" for name, value in trail.cell.items()]
    yield ", ".join([*knobs, f"seed {trail.seed}"])
    rows = [row for row in record["raw"] if row["run"] == trail.run]
    yield "  " + (
        ", ".join(f"{row['metric']} {row['value']:{metric(row['metric']).format}}" for row in rows)
        or "not run"
    )
    for step in trail.steps:
        folder = results.joinpath(*Path(step.folder).parts[1:])
        lines = {
            "folder": folder,
            "parameters": folder / "operative.gin",
            **_account(folder, step.causes.get("fingerprint", ""), committed),
            "command": step.command,
        }
        yield f"  {step.stage}"
        yield from (f"    {name:11}{text}" for name, text in lines.items())
        yield from _told_search(step.tried)


def _told_search(tried: Sequence[Tried]) -> Iterator[str]:
    """The runs among which a run chose: their settings, what validation said, and their commands."""
    for place, each in enumerate(tried):
        settings = ", ".join(f"{name} {value}" for name, value in each.own.items())
        measured = ", ".join(f"{name} {value:{metric(name).format}}" for name, value in each.metrics.items())
        yield f"    {'' if place else 'chosen of':11}{settings}: {measured or 'diverged'}; {each.command}"


def _committed(path: Path) -> Committed:
    """The records that were committed; what one does not know it has as None."""
    return {
        row["fingerprint"][:SHORT]: {name: None if text == "None" else text for name, text in row.items()}
        for row in read_records(path)
    }


def _account(folder: Path, fingerprint: str, committed: Committed) -> dict[str, str]:
    """Commit and cost of the run with this fingerprint, or one that begins so.

    They belong to the machine that ran it: a copy of the numbers has them only if they were committed.
    """
    path, cause = folder / "record.json", folder / "run.json"
    # Of numbers that are committed another making, or another run of this name, may lie here.
    is_here = cause.exists() and read_json(cause, AGAIN).get("fingerprint", "").startswith(fingerprint)
    if path.exists() and is_here:
        record = read_json(path, AGAIN)
        git, speed = record.get("git") or {}, record.get("images_per_second")
        return _said(record | git | {"images_per_second": f"{speed:g}" if speed else ""})
    if row := committed.get(fingerprint):
        return _said(row)
    lacking = "another run lies" if path.exists() else f"there is no {path.name}"
    return {"commit": f"not known: {lacking} in this folder"}


def _said(account: Mapping[str, Any]) -> dict[str, str]:
    """For example commit abc, with uncommitted changes; cost 4.25 s, 2537.5 images/s, cpu."""
    patch, speed = account.get("patch_sha256"), account["images_per_second"]
    edited = f", with uncommitted changes (their SHA-256: {patch})" if patch else ""
    seconds = "" if account.get("seconds") is None else f"{account['seconds']} s"
    cost = [seconds, f"{speed} images/s" if speed else "", account.get("device")]
    return {
        "commit": f"{account.get('commit') or 'none: it ran outside a git checkout'}{edited}",
        "cost": ", ".join(filter(None, cost)),
    }


if __name__ == "__main__":
    sys.exit(main())
