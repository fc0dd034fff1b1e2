"""The contents of a scale's page: every declared exhibit, with the record of its drawing, if there is one."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from reports.reading.declarations import Declaration, load_all
from reports.reading.folders import Folders
from reports.reading.record import Record, read_record

NOT_DRAWN, NOT_RUN, PARTIAL, COMPLETE = "not drawn", "not run yet", "partial", "complete"
DRAW_AGAIN = "draw it again: python -m reports.draw --scale {scale} --exhibit {exhibit}{source}"


class Entry(NamedTuple):
    """One line of the contents; `again` says what to do about a drawing that is missing or damaged."""

    declaration: Declaration
    status: str
    record: Record | None
    again: str

    @property
    def id(self) -> str:
        """The exhibit's."""
        return self.declaration.id

    @property
    def label(self) -> str:
        """Its name in print."""
        return self.declaration.label

    @property
    def kind(self) -> str:
        """figure or table."""
        return self.declaration.kind

    @property
    def section(self) -> str:
        """The section of the paper, or the one that an exhibit of our own belongs to."""
        return self.declaration.section

    @property
    def title(self) -> str:
        """What it shows."""
        return self.declaration.title

    @property
    def is_papers(self) -> bool:
        """Whether the paper has it."""
        return self.declaration.is_papers

    @property
    def progress(self) -> str:
        """How many of its runs are there: "40 of 56 runs"; of one whose runs all are, nothing."""
        if self.record is None or self.status == COMPLETE:
            return ""
        done = len(self.record["provenance"]["runs"])
        return f"{done:,} of {done + len(self.record['missing']):,} runs"


def contents(scale: str, folder: Path, folders: Folders) -> list[Entry]:
    """All declared exhibits in the order of the page, with the records that lie in `folder`."""
    return [_entry(declaration, folder, folders) for declaration in load_all(folders.params, scale)]


def _entry(declaration: Declaration, folder: Path, folders: Folders) -> Entry:
    path, scale = folder / f"{declaration.id}.json", declaration.scale
    has_rows = folders.rows(declaration.id, scale).exists()
    again = DRAW_AGAIN.format(scale=scale, exhibit=declaration.id, source=folders.source)
    entry = Entry(declaration, NOT_DRAWN if has_rows else NOT_RUN, None, again)
    # A drawing without rows was made from others, of the committed evidence or of results that are gone.
    if not has_rows or not path.exists():
        return entry
    record = read_record(path, scale, declaration.id, again)
    begun = PARTIAL if record["provenance"]["runs"] else NOT_RUN
    return entry._replace(status=begun if record["partial"] else COMPLETE, record=record)
