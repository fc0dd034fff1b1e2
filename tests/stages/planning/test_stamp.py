"""An unchanged plan is known by a look at its files; whatever is touched is planned again."""

import os
from pathlib import Path

import pytest

from stages import plan
from stages.planning import plans
from stages.planning.stamp import is_current

RESULTS = Path("results")
QUIET = ["--quiet", "--scale", "smoke"]


@pytest.fixture
def planned(project, edit):
    assert plan.main(QUIET) == 0
    return edit


def test_nothing_is_resolved_the_second_time(planned, monkeypatch):
    monkeypatch.setattr(plans, "resolve", None)
    assert is_current(RESULTS, "smoke") and plan.main(QUIET) == 0


@pytest.mark.parametrize(
    "path", ["params/exhibits/table_05.yaml", "params/plan/smoke/table_05.yaml", "results/smoke/code/page"]
)
def test_what_is_touched_or_gone_is_planned_again(planned, path):
    os.utime(path, ns=(1, 1))
    assert not is_current(RESULTS, "smoke")
    plan.main(QUIET)
    assert is_current(RESULTS, "smoke")
    Path(path).unlink()
    assert not is_current(RESULTS, "smoke")


def test_another_scale_has_a_look_of_its_own(planned):
    assert not is_current(RESULTS, "paper")
