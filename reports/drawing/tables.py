"""A table: ours and the paper's value in each cell, as an HTML fragment and as LaTeX (booktabs)."""

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace

from reports.drawing.formula import Formula
from reports.drawing.markup import render
from reports.reading.notation import Measured, written
from reports.reading.summary import Lookup

NOT_RUN = "not run"
UPRIGHT = 8  # columns that still fit an upright page in common type
HEAD = 10  # characters of a column's name that are not broken


@dataclass(frozen=True)
class Value:
    """A measured cell beside the paper's printed one; None where there is none.

    absent: what stands for ours without a run; "" for a number that is not ours to measure, as in the literature.
    bold, paper_bold: whether it is among the best, in a table that says what its bold means; else None.
    """

    name: str
    ours: Measured | None
    paper: str | None
    absent: str = NOT_RUN
    bold: bool | None = None
    paper_bold: bool | None = None

    @property
    def mean(self) -> str:
        """Our mean and spread, or that there is no run."""
        return self.absent if self.ours is None else written(self.ours, self.name)


@dataclass(frozen=True)
class Pair:
    """Two settings of one cell, written "first / second", each in bold where it leads by more than `margin`."""

    first: Value
    second: Value
    margin: float

    @property
    def means(self) -> list[tuple[str, bool]]:
        """What we have, with whether it leads; nothing for a cell that neither we nor the paper have."""
        if not self.seeds:
            return [(NOT_RUN, False)] if self.printed else []
        return self._compared([(value.mean, value.ours and value.ours.mean) for value in self._values])

    @property
    def printed(self) -> list[tuple[str, bool]]:
        """What the paper printed, if it printed both."""
        texts = [value.paper for value in self._values if value.paper is not None]
        return self._compared([(text, float(text)) for text in texts]) if len(texts) == 2 else []

    @property
    def seeds(self) -> str:
        """n, or both n where they differ."""
        counts = [str(value.ours.n) for value in self._values if value.ours]
        return " / ".join(dict.fromkeys(counts))

    @property
    def _values(self) -> tuple[Value, Value]:
        return self.first, self.second

    def _compared(self, sides: Sequence[tuple[str, float | None]]) -> list[tuple[str, bool]]:
        (first, a), (second, b) = sides
        lead = 0.0 if a is None or b is None else round(a - b, 6)  # 63.3 - 62.8 is not above 0.5
        return [(first, lead > self.margin), (second, -lead > self.margin)]


Cell = Value | Pair | Formula | str


@dataclass(frozen=True)
class Table:
    """Rows of cells; the first `stubs` columns name the row. has_paper: cells may hold printed values.

    notes: what a reader must know beside what stands under every drawing.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    stubs: int = 1
    has_paper: bool = True
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Every row is as wide as the header, or ValueError."""
        ragged = [row for row in self.rows if len(row) != len(self.columns)]
        if ragged:
            raise ValueError(f"expected {len(self.columns)} cells in each row; found {len(ragged[0])}")

    @property
    def is_wide(self) -> bool:
        """Whether a page needs it on its side or in small type."""
        return len(self.columns) > UPRIGHT


def spread_note(table: Table) -> list[str]:
    """What ± means, if a cell has it."""
    cells = [cell for row in table.rows for cell in row]
    values = [value for cell in cells if isinstance(cell, Pair) for value in (cell.first, cell.second)]
    values += [cell for cell in cells if isinstance(cell, Value)]
    several = any(value.ours.n > 1 for value in values if value.ours)
    return ["± is the standard deviation over the n seeds of a cell."] if several else []


def value(lookup: Lookup, name: str, **knobs: object) -> Value:
    """The cell of metric `name` at `knobs`."""
    return Value(name, lookup.ours(name, **knobs), lookup.paper(name, **knobs))


def value_or_blank(lookup: Lookup, name: str, **knobs: object) -> Value:
    """The same, blank where neither we nor the paper have it: nobody means to run it."""
    cell = value(lookup, name, **knobs)
    return cell if cell.paper is not None else replace(cell, absent="")


def to_html(table: Table, title: str, standing: Sequence[str]) -> str:
    """An HTML fragment with caption `title`, and the lines `standing` under it."""
    kinds = [[type(cell).__name__.lower() for cell in row] for row in table.rows]
    return render("table.html.j2", table=table, kinds=kinds, title=title, standing=standing)


