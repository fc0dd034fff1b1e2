import re
import shutil
import subprocess

import pytest

from reports.drawing.formula import Formula
from reports.drawing.tables import Pair, Table, Value, spread_note, to_html, to_latex
from reports.exhibits.table_02 import FORMULAE
from reports.reading.notation import Measured


def test_a_ragged_table_is_refused():
    with pytest.raises(ValueError, match="expected 2 cells in each row; found 1"):
        Table(columns=["a", "b"], rows=[["x"]])


def test_a_cell_without_a_run_says_so_beside_the_papers_value():
    table = Table(columns=["Row", "Top-1"], rows=[["x", Value("top1", None, "61.0")]])
    page = to_html(table, "T", [])
    assert "not run" in page and "61.0" in page and "n = " not in page


def test_a_number_of_the_literature_is_the_papers_and_not_ours_to_run():
    cells = [Value("top1", None, "60.2", absent=""), Value("top5", None, None, absent="")]
    table = Table(columns=["Row", "Top-1", "Top-5"], rows=[["x", *cells]])
    page, tex = to_html(table, "T", []), to_latex(table, "T", "t", [])
    assert "not run" not in page + tex and page.count('class="paper"') == 1
    assert r"x & paper & 60.2 &  \\" in tex and " & ours & " not in tex


def test_spread_and_n_are_shown():
    table = Table(columns=["Row", "Top-1"], rows=[["x", Value("top1", Measured(43.41, 0.52, 3), None)]])
    assert "43.4 ± 0.5" in to_html(table, "T", []) and "n = 3" in to_html(table, "T", [])
    assert r" & ours & 43.4 $\pm$ 0.5 \\" in to_latex(table, "T", "t", [])
    assert r" & $n$ & 3 \\" in to_latex(table, "T", "t", [])
    assert spread_note(table) == ["± is the standard deviation over the n seeds of a cell."]


def test_one_seed_has_its_n_and_no_spread():
    table = Table(columns=["Row", "Top-1"], rows=[["x", Value("top1", Measured(43.41, None, 1), "61.0")]])
    page, tex = to_html(table, "T", []), to_latex(table, "T", "t", [])
    assert "n = 1" in page and "±" not in page and r"\pm" not in tex and r" & $n$ & 1 \\" in tex
    assert spread_note(table) == []


def test_n_stands_beside_the_number_where_the_paper_printed_none():
    table = Table(["Row", "Top-1"], [["x", Value("top1", Measured(43.41, 0.52, 3), None)]], has_paper=False)
    assert "n = 3" in to_html(table, "T", [])
    assert r"x & 43.4 $\pm$ 0.5 ($n=3$) \\" in to_latex(table, "T", "t", [])


def test_a_cell_without_a_printed_value_stays_blank():
    cells = [Value("top1", Measured(1.0, None, 1), None), Value("top1", Measured(2.0, None, 1), "61.0")]
    table = Table(columns=["Row", "A", "B"], rows=[["x", *cells], ["y", cells[0], cells[0]]])
    assert to_html(table, "T", []).count('class="paper"') == 1
    tex = to_latex(table, "T", "t", [])
    assert r" & paper &  & 61.0 \\" in tex and tex.count("paper") == 1


def pair(first: float | None, second: float | None, *printed: str | None) -> Pair:
    measured = [None if mean is None else Measured(mean, None, 1) for mean in (first, second)]
    values = zip(measured, printed or (None, None), strict=True)
    return Pair(*[Value("top1", *value) for value in values], margin=0.5)


def test_a_pair_is_bold_where_one_leads_by_more_than_the_margin():
    assert pair(60.0, 60.6).means == [("60.0", False), ("60.6", True)]
    assert pair(60.6, 60.0).means == [("60.6", True), ("60.0", False)]
    assert pair(62.8, 63.3).means == [
        ("62.8", False),
        ("63.3", False),
    ]  # 0.5 in decimals, a little more in floats
    assert pair(None, None, "57.5", "62.8").printed == [("57.5", False), ("62.8", True)]


def test_half_a_pair_has_no_lead():
    assert pair(60.0, None).means == [("60.0", False), ("not run", False)]
    assert pair(60.0, None, "57.5", None).printed == []


def test_a_pair_of_a_cell_that_nobody_has_is_blank():
    table = Table(["Row", "A", "B"], [["x", pair(1.0, 3.0), pair(None, None)]], notes=["Bold: better."])
    page, tex = to_html(table, "T", []), to_latex(table, "T", "t", [])
    assert page.count('class="pair"') == 1 and "not run" not in page + tex
    assert r"x & ours & 1.0 / \textbf{3.0} &  \\" in tex and r" & $n$ & 1 &  \\" in tex
    assert "1.0 / <strong>3.0</strong>" in page


