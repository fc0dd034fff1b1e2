"""A grid becomes runs: one for each point, bound as the run that chooses, listed once in the plan."""

import pytest

from common.errors import UserError
from stages import plan as planning
from stages.planning import plans
from stages.planning.searches import choosers, search_of, stages_with_runs
from tests.stages import tiny

EXHIBIT = """\
knobs:
  size: transfer/ViewPolicy.size
runs:
- chain: [initialize, transfer]
  grid: {size: [16, 32]}
  set:
    transfer/transfer_grid.learning_rates: [0.1, 0.3]
    transfer/transfer_grid.weight_decays: [0.0, 0.001, 0.01]
measure: [transfer.accuracy]
seeds: [0, 7]
"""
PATH = "params/exhibits/table_05.yaml"


@pytest.fixture
def declared(project) -> plans.Plan:
    tiny.declare_only(project, {"table_05": EXHIBIT})
    return plans.resolve("table_05", "smoke")


def test_every_point_of_every_run_that_chooses_is_a_run(declared):
    final = declared.runs("transfer")
    assert len(final) == 4 and len(declared.runs("transfer_search")) == 4 * 6
    assert [point for run in final for point in run.search] == declared.runs("transfer_search")
    first = final[0].search
    assert [point.id for point in first] == [
        f"size1-lr{lr}-weight_decay{decay}-seed0" for lr in (1, 2) for decay in (1, 2, 3)
    ]
    bound = [
        (p.bindings["transfer_training.lr"], p.bindings["transfer_training.weight_decay"]) for p in first
    ]
    assert bound == [(lr, decay) for lr in (0.1, 0.3) for decay in (0.0, 0.001, 0.01)]
    assert len({point.fingerprint for run in final for point in run.search}) == 24


def test_a_point_is_bound_as_the_run_that_chooses_but_for_the_grid(declared):
    for final in declared.runs("transfer"):
        for point in final.search:
            own = {"transfer_training.lr", "transfer_training.weight_decay"}
            grid = {"transfer_grid.learning_rates", "transfer_grid.weight_decays"}
            assert final.bindings.keys() - point.bindings.keys() == grid
            assert point.bindings.keys() - final.bindings.keys() == own
            assert {k: v for k, v in point.bindings.items() if k not in own} == {
                k: v for k, v in final.bindings.items() if k not in grid
            }
            assert (point.seed, point.upstream, point.search) == (final.seed, final.upstream, ())
        assert final.reads == (final.upstream, *final.search)


def test_the_plan_lists_a_grid_once_and_what_is_read_first(declared):
    entry = declared.document["stages"]["transfer_search"]
    assert entry == {
        "searches_for": "transfer",
        "grid": {
            "transfer_training.lr": "transfer_grid.learning_rates",
            "transfer_training.weight_decay": "transfer_grid.weight_decays",
        },
        "shared": {},
        "evaluates": ["initialize"],
        "runs": {},
    }
    assert list(declared.stages) == ["initialize", "transfer_search", "transfer"]
    plans.write_plan(declared)
    again = plans.read_plan("table_05", "smoke")
    assert again.runs("transfer_search") == declared.runs("transfer_search")


def test_an_edited_rate_is_one_line_of_the_plan_its_points_and_what_chooses_among_them(project, edit):
    tiny.declare_only(project, {"table_05": EXHIBIT})
    before = plans.resolve("table_05", "smoke")
    edit(PATH, "[0.1, 0.3]", "[0.1, 0.2]")
    after = plans.resolve("table_05", "smoke")
    old, new = (plan.document["stages"] for plan in (before, after))
    assert [stage for stage in old if old[stage] != new[stage]] == ["transfer"]
    for stage, changed in {"initialize": 0, "transfer_search": 12, "transfer": 4}.items():
        pairs = zip(before.runs(stage), after.runs(stage), strict=True)
        assert sum(a.fingerprint != b.fingerprint for a, b in pairs) == changed, stage


def test_the_search_of_a_run_is_part_of_what_it_is(declared):
    from dataclasses import replace

    final = declared.runs("transfer")[0]
    found = {
        replace(final, search=search).fingerprint
        for search in (final.search, final.search[::-1], final.search[:1], ())
    }
    assert len(found) == 4, "of equals the first is chosen: the order decides, too"


