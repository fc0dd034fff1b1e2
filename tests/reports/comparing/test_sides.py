"""A side that git holds, and what cannot be compared."""

import csv
import json
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reports.comparing.changes import differences
from reports.comparing.sides import EVIDENCE, METRICS, from_evidence, from_results, from_revision
from reports.reading.planned import planned_bindings
from tests.reports.comparing.two_sides import KNOBS, cells, measure, page
from tests.reports.conftest import ROOT, SCALE, refused


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """git(words): in a new repository, where the test then runs."""
    folder = tmp_path / "repository"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("scales", "schema"):
        shutil.copytree(ROOT / "params" / name, folder / "params" / name)

    def run(*words: str) -> str:
        who = ["-c", "user.name=tests", "-c", "user.email=tests@example.org"]
        return subprocess.run(["git", *who, *words], check=True, capture_output=True, text=True).stdout

    run("init", "-q")
    run("commit", "-qm", "empty", "--allow-empty")
    return run


def keep(git: Callable[..., str], rows: Sequence[Sequence[Any]], plan: str = "") -> None:
    """Commit evidence of Table 5, and its plan."""
    path = Path(EVIDENCE) / SCALE / "table_05.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([[*KNOBS, "seed", "metric", "value", "run"], *rows])
    path = Path("params") / "plan" / SCALE / "table_05.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(plan or planned({"temperature1-seed0": 0.1}))
    commit_all(git)


def commit_all(git: Callable[..., str]) -> None:
    git("add", "-A")
    git("commit", "-qm", "what there is")


def planned(temperatures: Mapping[str, float]) -> str:
    """A plan of one stage, as stages write it (JSON is YAML)."""
    runs = {
        run: {"seed": 0, "labels": {"l2_norm": "yes"}, "nt_xent": {"temperature": tau}}
        for run, tau in temperatures.items()
    }
    shared = {"Lars": {"momentum": 0.9}, "nt_xent": {"temperature": 0.5}}
    return json.dumps({"stages": {"pretrain": {"shared": shared, "evaluates": [], "runs": runs}}})


def test_a_plan_s_runs_bind_what_they_share_and_then_their_own():
    found = planned_bindings(json.loads(planned({"a-seed0": 0.1})))
    assert found == {"pretrain/a-seed0": {"Lars.momentum": 0.9, "nt_xent.temperature": 0.1}}


def test_against_a_revision(lab, git):
    keep(git, cells([0.1], [[30.0]]))
    measure(lab, cells([0.2], [[33.0]]))
    found = page("HEAD", lab)
    assert "1 parameter difference, 1 number moved, 0 stayed" in found
    assert f"HEAD ({git('rev-parse', 'HEAD')[:9]})" in found


def test_a_number_is_itself_after_it_was_committed(lab, git):
    """Records hold ten digits; what was measured has more."""
    measure(lab, cells([0.1], [[2.7341234567890123]]))
    keep(git, cells([0.1], [[2.734123457]]))
    assert "0 parameter differences, 0 numbers moved, 1 stayed" in page("HEAD", lab)


def test_a_planned_run_without_evidence_is_no_result(lab, git):
    keep(git, cells([0.1], [[30.0]]), planned({"temperature1-seed0": 0.1, "temperature2-seed0": 0.5}))
    measure(lab, cells([0.1, 0.5], [[30.0], [40.0]]))
    base = from_revision("HEAD", SCALE, ["table_05"])
    assert base.tidy["table_05"].provenance["missing"] == ["pretrain/temperature2-seed0"]
    (found,) = differences(base, from_results(lab.results, SCALE, ["table_05"]))
    assert found[2:] == ("(the run)", "no result", "finished", "temperature2-seed0")
    assert "PARTIAL: 1 missing" in page("HEAD", lab)


def test_a_revision_has_no_pictures_and_the_page_says_so(lab, git):
    image = np.arange(108, dtype=np.uint8).reshape(6, 6, 3)
    measure(lab, cells([0.1], [[30.0]]))
    lab.put("figure_03", [], [[0, "mean_abs_change", 2.0, "r"]], arrays={"r/image": image})
    keep(git, cells([0.1], [[30.0]]))
    (Path(EVIDENCE) / SCALE / "figure_03.csv").write_text("seed,metric,value,run\n0,mean_abs_change,1.0,r\n")
    commit_all(git)
    assert page("HEAD", lab).count("Committed evidence holds numbers alone") == 1


@pytest.mark.parametrize(
    ("base", "said"),
    [
        (
            "HEAD",
            "no results of scale smoke expected reports/evidence/smoke/ at HEAD",
        ),
        ("nowhere", "found nowhere, which is none of them what to do try HEAD"),
        ("--version", "found --version, which is none of them"),
        (
            "reducd",
            "did you mean `reduced`",
        ),
        (".", "no results of scale smoke expected smoke/tidy/<exhibit>/rows.csv in ."),
    ],
)
def test_what_cannot_be_compared_is_said(lab, git, base, said):
    measure(lab, cells([0.1], [[30.0]]))
    with refused(said.replace(".", r"\.")):
        page(base, lab)
    assert not lab.out.exists()


