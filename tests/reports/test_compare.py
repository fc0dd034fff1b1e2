"""Two sides on one page: which cells meet, what moved and by how much, and what cannot be compared."""

import csv
import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from reports import compare
from reports.changes import differences, interval, moves
from reports.files import ReportError
from reports.sides import EVIDENCE, from_results, from_revision, planned_bindings
from tests.reports.conftest import SCALE, Lab

KNOBS = ("l2_norm", "temperature")
HEADS = ("projection", "output_dim", "representation")
CLAIM = """
claims:
  D6:
    says: A temperature of 0.1 is the better <one>.
    type: D
    metric: top1
    contrast:
    - minus:
      - {temperature: 0.1}
      - {temperature: 0.5}
"""


def cells(temperatures: Sequence[float], values: Sequence[Sequence[float]]) -> list[list[Any]]:
    """A row per temperature (its place is the cell's name) and seed."""
    return [
        ["yes", tau, seed, "top1", value, f"temperature{place}-seed{seed}"]
        for place, (tau, of_seeds) in enumerate(zip(temperatures, values, strict=True), start=1)
        for seed, value in enumerate(of_seeds)
    ]


def measure(lab: Lab, rows: Sequence[Sequence[Any]], claims: str = "", **extra: Any) -> None:
    """Table 5 as measured, each run with its temperature among its bindings."""
    lab.put("table_05", KNOBS, rows, **extra)
    path = lab.params / "exhibits" / "table_05.yaml"
    path.write_text(path.read_text() + claims)
    path = lab.tidy("table_05") / "provenance.json"
    found = json.loads(path.read_text())
    for row in rows:
        bound = {"nt_xent.temperature": row[1], "Lars.momentum": 0.9}
        found["runs"][f"pretrain/{row[-1]}"]["bindings"] = bound
    path.write_text(json.dumps(found))


@pytest.fixture
def two(tmp_path: Path) -> tuple[Lab, Lab]:
    """Empty laboratories: base, here."""
    return Lab(tmp_path / "base"), Lab(tmp_path / "here")


def sides(base: Lab, here: Lab) -> tuple[Any, Any]:
    return tuple(from_results(lab.results, SCALE, ["table_05"]) for lab in (base, here))


def page(base: str | Path, here: Lab, *options: str) -> str:
    """Run the command; the page it wrote."""
    folders = {"--results": here.results, "--params": here.params, "--out": here.out}
    words = [text for name, path in folders.items() for text in (name, str(path))]
    compare.main([f"--base={base}", "--scale", SCALE, *words, *options])
    return (here.out / SCALE / "compare" / "index.html").read_text()


def test_an_edited_value_is_one_difference_and_one_number_that_moved(two):
    measure(two[0], cells([0.05, 0.1], [[20.0], [30.0]]))
    measure(two[1], cells([0.05, 0.2], [[20.0], [33.5]]))
    (found,) = differences(*sides(*two))
    assert found[1:] == ("pretrain", "nt_xent.temperature", "0.1", "0.2", "temperature2-seed0")
    still, moved = moves(*sides(*two))
    assert (still.change, moved.change) == (0, 3.5)
    assert moved.knobs == "l2_norm yes, temperature 0.1 → l2_norm yes, temperature 0.2"
    assert (moved.base, moved.here) == ("30.0 (n = 1)", "33.5 (n = 1)")
    assert (moved.low, moved.high) == (None, None)


def test_a_setting_meets_itself_wherever_it_stands_in_the_grid(two):
    """A value put before the others moves them all by one place; none of them is another run."""
    measure(two[0], cells([0.1, 0.5], [[30.0], [40.0]]))
    measure(two[1], cells([0.05, 0.1, 0.5], [[20.0], [30.0], [40.0]]))
    (found,) = differences(*sides(*two))
    assert found[2:] == ("(the run)", "no result", "finished", "temperature1-seed0")
    new, *same = moves(*sides(*two))
    assert (new.base, new.here, new.change) == ("not run", "20.0 (n = 1)", None)
    assert [move.change for move in same] == [0, 0]


