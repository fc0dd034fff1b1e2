"""An unchanged plan is known by a look at its files; whatever is touched is planned again."""

import os
from pathlib import Path

import pytest

from common import files
from stages import plan
from stages.planning import fingerprint, plans
from stages.planning.stamp import is_current as is_current_as
from stages.planning.stamp import look, stamp_path

RESULTS = Path("results")
QUIET = ["--quiet", "--scale", "smoke"]


def is_current(results: Path, scale: str) -> bool:
    return is_current_as(results, scale, look())


@pytest.fixture
def planned(project, edit):
    assert plan.main(QUIET) == 0
    return edit


def test_nothing_is_resolved_the_second_time(planned, monkeypatch):
    monkeypatch.setattr(plans, "resolve", None)
    assert is_current(RESULTS, "smoke") and plan.main(QUIET) == 0


@pytest.mark.parametrize(
    "path",
    [
        "params/exhibits/table_05.yaml",
        "params/plan/smoke/table_05.yaml",
        "results/smoke/code/page",
        "results/smoke/work.json",
    ],
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


def test_a_file_that_is_saved_while_it_plans_is_planned_again(planned, monkeypatch):
    recipe = Path("params/recipes/pretrain_smoke.gin")
    os.utime(recipe, ns=(1, 1))
    resolve = plans.all_plans

    def saved_meanwhile(scale: str) -> list[plans.Plan]:
        made = resolve(scale)
        recipe.write_text(recipe.read_text() + "# saved while it planned\n")
        return made

    monkeypatch.setattr(plan, "all_plans", saved_meanwhile)
    assert plan.main(QUIET) == 0
    assert not is_current(RESULTS, "smoke")


@pytest.mark.parametrize("path", ["work.json", "code/stages/pretrain"])
def test_what_was_cut_is_written_again(planned, path):
    whole = (RESULTS / "smoke" / path).read_bytes()
    (RESULTS / "smoke" / path).write_bytes(whole[: len(whole) // 2])
    assert plan.main(QUIET) == 0
    assert (RESULTS / "smoke" / path).read_bytes() == whole


@pytest.mark.parametrize("damage", [b"\xff\xfe", b"", b"list 0 a\0b\n", b"list 0 \xff\n"])
def test_a_damaged_note_is_no_note(planned, damage):
    stamp_path(RESULTS, "smoke").write_bytes(damage)
    assert not is_current(RESULTS, "smoke")
    assert plan.main(QUIET) == 0
    assert is_current(RESULTS, "smoke")


def test_another_content_of_a_list_is_planned_again_wherever_it_lies(planned, tmp_path):
    """Its name stays, so no plan changes; what Snakemake and DVC compare does."""
    listed = tmp_path / "elsewhere" / "list.txt"
    listed.parent.mkdir()
    listed.write_text("a.JPEG\n")
    planned("params/recipes/finetune_smoke.gin", "label_subset.file = ''", f"label_subset.file = '{listed}'")
    plan.main(QUIET)
    assert is_current(RESULTS, "smoke")
    code, planned_then = (
        Path("results/smoke/code/stages"),
        Path("params/plan/smoke/table_07.yaml").read_bytes(),
    )
    before = {path.name: path.read_text() for path in code.iterdir()}
    listed.write_text("b.JPEG\n")
    assert not is_current(RESULTS, "smoke")
    fingerprint.content_of.cache_clear()  # the next call is another process
    plan.main(QUIET)
    assert is_current(RESULTS, "smoke")
    assert {path.name for path in code.iterdir() if path.read_text() != before[path.name]} == {"finetune"}
    assert Path("params/plan/smoke/table_07.yaml").read_bytes() == planned_then


def test_work_for_other_nodes_is_sized_again(planned, monkeypatch):
    """The jobs of one hardware must not be taken for those of another, whoever names it."""

    def work() -> tuple[int, bool]:
        every = files.read_json(RESULTS / "smoke" / "work.json").values()
        return sum(run["processes"] for run in every), all(run["fits"] for run in every)

    planned("params/hardware.yaml", "A100-80GB:\n  memory: 80\n", "A100-80GB:\n  memory: 0.002\n")
    plan.main(QUIET)
    first = work()
    monkeypatch.setenv(plan.HARDWARE, "A100-80GB")
    plan.main(QUIET)
    assert first[1] and work() != first
    monkeypatch.delenv(plan.HARDWARE)
    plan.main([*QUIET, "--hardware", "A100-80GB"])
    assert work() != first
    plan.main(QUIET)
    assert work() == first


def test_unknown_hardware_is_told_before_anything_is_written(planned, monkeypatch, capsys):
    (RESULTS / "smoke" / "work.json").unlink()
    monkeypatch.setenv(plan.HARDWARE, "A100-80G")
    assert plan.main(QUIET) == 2
    assert "did you mean `A100-80GB`?" in capsys.readouterr().err
    assert not (RESULTS / "smoke" / "work.json").exists()
