"""What was tested on one exhibit's evidence: `reports.verdict` writes it, and drawings and verdicts are made from it.

It is a plain record, so that drawings can print it without knowing how anything is tested.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from common import seals
from common.errors import UserError
from common.files import write_text
from reports.reading.folders import Folders, code_hash, hashes
from reports.reading.plain import record_text, rounded
from reports.reading.tidy import check_of, check_types


class Tested(TypedDict):
    """A claim, what the paper says of it, and what came out here. A verdict needs the whole family of claims.

    effect, low, high, n, test, p, opposite, sd, margin, among, against, of, part, at, comparisons: see
    reports.judging.inference.Result. paper_at: the same of the paper's effect.
    missing: the compared cells without a result. diverged: the cells that were left out because a training diverged.
    """

    id: str
    exhibit: str
    section: str
    says: str
    type: str
    metric: str
    min_scale: str
    is_papers: bool
    paper_effect: float | None
    paper_unit: str
    paper_at: dict[str, str]
    paper_says: str
    effect: float | None
    low: float | None
    high: float | None
    n: int | None
    test: str | None
    p: float | None
    opposite: float | None
    sd: float | None
    margin: float | None
    among: int | None
    against: int | None
    of: int | None
    part: int | None
    at: dict[str, str] | None
    comparisons: int | None
    unit: str
    missing: list[str]
    diverged: list[str]
    below_scale: bool


class Choice(TypedDict):
    """The setting that is best on validation for one cell. cell: the knobs that were not tuned.

    tried: how many settings were compared. If some results are missing, they are named and `setting` is {}.
    """

    metric: str
    cell: dict[str, str]
    setting: dict[str, str]
    tried: int
    missing: list[str]


class Judged(TypedDict):
    """bold: the cells that are not significantly worse than the best of those they are compared with."""

    exhibit: str
    scale: str
    made_from: dict[str, str]
    claims: list[Tested]
    choices: list[Choice]
    bold: list[dict[str, str]]


KINDS = {"made_from": dict, "claims": list, "choices": list, "bold": list}
OF_A_CLAIM = {**dict.fromkeys(("id", "type", "exhibit", "min_scale"), str), "missing": list, "diverged": list}


def made_from(exhibit: str, scale: str, folders: Folders) -> dict[str, str]:
    """The hashes of everything that decides what is tested on an exhibit's evidence, and how."""
    code = {"code": code_hash("common", "reports/reading", "reports/judging")}
    return hashes(folders.inputs(exhibit, scale)) | code


def read_fresh(exhibit: str, scale: str, folders: Folders) -> Judged:
    """What was tested on the evidence that lies there now. UserError if that was other evidence, or none."""
    path = folders.judged(exhibit, scale)
    judged = read_judged(path, exhibit, scale, folders.source)
    now = made_from(exhibit, scale, folders)
    if judged["made_from"] != now:
        changed = [
            name for name in {**now, **judged["made_from"]} if judged["made_from"].get(name) != now.get(name)
        ]
        raise UserError(
            "the evidence of an exhibit has changed since it was judged",
            expected="a record made from the files as they are now",
            found=f"a record made from another {', '.join(changed)}",
            where=path,
            remedy=again(exhibit, scale, folders.source),
        )
    return judged


def again(exhibit: str, scale: str, source: str = "") -> str:
    """What to do about a record that is missing, damaged or old; `source` as Folders.source."""
    return f"judge it again: python -m reports.verdict --scale {scale} --exhibit {exhibit}{source}"


def write_judged(path: Path, judged: Judged) -> None:
    """Write the record, sealed, so that `read_judged` notices a digit that was changed afterwards."""
    write_text(path, record_text(seals.sealed(rounded(judged))))


def read_judged(path: Path, exhibit: str, scale: str, source: str = "") -> Judged:
    """The record at `path`. UserError if there is none, or if it is damaged; it says how to judge from `source`."""
    remedy = again(exhibit, scale, source)
    judged = seals.read_sealed(path, remedy)
    del judged[seals.SEAL]
    check_types(judged, KINDS, path, remedy)
    check_of(judged, exhibit, scale, path, remedy)
    for claim in judged["claims"]:
        check_types(claim, OF_A_CLAIM, path, remedy)
        if lacking := sorted(Tested.__annotations__.keys() - claim.keys()):
            raise UserError(
                "a file is damaged",
                expected=f"{', '.join(lacking)} of claim {claim['id']}",
                found="none",
                where=path,
                remedy=remedy,
            )
    return judged


def is_bold(bold: Sequence[Mapping[str, str]], cell: Mapping[str, str]) -> bool:
    """Whether one of the bold cells has these values."""
    return any(all(each.get(knob) == value for knob, value in cell.items()) for each in bold)


def choices_of(judged: Judged, metric: str, **cell: str) -> Iterator[Choice]:
    """What validation chose for the cells with these values."""
    for choice in judged["choices"]:
        if choice["metric"] == metric and all(
            choice["cell"].get(knob) == value for knob, value in cell.items()
        ):
            yield choice