@given(order=st.permutations([0.05, 0.1, 0.5, 1.0]))
@settings(max_examples=10, deadline=None)
def test_another_order_of_the_grid_changes_nothing(tmp_path_factory, order):
    two = [Lab(tmp_path_factory.mktemp(name)) for name in ("base", "here")]
    for lab, temperatures in zip(two, ([0.05, 0.1, 0.5, 1.0], order), strict=True):
        measure(lab, cells(temperatures, [[10 * tau, 20 * tau] for tau in temperatures]))
    assert not differences(*sides(*two)) and [move.change for move in moves(*sides(*two))] == [0] * 4


def test_cells_that_no_knob_tells_apart_meet_by_place(two):
    for lab, gain in zip(two, (0, 1), strict=True):
        rows = [
            ["yes", 0.1, 0, metric, 5 + gain, f"part{n}-seed0"] for n, metric in ((1, "top1"), (2, "top5"))
        ]
        measure(lab, rows)
    assert [(move.cell, move.change) for move in moves(*sides(*two))] == [("part1", 1), ("part2", 1)]


def test_equal_differences_of_a_stage_are_put_together(two):
    for lab, momentum in zip(two, (0.9, 0.8), strict=True):
        measure(lab, cells([0.05, 0.1, 0.2, 0.5, 1.0, 2.0], [[20.0]] * 6))
        path = lab.tidy("table_05") / "provenance.json"
        path.write_text(path.read_text().replace("0.9", str(momentum)))
    (found,) = differences(*sides(*two))
    assert (found.base, found.here, found.runs) == ("0.9", "0.8", "all 6 runs")
    path.write_text(path.read_text().replace('"Lars.momentum": 0.8', '"Lars.momentum": 0.9', 1))
    assert [found.runs for found in differences(*sides(*two))] == ["5 of 6 runs"]


def test_a_run_that_is_gone_is_not_counted_among_those_that_are_here(two):
    measure(two[0], cells([0.05, 0.1, 0.5], [[20.0], [30.0], [40.0]]))
    measure(two[1], cells([0.05], [[20.0]]))
    (found,) = differences(*sides(*two))
    assert found[3:] == ("finished", "no result", "temperature2-seed0, temperature3-seed0")
    assert [(move.change, move.here) for move in moves(*sides(*two))[1:]] == [(None, "not run")] * 2


def test_the_interval_is_welch_s():
    """By the textbook, for variances 1 and 4 and three values each; scipy gives the quantile of t."""
    base, here = [1.0, 2.0, 3.0], [10.0, 12.0, 14.0]
    error = np.sqrt(1 / 3 + 4 / 3)
    freedom = (1 / 3 + 4 / 3) ** 2 / ((1 / 3) ** 2 / 2 + (4 / 3) ** 2 / 2)
    reach = stats.t.ppf(0.975, freedom) * error
    assert interval(base, here) == pytest.approx((10 - reach, 10 + reach))


@pytest.mark.parametrize(
    ("base", "here"), [([1.0], [2.0, 3.0]), ([1.0, 2.0], [3.0]), ([1.0, 1.0], [2.0, 2.0])]
)
def test_there_is_no_interval_without_a_spread(base, here):
    assert interval(base, here) == (None, None)


def test_seeds_of_a_cell_are_averaged_and_have_an_interval(two):
    measure(two[0], cells([0.1], [[30.0, 31.0, 32.0]]))
    measure(two[1], cells([0.1], [[33.0, 34.0, 35.5]]))
    (moved,) = moves(*sides(*two))
    assert moved.base == "31.0 (n = 3)" and moved.change == pytest.approx(34.1666667 - 31)
    assert moved.low < moved.change < moved.high