def to_latex(table: Table, title: str, label: str, standing: Sequence[str]) -> str:
    """A table environment for booktabs. With printed values a row takes lines for ours, n and the paper's.

    A head that is wider than its column is broken between words, a table of many columns lies on its side, and one that
    is still wider than the text is scaled down to it.
    """
    environment = "sidewaystable" if table.is_wide else "table"
    columns = [[row[place] for row in table.rows] for place in range(len(table.columns))]
    aligned = ["r" if isinstance(cells[0], Value | Pair) else "l" for cells in columns]
    names = [_latex_head(*each) for each in zip(table.columns, columns, aligned, strict=True)]
    if table.has_paper:
        names.insert(table.stubs, "")
        aligned.insert(table.stubs, "l")
    body = [line for row in table.rows for line in _latex_lines(table, row)]
    lines = [
        "% needs booktabs, amsmath, graphicx" + (", rotating" if environment != "table" else ""),
        rf"\begin{{{environment}}}",
        r"\centering",
        rf"\caption{{{escape_latex(title)}}}",
        rf"\label{{tab:{label}}}",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{''.join(aligned)}}}",
        r"\toprule",
        " & ".join(names) + r" \\",
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}}",
        *[rf"\par\footnotesize {escape_latex(line)}" for line in standing],
        rf"\end{{{environment}}}",
    ]
    return "\n".join(lines) + "\n"


def escape_latex(text: str) -> str:
    """Text with LaTeX's special characters made plain."""
    special = {
        "\\": r"\textbackslash{}",
        "~": r"$\sim$",
        "^": r"\textasciicircum{}",
        "±": r"$\pm$",
        "τ": r"$\tau$",
        "∇": r"$\nabla$",
        "†": r"\dag{}",
        "‡": r"\ddag{}",
        "§": r"\S{}",
        "¶": r"\P{}",
    }
    special |= {character: "\\" + character for character in "&%$#_{}"}
    return re.sub(r"[\\~^±τ†‡§¶&%$#_{}<>∇]", lambda found: special.get(found[0], f"${found[0]}$"), text)


def _latex_head(name: str, cells: Sequence[Cell], aligned: str) -> str:
    """A column's name, in several lines if it is wider than the cells; but no word is broken."""
    if any(isinstance(cell, Formula) for cell in cells):
        return escape_latex(name)
    width = max(HEAD, *(len(text) for text in [*name.split(), *map(_plain, cells)]))
    lines = textwrap.wrap(name, width, break_long_words=False, break_on_hyphens=False)
    stacked = r"\\".join(map(escape_latex, lines))
    return rf"\shortstack[{aligned}]{{{stacked}}}" if len(lines) > 1 else stacked


def _plain(cell: Cell) -> str:
    if isinstance(cell, Pair):
        return " / ".join(text for text, _ in cell.means or cell.printed)
    return max(cell.mean, cell.paper or "", key=len) if isinstance(cell, Value) else str(cell)


def _latex_lines(table: Table, row: Sequence[Cell]) -> list[str]:
    """One line, n in parentheses; or with printed values three, because wide cells would not fit a page."""
    names, cells = [_latex(cell) for cell in row[: table.stubs]], row[table.stubs :]
    seeds = [_latex_seeds(cell) for cell in cells]
    if not table.has_paper:
        counted = [_latex(cell) + (n and f" ($n={n}$)") for cell, n in zip(cells, seeds, strict=True)]
        return [" & ".join([*names, *counted]) + r" \\"]
    printed = [_latex_printed(cell) for cell in cells]
    lines = {"ours": [_latex(cell) for cell in cells], "$n$": seeds, "paper": printed}
    kept = [[name, *texts] for name, texts in lines.items() if any(texts)]
    unnamed = [""] * len(names)
    return [" & ".join([*(unnamed if place else names), *line]) + r" \\" for place, line in enumerate(kept)]


def _latex_seeds(cell: Cell) -> str:
    if isinstance(cell, Pair):
        return cell.seeds
    return str(cell.ours.n) if isinstance(cell, Value) and cell.ours else ""


def _latex_printed(cell: Cell) -> str:
    if isinstance(cell, Pair):
        return _latex_pair(cell.printed)
    return _marked(cell.paper or "", cell.paper_bold) if isinstance(cell, Value) else ""


def _latex_pair(sides: Sequence[tuple[str, bool]]) -> str:
    texts = [(escape_latex(text), leads) for text, leads in sides]
    return " / ".join(rf"\textbf{{{text}}}" if leads else text for text, leads in texts)


def _latex(cell: Cell) -> str:
    if isinstance(cell, Formula):
        return f"${cell.latex}$"
    if isinstance(cell, Pair):
        return _latex_pair(cell.means)
    return _marked(cell.mean, cell.bold) if isinstance(cell, Value) else escape_latex(cell)


def _marked(text: str, bold: bool | None) -> str:
    return rf"\textbf{{{escape_latex(text)}}}" if bold else escape_latex(text)
