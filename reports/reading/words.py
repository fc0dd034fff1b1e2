"""The paper's own words on each claim, and a few of ours, which fit into a tile."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from common.errors import UserError
from common.files import read_csv
from reports.reading.declarations import CHECK_OUT

HEADER = ["id", "short", "page", "section", "quotation", "instead"]


class Words(NamedTuple):
    """short: the claim in three to six words. page, section: of arXiv v3; no page where it is not known for sure.

    quotation: verbatim. instead: where the paper has no sentence that says it, what it has.
    """

    short: str = ""
    page: str = ""
    section: str = ""
    quotation: str = ""
    instead: str = ""

    @property
    def place(self) -> str:
        """For example: Section 3.1, page 5; Appendix B.3; or Abstract, page 1."""
        kind = "Appendix" if self.section[:1] in ("A", "B", "C") else "Section"
        where = self.section if self.section == "Abstract" else self.section and f"{kind} {self.section}"
        return ", ".join(filter(None, (where, self.page and f"page {self.page}")))


def read_words(params: Path) -> dict[str, Words]:
    """The words of params/paper/claims.csv by claim; none without the file. UserError for another header."""
    path = params / "paper" / "claims.csv"
    if not path.is_file():
        return {}
    header, rows = read_csv(path, CHECK_OUT)
    if header != HEADER:
        raise UserError(
            "not a table of the paper's words",
            expected=", ".join(HEADER),
            found=", ".join(header),
            where=path,
            remedy="correct the header",
        )
    return {row[0]: Words(*row[1:]) for row in rows}