def test_a_verdict_that_changed_is_named_with_both(two):
    seeds = [0.0, 0.5, 0.25, 0.75]
    for lab, gain in zip(two, (10.0, -10.0), strict=True):
        values = [[30 + gain + seed + 0.1 * n for n, seed in enumerate(seeds)], [30 + seed for seed in seeds]]
        measure(lab, cells([0.1, 0.5], values), claims=CLAIM)
    (found,) = compare.changed_verdicts(*sides(*two), two[1].params)
    assert found == {
        "id": "D6",
        "says": "A temperature of 0.1 is the better <one>.",
        "exhibit": "table_05",
        "base": "confirmed",
        "here": "contradicted",
    }


def test_a_claim_about_a_value_that_was_edited_away_is_not_run(two):
    seeds = [0.0, 0.5, 0.25]
    for lab, tau in zip(two, (0.1, 0.2), strict=True):
        measure(
            lab,
            cells([tau, 0.5], [[40 + 1.1 * seed for seed in seeds], [30 + s for s in seeds]]),
            claims=CLAIM,
        )
    (found,) = compare.changed_verdicts(*sides(*two), two[1].params)
    assert (found["base"], found["here"]) == ("confirmed", "not run")


def test_the_page_has_it_all_and_escapes_what_it_quotes(two, capsys):
    measure(two[0], cells([0.1, 0.5], [[30.0], [40.0]]), claims=CLAIM, title="A <b>bold</b> title")
    measure(two[1], cells([0.2, 0.5], [[33.0], [40.0]]), claims=CLAIM, title="A <b>bold</b> title")
    path = two[0].tidy("table_05") / "provenance.json"
    path.write_text(path.read_text().replace("Lars.momentum", "<script>alert(1)</script>", 1))
    found = page(two[0].results, two[1])
    assert "<script>alert" not in found and "&lt;script&gt;alert" in found
    assert "<b>bold" not in found and "the better &lt;one&gt;." in found
    counted = "3 parameter differences, 1 number moved, 1 stayed, 1 verdict changed"
    assert counted in capsys.readouterr().out and counted in found
    assert found.count("<caption>Table 5.") == 2  # both drawings
    assert "33.0" in found and "+3" in found


def test_both_figures_stand_beside_each_other_and_old_ones_go(two):
    for lab, shift in zip(two, (0, 1), strict=True):
        rows = [[kind, 32, "", 0, "top1", 41 + shift, f"{kind}-seed0"] for kind in ("linear", "nonlinear")]
        lab.put("figure_08", HEADS, rows)
    found = page(two[0].results, two[1])
    folder = two[1].out / SCALE / "compare"
    assert 'src="figure_08_base.svg"' in found and 'src="figure_08_here.svg"' in found
    drawn = {path.name: path.read_bytes() for path in folder.glob("*.svg")}
    assert len(drawn) == 2 and drawn["figure_08_base.svg"] != drawn["figure_08_here.svg"]
    found = page(two[1].results, two[1])
    assert "0 numbers moved, 2 stayed" in found and not list(folder.glob("*.svg"))


def test_a_knob_that_only_one_side_has_is_empty_on_the_other(two):
    two[0].put("figure_08", HEADS[:2], [["linear", 32, 0, "top1", 40, "p1-seed0"]])
    rows = [["linear", 32, "", 0, "top1", 41, "p1-seed0"], ["linear", 32, "z", 0, "top1", 39, "p2-seed0"]]
    two[1].put("figure_08", HEADS, rows)
    found = page(two[0].results, two[1])
    assert "2 numbers moved" in found and "<td>projection linear, output_dim 32</td>" in found
    assert 'src="figure_08_base.svg"' in found


def test_an_exhibit_that_one_side_lacks_is_drawn_once_and_said_to_be_missing(two):
    measure(two[0], cells([0.1], [[30.0]]))
    measure(two[1], cells([0.1], [[30.0]]))
    two[1].put("figure_08", HEADS, [["linear", 32, "", 0, "top1", 41, "p1-seed0"]])
    found = page(two[0].results, two[1])
    assert 'src="figure_08_here.svg"' in found and "figure_08_base.svg" not in found
    assert "<p>Not run.</p>" in found


