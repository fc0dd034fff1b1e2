"""A frozen scale tells what changed after the freeze, and nothing else."""

import shutil
from pathlib import Path

import pytest

from reports import freeze
from reports.reading.frozen import frozen_path, read_frozen
from tests.reports.conftest import refused

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


def test_a_scale_without_plans_is_not_frozen(params, capsys):
    shutil.rmtree(params / "plan" / "paper")
    assert freeze.main(["--scale", "paper"]) == 2
    assert "python -m stages plan --scale paper" in capsys.readouterr().err
    assert not frozen_path(params, "paper").exists()


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


def test_what_changed_is_frozen_again_with_a_reason_and_the_rest_keeps_its_date(params):
    path = frozen_path(params, "smoke")
    path.write_text(path.read_text().replace("date: '20", "date: '19"))  # the first freeze is older
    plan = params / "plan" / "smoke" / "figure_05.yaml"
    plan.write_text(plan.read_text() + "# later\n")
    assert freeze.main(["--scale", "smoke", "--again", "a seed was added"]) == 0
    found = read_frozen(params, "smoke")
    assert (found.claims, found.plans) == ([], []) and found.date.startswith("19")
    (again,) = found.again
    assert (again.what, again.why) == (["figure_05"], "a seed was added") and again.date.startswith("20")


def test_nothing_is_frozen_again_where_nothing_changed(params, capsys):
    before = frozen_path(params, "smoke").read_bytes()
    assert freeze.main(["--scale", "smoke", "--again", "no reason"]) == 2
    assert "nothing of scale smoke has changed" in capsys.readouterr().err
    assert frozen_path(params, "smoke").read_bytes() == before


@pytest.mark.parametrize("odd", ["again: [{date: later}]", "again: [later]", "again: 3", "claims: 3"])
def test_an_odd_file_is_refused_in_words(params, odd):
    path = frozen_path(params, "smoke")
    lines = path.read_text().splitlines()
    if odd.startswith("claims"):
        lines = ["date: '2026-01-01'", "plans: {}"]
    path.write_text("\n".join([*lines, odd]) + "\n")
    with refused("not a freeze"):
        read_frozen(params, "smoke")
