"""A run that was removed or damaged is found and redone by the user's own command, whatever the unit of work."""

import json
import shutil
from pathlib import Path

import pytest

from tests.small_copy import Clone, ran
from tests.trusted import tiny

UNITS = ("run", "sweep", "scale")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Clone:
    """Finished, by one unit after the other: each finds the runs of those before."""
    made = tiny(tmp_path_factory.mktemp("lost") / "clone", "snakemake")
    for unit in UNITS:
        by(made, unit)
    return made


def one(unit: str) -> str:
    """What the driver says of one run that it did: a job of its own has no other."""
    return "1 of 1" if unit == "run" else "1 of 3"


def by(clone: Clone, unit: str) -> str:
    return clone.run("snakemake", "--cores", "2", "--config", f"unit={unit}", "--", "reports")


def first_of(clone: Clone, stage: str) -> list[Path]:
    """Where the first run of the stage's sweep lies: in its sweep, and in the store."""
    results = clone.folder / "results/smoke"
    index = next(results.glob(f"index/table_05/*/{stage}.json"))
    name, run = min(json.loads(index.read_bytes()).items())
    return [results / stage / "table_05" / name, results / "store" / stage / run["fingerprint"]]


def in_store(clone: Clone) -> dict[str, bytes]:
    store = clone.folder / "results/smoke/store"
    return {
        path.relative_to(store).as_posix(): path.read_bytes()
        for path in store.rglob("*")
        if path.is_file() and path.suffix != ".lock" and path.name != "record.json"
    }


@pytest.mark.parametrize("unit", UNITS)
def test_a_training_that_was_removed_and_an_evaluation_that_was_cut_are_done_again(clone, unit):
    stored, shown = in_store(clone), clone.products()
    for folder in first_of(clone, "pretrain"):
        shutil.rmtree(folder)
    with open(first_of(clone, "linear_eval")[0] / "metrics.json", "r+b") as file:
        file.truncate(5)  # in place: the store has the same file
    assert ran(by(clone, unit)) == dict.fromkeys(("pretrain table_05", "linear_eval table_05"), one(unit))
    assert in_store(clone) == stored and clone.products() == shown
    for folder in first_of(clone, "pretrain"):
        assert (folder / "weights.safetensors").is_file()
    assert "Nothing to be done" in by(clone, unit)


@pytest.mark.parametrize("unit", UNITS)
def test_one_exhibit_alone_finds_it_too(clone, unit):
    words = ("snakemake", "--cores", "2", "--config", f"unit={unit}", "--", "table_05")
    clone.run(*words)
    for folder in first_of(clone, "linear_eval"):
        shutil.rmtree(folder)
    assert ran(clone.run(*words)) == {"linear_eval table_05": one(unit)}
    assert "Nothing to be done" in clone.run(*words)


def test_a_sweep_that_lies_in_the_store_alone_is_not_done_again(clone):
    shutil.rmtree(first_of(clone, "pretrain")[0])
    assert not ran(by(clone, "scale"))
    assert not ran(by(clone, "run"))
