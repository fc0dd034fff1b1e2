"""What is committed of a scale: means, and tidy folders that never lose a run that others committed."""

import pytest

from common import files
from common.names import cell_name
from common.seals import sealed
from reports.page.committed import digest, keep
from reports.reading.folders import Folders


def record(*rows: tuple) -> dict:
    return {
        "exhibit": "table_05",
        "raw": [{"run": run, "metric": metric, "value": value} for run, metric, value in rows],
    }


def test_a_cell_is_the_mean_over_its_seeds():
    rows = [("tau1-seed0", "top1", 1.0), ("tau1-seed1", "top1", 2.0), ("tau2-seed0", "top1", 1 / 3)]
    assert digest([record(*rows)]) == {"table_05": {"tau1": {"top1": 1.5}, "tau2": {"top1": 0.3333}}}


def test_exhibits_that_measured_nothing_are_left_out():
    assert digest([record()]) == {}


def test_only_the_seed_is_cut_off():
    assert cell_name("part1-l2_norm1-temperature2-seed12") == "part1-l2_norm1-temperature2"
    assert cell_name("run-seed0") == "run"


@pytest.fixture
def place(tmp_path):
    """A tidy folder, its committed copy and the plan of one exhibit: folders(results, params, evidence)."""
    return Folders(tmp_path / "results", tmp_path / "params", tmp_path / "evidence")


def put(place: Folders, runs: dict[str, tuple[str, float]], missing: tuple[str, ...] = ()) -> None:
    """runs: {"<stage>/<run>": (fingerprint, temperature)}."""
    folder = place.tidy("figure_09", "smoke")
    found = {
        name: {"fingerprint": key, "bindings": {"loss.temperature": value}}
        for name, (key, value) in runs.items()
    }
    files.write_text(folder / "rows.csv", repr(runs))
    files.write_json(folder / "provenance.json", sealed({"runs": found, "missing": list(missing)}))


def plan(place: Folders, runs: dict[str, float]) -> None:
    """runs: {"<stage>/<run>": temperature}."""
    stages: dict = {}
    for name, value in runs.items():
        stage, run = name.split("/")
        entry = stages.setdefault(stage, {"shared": {"other_loss": {"margin": 1}}, "runs": {}})
        entry["runs"][run] = {"seed": 0, "labels": {}, "loss": {"temperature": value}}
    files.write_yaml(place.params / "plan" / "smoke" / "figure_09.yaml", {"stages": stages})


def is_kept(place: Folders) -> bool:
    """Whether the page leaves the committed folder as it is."""
    committed = place._replace(committed=True).tidy("figure_09", "smoke")
    before = (committed / "rows.csv").read_text()
    records = [{"exhibit": "figure_09", "raw": [{"run": "a-seed0", "metric": "top1", "value": 1.0}]}]
    keep(place.results / "metrics.json", "smoke", place, records, ["figure_09"])
    return (committed / "rows.csv").read_text() == before


WHOLE = {"pretrain/a-seed0": ("f1", 0.1), "pretrain/b-seed0": ("f2", 0.5)}
PART = {"pretrain/a-seed0": ("f1", 0.1)}


@pytest.mark.parametrize("planned", [True, False])
def test_committed_runs_that_an_older_tidy_folder_lacks_are_not_lost(place, capsys, planned):
    put(place._replace(committed=True), WHOLE)
    put(place, PART, missing=("pretrain/b-seed0",))
    if planned:
        plan(place, {"pretrain/a-seed0": 0.1, "pretrain/b-seed0": 0.5})
    assert is_kept(place)
    (said,) = capsys.readouterr().out.splitlines()
    assert "it has pretrain/b-seed0, which" in said
    assert said.endswith("gather both: python -m stages collect --scale smoke --exhibit figure_09")
    put(place, WHOLE | {"pretrain/c-seed0": ("f3", 1.0)})
    assert not is_kept(place) and capsys.readouterr().out == ""


def test_a_tidy_folder_of_an_older_declaration_does_not_replace_committed_runs(place):
    put(place._replace(committed=True), {"pretrain/a-seed0": ("new", 0.2)})
    put(place, {"pretrain/a-seed0": ("old", 0.1)})
    plan(place, {"pretrain/a-seed0": 0.2})
    assert is_kept(place)


@pytest.mark.parametrize(
    ("theirs", "ours", "missing", "planned"),
    [
        # Taken out of the declaration, or bound otherwise: itself, or what it evaluates.
        (WHOLE, PART, (), {"pretrain/a-seed0": 0.1}),
        (WHOLE, PART, ("pretrain/b-seed0",), {"pretrain/a-seed0": 0.1, "pretrain/b-seed0": 0.7}),
        (
            WHOLE | {"linear_eval/b-seed0": ("f3", 0.5)},
            PART,
            ("pretrain/b-seed0", "linear_eval/b-seed0"),
            {"pretrain/a-seed0": 0.1, "pretrain/b-seed0": 0.7, "linear_eval/b-seed0": 0.5},
        ),
        # Made again by other code, of which a part is done.
        (
            WHOLE,
            {"pretrain/a-seed0": ("g1", 0.1)},
            ("pretrain/b-seed0",),
            {"pretrain/a-seed0": 0.1, "pretrain/b-seed0": 0.5},
        ),
    ],
)
def test_committed_runs_of_older_declarations_or_code_are_replaced(place, theirs, ours, missing, planned):
    put(place._replace(committed=True), theirs)
    put(place, ours, missing)
    plan(place, planned)
    assert not is_kept(place)


def test_damaged_evidence_protects_nothing(place):
    put(place._replace(committed=True), WHOLE)
    path = place._replace(committed=True).tidy("figure_09", "smoke") / "provenance.json"
    path.write_text(path.read_text().replace("f2", "f9"))
    put(place, PART, missing=("pretrain/b-seed0",))
    assert not is_kept(place)
