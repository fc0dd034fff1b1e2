"""A search under both engines and every unit of work: its points are runs, and what chooses among them waits for all.

Three clones, one for each way, and one order: each test goes on where the one before it stopped.
"""

import json
import re
import sys
from pathlib import Path

import pytest

from tests import trusted
from tests.small_copy import Clone, commit_all, copy_tree, ran, shorten_training

TABLE_08 = "params/exhibits/table_08.yaml"
SNAKEMAKE = ["snakemake", "--cores", "2", "--config"]
WAYS = {
    "sweep": [*SNAKEMAKE, "unit=sweep", "--", "table_08"],
    "run": [*SNAKEMAKE, "unit=run", "--", "table_08"],
    "dvc": ["dvc", "repro", "workflows/dvc.yaml:table_08"],
}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clones(tmp_path_factory) -> dict[str, Clone]:
    """One exhibit: three transfers, each of which chooses between two points, trained for a few steps."""
    made = {}
    for way, command in WAYS.items():
        clone = made[way] = Clone(tmp_path_factory.mktemp(way) / "clone", command)
        copy_tree(clone.folder, ["table_08"])
        shorten_training(clone)
        recipe = "params/recipes/transfer_smoke.gin"
        clone.edit(recipe, "transfer_training.steps = 60\n", "transfer_training.steps = 4\n")
        clone.edit(TABLE_08, "transfer_training.steps: 200\n", "transfer_training.steps: 6\n")
        commit_all(clone)
        clone.run(sys.executable, "-m", "stages", "prepare")
    return made


def results(clone: Clone) -> Path:
    return clone.folder / "results" / "smoke"


def sealed(clone: Clone) -> dict[str, bytes]:
    """What decided the numbers of every run, and what was collected of them."""
    paths = [*results(clone).glob("store/*/*/run.json"), *results(clone).glob("tidy/*/*")]
    return {path.relative_to(results(clone)).as_posix(): path.read_bytes() for path in paths}


def made(clone: Clone, stage: str) -> dict[str, int]:
    """When each run of a stage was made, by its id."""
    paths = results(clone).glob(f"{stage}/table_08/*/run.json")
    return {path.parent.name: path.stat().st_mtime_ns for path in paths}


def test_all_ways_leave_the_same_bytes_and_choose_after_every_point(clones):
    said = {way: clone.reports() for way, clone in clones.items()}
    found = {way: sealed(clone) for way, clone in clones.items()}
    assert found["sweep"] == found["run"] == found["dvc"]
    stages = [re.match(r"store/(\w+)/", name) for name in found["run"] if name.startswith("store/")]
    assert [match[1] for match in stages].count("transfer_search") == 6
    for way, clone in clones.items():
        points = made(clone, "transfer_search")
        for name, when in made(clone, "transfer").items():
            own = [point for point in points if point.startswith(name.removesuffix("-seed0"))]
            assert len(own) == 2 and when > max(points[point] for point in own), way
    for way in ("sweep", "dvc"):
        assert ran(said[way])["transfer_search table_08"] == "6 of 6"
        assert ran(said[way])["transfer table_08"] == "3 of 3"
    record = json.loads((clones["run"].folder / "reports/out/smoke/table_08.json").read_text())
    assert record["missing"] == [] and len(record["provenance"]["searched"]) == 6


def test_an_edited_rate_tries_its_points_again_and_chooses_again(clones):
    for way, clone in clones.items():
        before = made(clone, "transfer_search"), made(clone, "transfer"), made(clone, "pretrain")
        clone.edit(
            "params/recipes/transfer_smoke.gin",
            "learning_rates = (0.03, 0.3)",
            "learning_rates = (0.03, 0.2)",
        )
        clone.reports()
        after = made(clone, "transfer_search"), made(clone, "transfer"), made(clone, "pretrain")
        again = [
            {name for name in new if new[name] != old.get(name)}
            for old, new in zip(before, after, strict=True)
        ]
        assert again[0] == {name for name in after[0] if "-lr2-" in name}, way
        assert again[1] == set(after[1]) and again[2] == set(), way
    assert sealed(clones["sweep"]) == sealed(clones["run"]) == sealed(clones["dvc"])


def test_damaged_evidence_is_told_by_who_submits_the_jobs(tmp_path):
    clone = Clone(
        tmp_path / "clone", ["snakemake", "-n", "--cores", "1", "--config", "unit=run", "--", "runs"]
    )
    copy_tree(clone.folder, ["table_05"])
    scale = clone.folder / "params" / "scales" / "smoke.yaml"
    scale.write_text(scale.read_text() + "reuses_evidence: true\n")
    commit_all(clone)
    damaged = clone.folder / "reports" / "evidence" / "smoke" / "table_05" / "provenance.json"
    damaged.write_text("{")
    said = clone.run(*clone.engine, check=False)
    assert "error: a file is damaged" in said and "git checkout -- reports/evidence" in said
    assert "Traceback" not in said and "UserError" not in said


def test_a_run_that_fails_holds_up_only_what_reads_it_and_the_same_command_goes_on(tmp_path):
    """Three short trainings share a job, and one of them cannot make its folder."""
    clone = trusted.tiny(tmp_path / "clone", "snakemake")
    command = ["snakemake", "--cores", "2", "--keep-going", "--config", "unit=run", "--", "table_05"]
    failing = next(
        key for key in json.loads((results(clone) / "work.json").read_text()) if "pretrain/" in key
    )
    obstacle = results(clone) / "store" / f"{failing}.partial"
    obstacle.parent.mkdir(parents=True)
    obstacle.touch()
    first = clone.run(*command, check=False)
    assert ran(first) == {"pretrain table_05": "2 of 3"} and "failed" in first
    second = clone.run(*command, check=False)
    assert ran(second) == {"linear_eval table_05": "2 of 2"}
    obstacle.unlink()
    assert ran(clone.run(*command)) == {"pretrain table_05": "1 of 1", "linear_eval table_05": "1 of 1"}
    assert "Nothing to be done" in clone.run(*command)