def test_committed_evidence_that_is_broken_is_said(lab, git):
    measure(lab, cells([0.1], [[30.0]]))
    keep(git, [["yes", 0.1, 0, "top1"]])
    with refused(r"expected 6 fields .* where HEAD:reports/evidence/smoke/table_05\.csv"):
        page("HEAD", lab)


def test_a_damaged_folder_of_a_revision_is_named_as_git_has_it(lab, git):
    """And not by the folder that it was unpacked to, which is gone when its name is read."""
    measure(lab, cells([0.1], [[30.0]]))
    shutil.copytree(lab.tidy("table_05"), Path(EVIDENCE) / SCALE / "table_05")
    rows = Path(EVIDENCE) / SCALE / "table_05" / "rows.csv"
    rows.write_text(rows.read_text().replace("30.0", "31.0"))
    commit_all(git)
    git("tag", "bad")
    with refused(r"where bad:reports/evidence/smoke/table_05/rows\.csv what to do name a revision") as caught:
        page("bad", lab)
    assert "collect" not in str(caught.value)


def test_damaged_evidence_that_is_unpacked_late_is_named_as_git_has_it_too(lab, git):
    rows = [["linear", 32, 0, "top1", 41, "a-seed0"]]
    lab.put("figure_08", KNOBS, rows, arrays={"a-seed0/picture": np.array([1.0, np.inf])})
    shutil.copytree(lab.tidy("figure_08"), Path(EVIDENCE) / SCALE / "figure_08")
    commit_all(git)
    side = from_revision("HEAD", SCALE, ["figure_08"])
    with refused(r"where HEAD:reports/evidence/smoke/figure_08/arrays\.npz what to do name a revision"):
        side.arrays("figure_08")


def test_what_is_damaged_in_the_evidence_of_this_checkout_is_restored_by_git(lab, git):
    measure(lab, cells([0.1], [[30.0]]))
    shutil.copytree(lab.tidy("table_05"), Path(EVIDENCE) / SCALE / "table_05")
    (Path(EVIDENCE) / SCALE / "table_05" / "rows.csv").write_text("")
    with refused(f"what to do restore what is committed: git restore {EVIDENCE}/{SCALE}"):
        from_evidence(Path(EVIDENCE), SCALE, ["table_05"])


def test_committed_evidence_that_was_cut_is_said_wherever_that_was(lab, git):
    """Metrics of the same commit tell what the rows must give, and the plan which runs there are."""
    rows = cells([0.1, 0.5], [[30.0, 31.0], [40.0, 44.0]])
    lab.put("table_05", KNOBS, rows)
    keep(git, rows, planned({row[-1]: row[1] for row in rows}))
    path = Path(METRICS) / f"{SCALE}.json"
    path.parent.mkdir(parents=True)
    evidence = Path(EVIDENCE) / SCALE / "table_05.csv"
    whole = evidence.read_text()
    means = {"temperature1": {"top1": 30.5}, "temperature2": {"top1": 42.0}}
    path.write_text(json.dumps({"table_05": means}))
    commit_all(git)
    assert len(from_revision("HEAD", SCALE, ["table_05"]).rows("table_05")) == 4
    for cut in [10, *range(len(whole) - 70, len(whole), 3)]:
        evidence.write_text(whole[:cut])
        commit_all(git)
        with refused(r"table_05\.csv"):
            from_revision("HEAD", SCALE, ["table_05"])


@pytest.mark.parametrize(
    ("rows", "metrics", "said"),
    [
        (
            [30.0],
            {"temperature1": {"top1": 31.0}},
            r"expected the means \{'top1': 31.0\} of temperature1, .* 30.0",
        ),
        ([30.0], {}, "expected the means of no cell of temperature1"),
        ([30.0], None, "expected metrics in JSON .*smoke.json"),
        ([1e308], {}, r"at most 1e\+12 in size, for top1 of run temperature1-seed0"),
    ],
)
def test_committed_evidence_that_its_metrics_belie_is_said(lab, git, rows, metrics, said):
    keep(git, cells([0.1], [rows]))
    path = Path(METRICS) / f"{SCALE}.json"
    path.parent.mkdir(parents=True)
    path.write_text("[]" if metrics is None else json.dumps({"table_05": metrics}))
    commit_all(git)
    with refused(said):
        from_revision("HEAD", SCALE, ["table_05"])


def test_committed_evidence_of_a_run_that_its_plan_does_not_name_is_said(lab, git):
    keep(git, cells([0.1, 0.5], [[30.0], [40.0]]))  # planned: the first
    with refused("found run temperature2-seed0, which is not among them"):
        from_revision("HEAD", SCALE, ["table_05"])


def test_this_side_must_have_results(lab, git):
    lab.declare("table_05", KNOBS)
    with refused("run `make reports`"):
        page("HEAD", lab)
