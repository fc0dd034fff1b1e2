"""A comment retrains nothing, a line of code does."""

import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.planning import code_hashes

CODE = textwrap.dedent('''
    """What this module does."""

    import math  # the library


    class Lars:
        """Layer-wise rates."""

        eta: float = 0.001


    def rate(step: int) -> float:
        """The rate of a step.

        It is small.
        """
        # why 2: it halves
        return math.pow(2, -step) if "# no comment" else 0
''')


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# why 2: it halves", "# because"),
        ("    # why 2: it halves\n", ""),
        ("It is small.", "It is large.\n\n    Or not."),
        ('    """Layer-wise rates."""\n\n', ""),
        ("import math  # the library", "import math"),
        ("\n\n\nclass", "\n\nclass"),
        ('"""What this module does."""\n', ""),
    ],
)
def test_words_do_not_count(old, new):
    assert CODE.count(old) == 1
    assert code_hashes.stripped(CODE.replace(old, new)) == code_hashes.stripped(CODE)


@pytest.mark.parametrize(
    ("old", "new"), [("0.001", "0.01"), ("pow(2", "pow(3"), ("# no comment", "# comment"), ("eta", "eps")]
)
def test_code_counts(old, new):
    assert code_hashes.stripped(CODE.replace(old, new)) != code_hashes.stripped(CODE)


def test_a_docstring_beside_its_def_keeps_the_def():
    assert code_hashes.stripped('def f(): "text"\n') == 'def f(): "text"'
    assert code_hashes.stripped('"""Doc."""; x = 1\n') == '"""Doc."""; x = 1'


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=30))
def test_any_comment_is_stripped(text):
    assert code_hashes.stripped(f"x = 1  # {text}\n") == "x = 1"


def test_a_stage_depends_on_the_method_and_not_on_the_progress_line():
    modules = code_hashes.modules_of("linear_eval")
    assert {
        "simclr.classification",
        "simclr.views.crop",
        "stages.data.datasets",
        "stages.data.photographs",
        "stages.data.file_lists",
        "stages.linear_eval",
    } <= set(modules)
    assert not {"stages.running.progress", "stages.running.driver", "simclr.lars"} & set(modules)
    # what lists photographs is part of their data set's hash, and retrains nothing on arrays
    assert not {"stages.obtaining.layouts", "stages.obtaining.official_lists"} & set(modules)


def forget():
    for each in vars(code_hashes).values():
        if hasattr(each, "cache_clear"):
            each.cache_clear()


def test_the_hash_is_of_the_stripped_sources(tmp_path, monkeypatch):
    (tmp_path / "stages").mkdir()
    path = tmp_path / "stages" / "toy.py"
    monkeypatch.setattr(code_hashes, "ROOT", tmp_path)
    hashes = []
    for text in ("x = 1\n", "x = 1  # one\n", "x = 2\n"):
        path.write_text(text)
        forget()
        hashes.append(code_hashes.code_hash("toy"))
    forget()
    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize(
    ("tool", "module"),
    [
        ("collect", "stages.collecting.rows"),
        ("collect", "stages.running.finished"),
        ("prepare", "stages.obtaining.arrays"),
        ("prepare", "stages.obtaining.sources"),
        ("prepare", "stages.obtaining.layouts.imagenet"),
    ],
)
def test_what_a_tool_uses_is_its_code_and_that_of_no_run(tool, module, monkeypatch):
    def hashes() -> list[str]:
        forget()
        runs = [code_hashes.code_hash(stage) for stage in ("pretrain", "transfer")]
        return [code_hashes.tool_hash(tool, "stages.obtaining.layouts.imagenet"), *runs]

    before, source = hashes(), code_hashes.module_path(module)
    edited = source.read_text() + "\nX = 1\n"
    read = Path.read_text
    monkeypatch.setattr(Path, "read_text", lambda path, *o: edited if path == source else read(path, *o))
    after = hashes()
    monkeypatch.undo()
    forget()
    assert after[0] != before[0] and after[1:] == before[1:]


def test_a_drawing_depends_on_what_draws_it_and_not_on_the_page():
    modules = code_hashes.reached("reports.draw", "reports.exhibits.figure_09")
    assert {"reports.drawing.bars", "reports.reading.judged", "reports.exhibits.figure_09"} <= set(modules)
    others = {
        "reports.page.board",
        "reports.judging.inference",
        "reports.index",
        "reports.exhibits.figure_08",
    }
    assert not others & set(modules)
    assert {"reports.page.board", "reports.reading.lineage"} <= set(code_hashes.reached("reports.index"))


def test_a_line_of_a_shared_drawing_redraws_those_that_use_it(tmp_path, monkeypatch):
    for name, text in {
        "draw": "",
        "index": "x = 1\n",
        "exhibits/figure_01": "from reports.drawing import bars\n",
        "exhibits/table_01": "from reports.drawing.tables import table\n",
        "drawing/bars": "x = 1\n",
        "drawing/tables": "",
    }.items():
        path = tmp_path / "reports" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(code_hashes, "ROOT", tmp_path)

    def hashes() -> list[str]:
        forget()
        return [
            code_hashes.drawing_hash("figure_01"),
            code_hashes.drawing_hash("table_01"),
            code_hashes.page_hash(),
        ]

    before = hashes()
    (tmp_path / "reports/drawing/bars.py").write_text("x = 1  # one\n")
    assert hashes() == before
    (tmp_path / "reports/drawing/bars.py").write_text("x = 2\n")
    assert [now == then for now, then in zip(hashes(), before, strict=True)] == [False, True, True]
    forget()