def test_pictures_of_another_folder_are_drawn(two):
    image = np.arange(108, dtype=np.uint8).reshape(6, 6, 3)
    for lab, value in zip(two, (1.0, 2.0), strict=True):
        lab.put("figure_03", [], [[0, "mean_abs_change", value, "r"]], arrays={"r/image": image})
    found = page(two[0].results, two[1])
    assert "Committed evidence holds numbers alone" not in found
    drawn = [
        (two[1].out / SCALE / "compare" / f"figure_03_{side}.svg").read_text() for side in ("base", "here")
    ]
    assert all("<image" in text for text in drawn)


def test_between_two_scales_only_equal_settings_meet(two):
    base, here = two
    measure(base, cells([0.05, 0.1], [[50.0], [60.0]]))
    measure(here, cells([0.1, 0.5], [[30.0], [40.0]]))
    (base.results / SCALE).rename(base.results / "reduced")
    path = here.params / "exhibits" / "table_05.yaml"
    path.write_text(path.read_text().replace("scales: {smoke: {}}", "scales: {smoke: {}, reduced: {}}"))
    found = page(base.results, here, "--base-scale", "reduced")
    assert "scale reduced, to" in found and "scale smoke:" in found
    assert "3 numbers moved, 0 stayed" in found
    sides = (
        from_results(base.results, "reduced", ["table_05"]),
        from_results(here.results, SCALE, ["table_05"]),
    )
    changes = {move.knobs: move.change for move in moves(*sides)}
    assert changes == {
        "l2_norm yes, temperature 0.1": -30,
        "l2_norm yes, temperature 0.05": None,
        "l2_norm yes, temperature 0.5": None,
    }


# What git holds.


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """git(words): in a new repository, where the test then runs."""
    folder = tmp_path / "repository"
    folder.mkdir()
    monkeypatch.chdir(folder)

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
    git("add", "-A")
    git("commit", "-qm", "evidence")


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
    assert base.missing["table_05"] == ("pretrain/temperature2-seed0",)
    (found,) = differences(base, from_results(lab.results, SCALE, ["table_05"]))
    assert found[2:] == ("(the run)", "no result", "finished", "temperature2-seed0")
    assert "PARTIAL: 1 missing" in page("HEAD", lab)


def test_a_revision_has_no_pictures_and_the_page_says_so(lab, git):
    image = np.arange(108, dtype=np.uint8).reshape(6, 6, 3)
    measure(lab, cells([0.1], [[30.0]]))
    lab.put("figure_03", [], [[0, "mean_abs_change", 2.0, "r"]], arrays={"r/image": image})
    keep(git, cells([0.1], [[30.0]]))
    (Path(EVIDENCE) / SCALE / "figure_03.csv").write_text("seed,metric,value,run\n0,mean_abs_change,1.0,r\n")
    git("add", "-A")
    git("commit", "-qm", "a picture's number")
    assert page("HEAD", lab).count("Committed evidence holds numbers alone") == 1


@pytest.mark.parametrize(
    ("base", "said"),
    [
        (
            "HEAD",
            "expected committed evidence of scale smoke at HEAD; found no reports/evidence/smoke/ there",
        ),
        ("nowhere", "found nowhere, which is neither. Try HEAD"),
        ("--version", "found --version, which is neither"),
        (".", "expected results of scale smoke in .; found no smoke/tidy"),
    ],
)
def test_what_cannot_be_compared_is_said(lab, git, base, said):
    measure(lab, cells([0.1], [[30.0]]))
    with pytest.raises(ReportError, match=said.replace(".", r"\.")):
        page(base, lab)
    assert not lab.out.exists()


def test_committed_evidence_that_is_broken_is_said(lab, git):
    measure(lab, cells([0.1], [[30.0]]))
    keep(git, [["yes", 0.1, 0, "top1"]])
    with pytest.raises(
        ReportError, match=r"expected 6 fields .* of HEAD:reports/evidence/smoke/table_05\.csv"
    ):
        page("HEAD", lab)


def test_this_side_must_have_results(lab, git):
    lab.declare("table_05", KNOBS)
    with pytest.raises(ReportError, match="Run `make reports SCALE=smoke`"):
        page("HEAD", lab)