def test_points_that_two_exhibits_try_are_one_run(project):
    tiny.declare_only(project, {"table_05": EXHIBIT, "table_06": EXHIBIT.replace("[16, 32]", "[32]")})
    here, there = (plans.resolve(name, "smoke") for name in ("table_05", "table_06"))
    shared = {run.fingerprint for run in there.runs("transfer_search")}
    assert len(shared) == 12 and shared < {run.fingerprint for run in here.runs("transfer_search")}


def test_both_engines_learn_of_it_and_every_run_says_what_it_reads(project):
    tiny.declare_only(project, {"table_05": EXHIBIT})
    every = [plans.resolve("table_05", "smoke")]
    index = planning.index_of(every)
    assert index["searches"] == {"transfer": "transfer_search"}
    assert index["sweeps"]["transfer_search"] == index["sweeps"]["transfer"] == ["table_05"]
    assert index["opens"] == ["initialize"]
    work = planning.work_list(every)
    for final in every[0].runs("transfer"):
        reads = work[f"transfer/{final.fingerprint}"]["reads"]
        assert reads == [f"{run.stage}/{run.fingerprint}" for run in final.reads] and len(reads) == 7
        assert set(reads) <= set(work)
    assert work[f"initialize/{every[0].runs('initialize')[0].fingerprint}"]["reads"] == []


def test_which_stages_search_and_which_choose():
    assert choosers() == {"transfer_search": "transfer"}
    assert search_of("pretrain") is None and "transfer_search" in stages_with_runs()


@pytest.mark.parametrize("name", ["learning_rates", "weight_decays"])
def test_a_grid_without_a_point_is_refused_with_its_line(project, name):
    body = EXHIBIT.replace("[0.1, 0.3]", "[]" if name == "learning_rates" else "[0.1]")
    body = body.replace("[0.0, 0.001, 0.01]", "[]" if name == "weight_decays" else "[0.0]")
    tiny.declare_only(project, {"table_05": body})
    with pytest.raises(UserError, match="nothing to choose among") as caught:
        plans.resolve("table_05", "smoke")
    line = 12 if name == "learning_rates" else 13
    assert f"transfer_grid.{name}" in str(caught.value) and f"{PATH}, line {line}" in str(caught.value)


def test_a_grid_that_nothing_binds_is_refused(project, edit):
    edit("params/recipes/transfer_smoke.gin", "transfer_grid.learning_rates = (0.03, 0.3)\n", "")
    edit("params/recipes/transfer_smoke.gin", "transfer_grid.weight_decays = (0.0,)\n", "")
    body = EXHIBIT.replace("    transfer/transfer_grid.learning_rates: [0.1, 0.3]\n", "")
    body = body.replace("    transfer/transfer_grid.weight_decays: [0.0, 0.001, 0.01]\n", "").replace(
        "  set:\n", ""
    )
    tiny.declare_only(project, {"table_05": body})
    with pytest.raises(UserError, match="nothing to choose among") as caught:
        plans.resolve("table_05", "smoke")
    assert "transfer_smoke.gin" in str(caught.value)


def test_a_search_stands_in_no_chain(project):
    tiny.declare_only(
        project, {"table_05": EXHIBIT.replace("[initialize, ", "[initialize, transfer_search, ")}
    )
    with pytest.raises(UserError, match="stage transfer_search stands in no chain") as caught:
        plans.resolve("table_05", "smoke")
    assert "a chain with transfer" in str(caught.value) and f"{PATH}, line" in str(caught.value)
    assert "missing" not in str(caught.value), "there is no recipe to add"


def test_the_papers_grid_is_56_runs_for_each_cell_and_the_plan_no_longer_for_it():
    plan = plans.resolve("table_08", "paper")
    assert len(plan.runs("transfer")) == 36 and len(plan.runs("transfer_search")) == 36 * 56
    assert {len(run.search) for run in plan.runs("transfer")} == {56}
    assert len(plans.plan_path("table_08", "paper").read_text().splitlines()) < 2000


def test_a_search_is_bound_by_what_chooses_and_by_nothing_else(project):
    body = EXHIBIT.replace("knobs:\n  size: transfer/", "knobs:\n  size: transfer_search/")
    tiny.declare_only(project, {"table_05": body})
    with pytest.raises(UserError, match="bound as those of transfer, except for the grid") as caught:
        plans.resolve("table_05", "smoke")
    assert "transfer/ViewPolicy.size" in str(caught.value) and f"{PATH}, line 10" in str(caught.value)