def test_a_pair_says_both_n_and_what_its_spread_is():
    several = Pair(
        Value("top1", Measured(1.0, 0.5, 3), None), Value("top1", Measured(1.0, None, 1), None), 0.5
    )
    assert several.seeds == "3 / 1" and pair(1.0, 2.0).seeds == "1"
    assert spread_note(Table(["Row", "A"], [["x", several]])) != []


def test_bold_is_marked_in_both_forms_for_ours_and_the_papers():
    cells = [
        Value("top1", Measured(43.41, None, 1), "61.0", bold=True, paper_bold=False),
        Value("top1", Measured(41.0, None, 1), "62.0", bold=False, paper_bold=True),
    ]
    table = Table(["Row", "A", "B"], [["x", *cells]])
    page, tex = to_html(table, "T", []), to_latex(table, "T", "t", [])
    assert "<strong>43.4</strong>" in page and "<strong>62.0</strong>" in page and page.count("<strong>") == 2
    assert r"x & ours & \textbf{43.4} & 41.0 \\" in tex and r" & paper & 61.0 & \textbf{62.0} \\" in tex


def test_a_number_that_is_not_ours_to_measure_is_not_said_to_be_not_run():
    table = Table(["Row", "A"], [["x", Value("top1", None, "61.0", absent="")]])
    assert "not run" not in to_html(table, "T", []) + to_latex(table, "T", "t", [])


def test_a_formula_is_outlines_in_the_colour_of_the_text():
    svg = Formula(r"\frac{a}{b} < c", 'a over b is "less" than c & so on').svg
    assert 'fill="currentColor"' in svg and "&quot;less&quot;" in svg and "&amp;" in svg
    assert re.fullmatch(r"[MLHVQCZ0-9. \-]+", re.search(r' d="([^"]+)"', svg)[1])
    assert Formula(r"\frac{a}{b} < c", "").svg != Formula(r"\frac{a}{b} > c", "").svg


@pytest.mark.parametrize("loss", FORMULAE)
def test_every_printed_formula_is_typeset(loss):
    assert len(FORMULAE[loss]) == 2
    assert all(len(formula.svg) > 2000 and formula.words for formula in FORMULAE[loss])


def wide(columns: int) -> Table:
    """A table such as Table 8: a column per data set, its name longer than its numbers."""
    cells = [Value("top1", Measured(76.9, 0.25, 3), "95.3", bold=True) for _ in range(columns - 2)]
    heads = [f"CIFAR{place}† after a while" for place in range(columns - 2)]
    return Table(["", "Method", *heads], [["Linear evaluation", "SimCLR", *cells]], stubs=2)


def test_a_head_wider_than_its_column_is_broken_between_words():
    cells = ["Crop+color+blur", Value("top1", Measured(1.0, None, 1), None)]
    table = Table(["Data augmentation", "Contrastive accuracy (%)", "1 (+Blur)"], [[*cells, cells[1]]])
    head = next(line for line in to_latex(table, "T", "t", []).splitlines() if "Contrastive" in line)
    stacked = [r"\shortstack[l]{Data\\augmentation}", r"\shortstack[r]{Contrastive\\accuracy\\(\%)}"]
    assert head == f"{stacked[0]} &  & {stacked[1]} & 1 (+Blur) " + r"\\"


def test_many_columns_lie_on_their_side_and_no_table_is_wider_than_the_text():
    upright, lying = to_latex(wide(8), "T", "t", []), to_latex(wide(9), "T", "t", [])
    assert r"\begin{table}" in upright and r"\end{table}" in upright and "rotating" not in upright
    assert r"\begin{sidewaystable}" in lying and r"\end{sidewaystable}" in lying
    assert lying.startswith("% needs booktabs, amsmath, graphicx, rotating\n")
    for tex in (upright, lying):
        assert r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%" in tex


@pytest.mark.skipif(
    not shutil.which("pdflatex"), reason="no pdflatex: apt-get install texlive-latex-recommended"
)
@pytest.mark.parametrize("columns", [3, 8, 15])
def test_latex_sets_it_within_the_page_with_the_packages_that_it_names(tmp_path, columns):
    notes = ["† Food & drink, 5 % ± 1 ~ τ <∇>.", "‡ § ¶"]
    tex = to_latex(wide(columns), "A_title & 100%", "t", notes)
    packages = re.match(r"% needs (.*)", tex)[1].replace(" ", "")
    document = rf"\documentclass{{article}}\usepackage{{{packages}}}\begin{{document}}"
    (tmp_path / "t.tex").write_text(document + "\n" + tex + r"\end{document}")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0 and "Output written" in done.stdout, done.stdout[-2000:]
    assert not re.search(r"Overfull|! |Missing character", done.stdout)
