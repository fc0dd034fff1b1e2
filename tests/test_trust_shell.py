"""No text in params/, in a plan or after SCALE= becomes a command: through make, Snakemake and DVC."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.small_copy import Clone
from tests.trusted import tiny

EVIL = (
    "smoke; touch X #",
    "smoke' ; touch X #",
    'smoke" ; touch X #',
    "smoke && touch X",
    "$(touch X)",
    "`touch X`",
    "../smoke",
)
ENGINES = (
    ["snakemake", "--cores", "1", "reports"],
    ["dvc", "repro"],
    [sys.executable, "-m", "stages", "run"],
)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Clone:
    made = tiny(tmp_path_factory.mktemp("shell") / "clone", "snakemake")
    (made.folder / ".venv").symlink_to(Path(sys.executable).parents[1])
    return made


@pytest.fixture
def clone(repository) -> Iterator[Clone]:
    """As committed, before and after each test."""
    yield repository
    repository.run("git", "checkout", "-q", "--", ".")


def refuses(clone: Clone, *words: str) -> str:
    """What the command says; nothing was run by it."""
    said = clone.run(*words, check=False)
    assert not list(clone.folder.rglob("X")), said
    assert "error" in said.lower(), said
    return said


@pytest.mark.parametrize("evil", EVIL)
def test_a_scale_is_a_name_in_the_file_and_on_every_command_line(clone, evil):
    path = clone.folder / "params" / "scale.yaml"
    quoted = evil.replace("'", "''")
    path.write_text(f"scale: '{quoted}'\n")
    for engine in ENGINES:
        refuses(clone, *engine)
    refuses(clone, "make", "-o", ".venv/installed", "reports")
    clone.run("git", "checkout", "-q", "--", "params/scale.yaml")
    for target in ("reports", "page", "plan", "compare"):
        said = refuses(clone, "make", "-o", ".venv/installed", target, f"SCALE={evil}")
        assert "unknown scale" in said
    refuses(clone, "snakemake", "--cores", "1", "--config", f"scale={evil}", "--", "reports")


@pytest.mark.parametrize("word", ["$(shell touch X)", "$(touch X)", "x'; touch X #"])
def test_what_stands_after_base_is_a_word(clone, word):
    refuses(clone, "make", "-o", ".venv/installed", "compare", f"BASE={word}")


def test_an_exhibit_whose_name_is_a_command_is_refused(clone):
    name = clone.folder / "params" / "exhibits" / "table_05; touch X #.yaml"
    name.write_text((clone.folder / "params" / "exhibits" / "table_05.yaml").read_text())
    for engine in ENGINES[:2]:
        refuses(clone, *engine)
    name.unlink()


@pytest.mark.parametrize("old", ["- table_05\n", "  pretrain:\n"])
def test_an_edited_plan_is_made_again_or_refused(clone, old):
    path = clone.folder / "params" / "plan" / "index.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(
        text.replace(old, old.replace("table_05", "'x; touch X #'").replace("pretrain", "'p; touch X #'"))
    )
    clone.run("snakemake", "--cores", "1", "-n", "reports")
    assert path.read_text() == text and not list(clone.folder.rglob("X"))


@pytest.mark.parametrize("path", ["dvc.yaml", "workflows/dvc.yaml"])
def test_dvc_interpolates_into_no_command(path):
    stages = YAML(typ="safe").load(Path(__file__).parents[1] / path)["stages"]
    commands = [stage["cmd"] for stage in stages.values()]
    assert commands and not [each for each in commands if "$" in str(each)]


def test_a_misspelled_exhibit_gets_the_nearest_name_from_snakemake_too(clone):
    assert "did you mean `figure_06`" in refuses(clone, "snakemake", "--cores", "1", "figure_6")
