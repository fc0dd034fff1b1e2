"""A project of one's own: the declarations copied to a temporary folder, for tests that edit them."""

import shutil
from pathlib import Path

import pytest

from common import files, schemas
from stages.data import datasets
from stages.planning import fingerprint
from stages.planning.plans import Run
from tests.small_copy import drop_scales_with_parents
from tests.stages import tiny

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder is a copy of params/ without plans, adopted code, and scales with a parent.

    Nothing is remembered from other declarations.
    """
    shutil.copytree(REPOSITORY / "params", tmp_path / "params", ignore=shutil.ignore_patterns("plan"))
    drop_scales_with_parents(tmp_path / "params")
    files.write_yaml(tmp_path / "params" / "adopted.yaml", [])
    monkeypatch.chdir(tmp_path)
    remembered = (
        fingerprint.adoptions,
        fingerprint.declaration_of,
        fingerprint.content_of,
        schemas._validator,
    )
    for cached in remembered:
        cached.cache_clear()
    yield tmp_path
    for cached in remembered:
        cached.cache_clear()


@pytest.fixture
def edit(project: Path):
    """Replace text that stands exactly once in a file of the project."""

    def replace(path: str, old: str, new: str) -> None:
        text = (project / path).read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
        (project / path).write_text(text.replace(old, new))

    return replace


@pytest.fixture
def data(project) -> Path:
    """The folder of the prepared data set."""
    return tiny.prepare_tiny(project)


@pytest.fixture
def upstream(data) -> Run:
    """A finished pretraining."""
    run = tiny.a_run("pretrain")
    tiny.work(run)
    return run


@pytest.fixture
def reads(upstream, monkeypatch) -> list[str]:
    """The splits in the order they are read, once the pretraining is finished."""
    seen, load = [], datasets.load
    monkeypatch.setattr(datasets, "load", lambda f, split, **o: (seen.append(split), load(f, split, **o))[1])
    return seen
