"""A frozen scale tells what changed after the freeze, and nothing else."""

import shutil
from pathlib import Path

import pytest

from reports import freeze
from reports.reading.frozen import read_frozen

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def params(tmp_path, monkeypatch) -> Path:
    shutil.copytree(ROOT / "params", tmp_path / "params", ignore=shutil.ignore_patterns("frozen"))
    monkeypatch.chdir(tmp_path)
    assert freeze.main(["--scale", "smoke"]) == 0
    return tmp_path / "params"


def test_what_was_frozen_has_not_changed(params):
    found = read_frozen(params, "smoke")
    assert found is not None and (found.claims, found.plans) == ([], []) and found.date.startswith("20")


def test_a_scale_that_never_was_frozen_says_nothing(params):
    assert read_frozen(params, "paper") is None


def test_a_changed_bound_and_a_changed_plan_are_named(params):
    path = params / "exhibits" / "table_05.yaml"
    path.write_text(path.read_text().replace("says: ", "says: In truth, ", 1))
    plan = params / "plan" / "smoke" / "figure_05.yaml"
    plan.write_text(plan.read_text() + "# later\n")
    found = read_frozen(params, "smoke")
    assert len(found.claims) == 1 and found.plans == ["figure_05"]


def test_a_scale_is_not_frozen_twice_unasked(params, capsys):
    assert freeze.main(["--scale", "smoke"]) == 2
    assert "is frozen already" in capsys.readouterr().err
    assert freeze.main(["--scale", "smoke", "--again"]) == 0
