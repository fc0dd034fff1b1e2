"""Test the claims of the paper on the results of a scale, and print the verdicts.

The command reads tidy results, or with `--from evidence` the committed ones, and needs no drawing. For every exhibit it
writes <results>/<scale>/judged/<exhibit>.json, what was tested on its evidence. For the scale it writes
<out>/<scale>/verdicts.json, where all claims are one family. An exhibit whose inputs have not changed since its record
was written is not judged again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

from common import receipts
from common.errors import UserError, command
from common.files import write_text
from common.scales import check_scale, default
from reports.judging.decision import Document, document
from reports.judging.testing import judged, untested
from reports.reading.declarations import Declaration, load_all, load_declaration
from reports.reading.exhibit import load
from reports.reading.folders import Folders, add_folders, check_collected, folders_of, hashes
from reports.reading.judged import Judged, Tested, made_from, read_fresh, read_judged, write_judged
from reports.reading.paper import load_paper
from reports.reading.plain import record_text
from reports.reading.verdicts import FILE, PARTS, SPOKEN, Verdict, asking_for_more, counted, part_of


@command
def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m reports.verdict", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--exhibit",
        help="only test the claims of this exhibit; verdicts need all of them (default: all, with verdicts)",
    )
    parser.add_argument(
        "--markdown", action="store_true", help="print the verdicts as a Markdown table, as in the README"
    )
    add_folders(parser)
    options = parser.parse_args(arguments)
    scale, folders = check_scale(options.scale or default()), folders_of(options)
    if options.exhibit:
        load_declaration(folders.params / "exhibits" / f"{options.exhibit}.yaml", scale)
        check_collected(scale, folders, options.exhibit)
        update(options.exhibit, scale, folders)
        return
    check_collected(scale, folders)
    verdicts = judge_scale(scale, folders)
    path = options.out / scale / FILE
    write_text(path, record_text(verdicts), only_if_changed=True)
    left = (folders.results / scale / "judged").glob("*.json")
    receipts.write(folders.results / scale, "judged", [path, *left])
    print("\n".join(overview(verdicts) if options.markdown else printed(verdicts)))


def judge_scale(scale: str, folders: Folders) -> Document:
    """The verdicts on all declared claims, of exhibits without results too."""
    claims, paths = [], []
    for exhibit in load_all(folders.params, scale):
        if folders.rows(exhibit.id, scale).exists():
            claims += update(exhibit.id, scale, folders)["claims"]
            paths.append(folders.judged(exhibit.id, scale))
        else:
            claims += not_run(exhibit, folders)
    return document(scale, claims, hashes(paths))


def not_run(exhibit: Declaration, folders: Folders) -> list[Tested]:
    """The claims of an exhibit that has no results."""
    paper = load_paper(folders.params / "paper" / f"{exhibit.id}.csv")
    return untested(exhibit, paper, f"{exhibit.id} has no results")


def update(exhibit: str, scale: str, folders: Folders) -> Judged:
    """What was tested on an exhibit's evidence: the record that lies there, or a new one if the inputs have changed."""
    # A record that is absent, damaged or made from other inputs is made again.
    with suppress(UserError):
        return read_fresh(exhibit, scale, folders)
    path, inputs = folders.judged(exhibit, scale), made_from(exhibit, scale, folders)
    write_judged(path, judged(load(exhibit, scale, folders), inputs))
    return read_judged(path, exhibit, scale)


def printed(verdicts: Document) -> list[str]:
    """The verdicts for a terminal: one line each, and the counts of the paper's claims and of one's own."""
    lines = [f"{claim['id']:4} {SPOKEN[claim['verdict']]:13} {claim['says']}" for claim in verdicts["claims"]]
    papers, own = (
        [claim for claim in verdicts["claims"] if claim["is_papers"] == whose] for whose in (True, False)
    )
    first = f"{len(papers)} claims at scale {verdicts['scale']}: {_said(verdicts['counts'])}"
    more = asking_for_more(papers, verdicts["scale"])
    said = _said(counted(claim["verdict"] for claim in own))
    ours = [f"and {len(own)} of your own exhibits: {said}"] if own else []
    return [*lines, f"{first} ({more})" if more else first, *ours]


def _said(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {SPOKEN[verdict]}" for verdict, count in counts.items())


def overview(board: Document) -> list[str]:
    """The board in Markdown: how many claims have each verdict, and which, by part of the paper."""
    papers = [claim for claim in board["claims"] if claim["is_papers"]]
    counts = {verdict: count for verdict, count in board["counts"].items() if count}
    verdicts, said = list(counts), _said(counts)
    rows = [
        ["part of the paper", *(SPOKEN[verdict] for verdict in verdicts)],
        ["---"] * (1 + len(verdicts)),
        *(_part(title, [claim for claim in papers if part_of(claim["section"]) == part], verdicts)
          for part, title in PARTS.items()),
    ]  # fmt: skip
    shown = [row for row in rows if any(row[1:])]
    more = asking_for_more(papers, board["scale"])
    return [
        f"{len(papers)} claims at scale {board['scale']}: {said}{f' ({more})' if more else ''}.",
        "",
        *(f"| {' | '.join(row)} |" for row in shown),
    ]


def _part(title: str, claims: Sequence[Verdict], verdicts: Sequence[str]) -> list[str]:
    of = {verdict: [claim["id"] for claim in claims if claim["verdict"] == verdict] for verdict in verdicts}
    return [title, *(" ".join(names) for names in of.values())]


if __name__ == "__main__":
    sys.exit(main())
