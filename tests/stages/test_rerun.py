"""Committed numbers are made again from nothing, and one that comes out otherwise is told."""

import shutil
from pathlib import Path

import pytest

from common import files
from common.seals import read_sealed
from stages import rerun
from stages.planning import fingerprint
from stages.running import provenance
from tests.stages import tiny
from tests.stages.conftest import REPOSITORY

SMOKE = ["--scale", "smoke", "--runs", "3"]
ADOPTED = Path("params/adopted.yaml")
PLACE = Path("reports/evidence/smoke/table_02")


@pytest.fixture
def evidence(project) -> Path:
    """The committed numbers of Table 2, the only exhibit: its runs need no data and no seconds."""
    for path in (project / "params" / "exhibits").glob("*.yaml"):
        if path.stem != "table_02":
            path.unlink()
    shutil.copytree(REPOSITORY / PLACE, project / PLACE)
    shutil.copy(REPOSITORY / ADOPTED, project / ADOPTED)  # the code that made them may be an older one
    fingerprint.adoptions.cache_clear()
    files.write_json(project / "results" / "smoke" / "data" / "manifest.json", {"missing": []})
    tiny.forget_evidence()
    yield project / PLACE
    tiny.forget_evidence()


def change(folder: Path, metrics: dict, **machine) -> None:
    """Commit other numbers, of another machine, for every run, under a new seal."""
    record = read_sealed(folder / "provenance.json", "")
    for account in record["runs"].values():
        account["metrics"] |= metrics
        account["machine"] |= machine
    tiny.seal_evidence(folder, record)


def on_this_machine() -> dict:
    """What decides last bits here: the committed numbers may be another processor's."""
    return {
        "processor": provenance.processor(),
        "device": "cpu",
        "processes": 1,
        "versions": provenance.versions(),
    }


def test_committed_numbers_come_out_again_and_a_changed_one_is_told(evidence, capsys):
    assert rerun.main(SMOKE) == 0
    said = capsys.readouterr().out
    assert "to the last bit" in said and "max_error" in said
    assert sorted(path.name for path in Path("results/smoke").iterdir()) == ["data"], "nothing is left behind"

    change(evidence, {"cases": 63.0}, **on_this_machine())
    assert rerun.main(SMOKE) == 1
    counts = [line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("cases")]
    assert len(counts) == 3 and all(line.endswith(rerun.DIFFERENT) for line in counts)


@pytest.mark.parametrize("elsewhere", [{"processor": "another"}, {"device": "cuda"}, {"processes": 4}])
def test_numbers_made_otherwise_may_differ_in_last_bits(evidence, capsys, elsewhere):
    change(evidence, {"cases": 63.0}, **elsewhere)
    assert rerun.main([*SMOKE[:3], "1"]) == 0
    assert capsys.readouterr().out.count(rerun.APART) == 1


@pytest.mark.parametrize(
    ("name", "then", "now", "alike", "word"),
    [
        ("top1", 43.21, 43.21, True, rerun.SAME),
        ("top1", 43.21, 43.210000000000001, False, rerun.SAME),
        ("top1", 43.21, 43.22, True, rerun.DIFFERENT),
        ("top1", 43.21, 43.22, False, rerun.NEAR),
        ("top1", 43.21, 46.22, False, rerun.DIFFERENT),
        ("loss", 4.0, 4.1, True, rerun.DIFFERENT),
        ("loss", 4.0, 4.1, False, rerun.APART),
        ("loss", 4.0, None, False, rerun.DIFFERENT),
    ],
)
def test_a_number_is_the_same_or_on_another_machine_near(name, then, now, alike, word):
    assert rerun._word(name, then, now, alike) == word


def test_accuracies_that_all_move_one_way_are_told(capsys):
    run = rerun.Run("table_05", "smoke", "linear_eval", "cell-seed0", 0, {}, {})
    pairs = [("top1", 43.5, 42.0), ("knn_top1", 40.5, 40.0), ("top1", 41.0, 41.0), ("top5", 90.0, 80.0)]
    compared = [
        rerun.Compared(run, name, then, now, rerun._word(name, then, now, False), ("one", "another"))
        for name, then, now in pairs
    ]
    assert rerun._told(compared) == 0
    assert "2 accuracies moved by -1.00 points on average, at most by -1.50" in capsys.readouterr().out


def test_another_seed_draws_other_runs_and_the_same_one_the_same(evidence):
    known = rerun._known("smoke")
    drawn = [[run.id for run in rerun._drawn(known, 1, seed)] for seed in range(8)]
    assert drawn == [[run.id for run in rerun._drawn(known, 1, seed)] for seed in range(8)]
    assert len({id for (id,) in drawn}) > 1


def test_the_cells_that_are_named_are_made_and_no_others(evidence, capsys):
    out = Path("out/reruns.csv")
    assert rerun.main([*SMOKE[:2], "--cell", "table_02/loss2", "--out", str(out)]) == 0
    header, *rows = out.read_text().splitlines()
    assert header.startswith("stage,exhibit,run,fingerprint,metric,committed,again,")
    assert len(rows) == 4 and all(row.startswith("gradients,table_02,loss2-seed0,") for row in rows)
    said = capsys.readouterr().out
    assert "table_02 loss2-seed0" in said and "loss3" not in said and "loss1" not in said
    assert rerun.main([*SMOKE[:2], "--cell", "table_02/loss9"]) == 2
    said = capsys.readouterr().err
    assert "no cell `table_02/loss9` (did you mean `table_02/loss" in said


@pytest.mark.parametrize(
    ("missing", "words"), [("reports", "has no run of today's"), ("results", "are not prepared")]
)
def test_without_evidence_or_data_the_user_is_told(evidence, capsys, missing, words):
    shutil.rmtree(missing)
    tiny.forget_evidence()
    assert rerun.main(SMOKE) == 2
    assert words in capsys.readouterr().err
