"""From evidence to verdicts: four words, their reasons, and what does not change them."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from reports.judging.cells import Cells, of_evidence
from reports.judging.claim import parse
from reports.judging.decision import judge
from reports.judging.multiplicity import family
from reports.judging.selection import Missing
from reports.judging.testing import evaluate
from reports.reading import judged as judged_files
from reports.reading.verdicts import FIELDS, VERDICTS
from tests.reports.conftest import SCALE, Lab

HEADS = """
claims:
  C1:
    says: Nonlinear is better.
    type: D
    metric: top1
    contrast:
    - minus: [{projection: nonlinear}, {projection: linear}]
  C4:
    says: The width hardly matters.
    type: E
    metric: top1
    contrast: [{pairs: output_dim}]
    of: every
    within: 2
  C8:
    says: A number.
    type: report
    metric: top1
    where: {projection: linear, output_dim: first}
  C5:
    says: h is better than z.
    type: D
    metric: top1
    contrast:
    - minus: [{representation: h}, {representation: z}]
    paper_text: More than 10 points.
  B5:
    says: Only on ImageNet.
    type: E
    metric: top1
    within: 1
    min_scale: paper
"""
GAINS = {"up": 8.0, "down": -8.0, "none": 0.0}
DIMS = (8, 32, 64)


def rows(gain: float, seeds: int = 4) -> list[list]:
    """Two heads at three widths; noise of half a point, equal in every call."""
    generator = np.random.default_rng(5)
    found = []
    for kind, lift in (("linear", 0.0), ("nonlinear", gain)):
        for place, dim in enumerate(DIMS, start=1):
            run = f"projection{1 + (kind != 'linear')}-output_dim{place}"
            noise = generator.normal(size=4)
            found += [
                [kind, dim, s, "top1", 40 + lift + 0.3 * noise[s], f"{run}-seed{s}"] for s in range(seeds)
            ]
    return found


def heads(lab: Lab, measured: list[list], missing: tuple[str, ...] = (), claims: str = HEADS) -> Lab:
    lab.put("figure_08", ["projection", "output_dim"], measured, missing=missing)
    path = lab.params / "exhibits" / "figure_08.yaml"
    path.write_text(path.read_text() + claims)
    return lab


def declared(body: str) -> str:
    """Claims of which C1 alone, with this body."""
    return f"{HEADS.split('  C1:')[0]}  C1:\n{body}"


def verdicts(lab: Lab) -> dict[str, dict]:
    return {claim["id"]: claim for claim in judge(lab.load("figure_08").judged["claims"])}


@pytest.mark.parametrize(
    ("gain", "verdict"), [("up", "confirmed"), ("down", "contradicted"), ("none", "inconclusive")]
)
def test_a_difference_is_found_in_its_direction(lab, gain, verdict):
    found = verdicts(heads(lab, rows(GAINS[gain])))["C1"]
    assert found["verdict"] == verdict and found["low"] < found["effect"] < found["high"]
    assert found["effect"] == pytest.approx(GAINS[gain], abs=0.5)
    assert (found["n"], found["unit"]) == (4, "points")
    assert (found["seeds_needed"] is None) == (verdict != "inconclusive") or "would settle" not in found[
        "reason"
    ]


def test_equivalence_needs_numbers_that_are_close(lab):
    found = verdicts(heads(lab, rows(0.0)))["C4"]
    assert found["verdict"] == "confirmed" and abs(found["effect"]) < 2


def test_a_report_has_a_number_and_no_verdict(lab):
    found = verdicts(heads(lab, rows(0.0)))["C8"]
    assert found["verdict"] == "report" and found["effect"] == pytest.approx(40, abs=1)
    assert found["unit"] == "%"  # and not points, as a difference is


def test_what_is_not_measured_is_named(lab):
    found = verdicts(heads(lab, rows(0.0)))
    assert (found["C5"]["verdict"], found["C5"]["missing"]) == ("not run", ["representation=h"])
    assert found["C5"]["paper_says"] == "More than 10 points."
    assert found["B5"]["verdict"] == "not run" and "paper" in found["B5"]["reason"]


def test_a_missing_cell_is_named_by_its_settings(lab):
    """Its runs left nothing; where it stands in the grid tells what it was."""
    kept = [row for row in rows(8.0) if row[:2] != ["nonlinear", 32]]
    gone = tuple(
        f"{stage}/projection2-output_dim2-seed{s}" for stage in ("pretrain", "linear_eval") for s in range(4)
    )
    found = verdicts(heads(lab, kept, gone))
    assert found["C1"]["verdict"] == "not run"
    assert found["C1"]["missing"] == ["top1 of projection=nonlinear, output_dim=32"]
    assert found["C4"]["verdict"] == "not run"
    assert found["C8"]["verdict"] == "report"  # it does not need that cell


def test_nothing_measured_at_all_is_not_run(lab):
    found = verdicts(heads(lab, [], ("pretrain/projection1-output_dim1-seed0",)))
    assert {claim["verdict"] for claim in found.values()} == {"not run"}


def test_a_missing_seed_leaves_the_seeds_that_all_cells_have(lab):
    kept = [row for row in rows(8.0) if row[-1] != "projection2-output_dim2-seed3"]
    found = verdicts(heads(lab, kept, ("linear_eval/projection2-output_dim2-seed3",)))["C1"]
    assert (found["verdict"], found["n"]) == ("confirmed", 3)


def test_cells_without_a_common_seed_are_not_compared(lab):
    kept = [row for row in rows(8.0) if (row[0] == "linear") == (row[2] < 2)]
    assert verdicts(heads(lab, kept))["C1"]["verdict"] == "not run"


def test_one_pair_of_one_seed_is_inconclusive_and_asks_for_three(lab):
    kept = [row for row in rows(8.0, seeds=1) if row[1] == 8]
    found = verdicts(heads(lab, kept))["C1"]
    assert (found["verdict"], found["seeds_needed"], found["p"]) == ("inconclusive", 3, None)
    assert found["effect"] == pytest.approx(8, abs=1) and "at least 3 seeds" in found["reason"]


def test_a_seed_that_is_planned_and_not_made_yet_is_waited_for(lab):
    """With one of three seeds in, pairs of cells of that seed are no sample of what the three will say."""
    gone = tuple(row[-1].replace("seed0", f"seed{s}") for row in rows(8.0, seeds=1) for s in (1, 2))
    found = verdicts(heads(lab, rows(8.0, seeds=1), tuple(f"linear_eval/{run}" for run in gone)))["C1"]
    assert (found["verdict"], found["reason"]) == ("not run", "too few seeds so far")
    assert "top1 of projection=linear, output_dim=8 (1 of 3 seeds)" in found["missing"]


def test_what_waits_for_runs_and_what_diverged_are_told_apart(lab):
    def lost(gone):
        kept = [
            [*row[:3], "diverged", 17, row[-1]] if row[0] == "linear" and row[2] < 3 else row
            for row in rows(8.0)
            if row[-1] not in gone
        ]
        return verdicts(heads(lab, kept, tuple(f"linear_eval/{run}" for run in gone)))["C1"]["reason"]

    assert lost(()) == "diverged: too few seeds are left"
    waits = [f"projection2-output_dim1-seed{s}" for s in (0, 1, 2)]
    assert lost(waits) == "too few seeds so far"


def test_the_middle_of_a_trend_has_no_weight_and_is_waited_for(lab):
    claims = declared("""    says: Wider is better.
    type: R
    metric: top1
    where: {projection: linear}
    contrast: [{trend: output_dim}]
""")
    for seeds in (1, 4):
        whole = rows(8.0, seeds=seeds)
        assert verdicts(heads(lab, whole, (), claims))["C1"]["verdict"] != "not run"
        kept = [row for row in whole if row[:2] != ["linear", 32]]
        gone = tuple(row[-1] for row in whole if row[:2] == ["linear", 32])
        found = verdicts(heads(lab, kept, gone, claims))["C1"]
        assert found["missing"] == ["top1 of projection=linear, output_dim=32"]
        lost = [[*row[:3], "diverged", 3, row[-1]] if row[-1] in gone else row for row in whole]
        assert verdicts(heads(lab, lost, (), claims))["C1"]["reason"] == "diverged: too few seeds are left"


def missing_cell(lab: Lab, cell: str, **knobs: str) -> None:
    """As `collect` says it: the values of a cell of which no run has left a row."""
    found = json.loads((lab.tidy("figure_08") / "provenance.json").read_text())
    lab.seal("figure_08", found | {"missing_cells": {cell: knobs}})


def test_a_missing_cell_of_a_block_of_its_own_is_known_by_its_values(lab):
    """No other run tells what stood there; a comparison that does not need it does not wait."""
    heads(lab, rows(8.0), ("pretrain/part2-projection1-seed0",))
    assert verdicts(lab)["C1"]["missing"] == [
        f"a value of {knob} of which no run has a number" for knob in ("output_dim", "projection")
    ]
    missing_cell(lab, "part2-projection1", projection="none", output_dim="64.0")
    found = verdicts(lab)
    assert found["C1"]["verdict"] == found["C4"]["verdict"] == "confirmed"
    missing_cell(lab, "part2-projection1", projection="linear", output_dim="128")
    assert verdicts(lab)["C4"]["missing"] == ["top1 of projection=linear, output_dim=128"]


def test_a_missing_cell_that_is_ours_changes_no_claim_of_the_paper(lab):
    measured = [[kind, dim, "", *rest] for kind, dim, *rest in rows(8.0, seeds=1)]
    lab.put("figure_08", ["projection", "output_dim", "own"], measured, missing=["pretrain/part2-seed1"])
    path = lab.params / "exhibits" / "figure_08.yaml"
    path.write_text(path.read_text() + HEADS)
    before = verdicts(lab)
    missing_cell(lab, "part2", projection="ours", output_dim="8", own="yes")
    assert verdicts(lab)["C1"]["n"] == 3 and before["C1"]["verdict"] == "not run"


def test_an_evaluation_that_diverged_leaves_what_its_pretraining_measured(lab):
    entropies = [[*row[:3], "entropy", 2.0, row[-1]] for row in rows(8.0)]
    lost = [
        [*row[:3], "diverged", 9, row[-1]] if row[-1].endswith("dim1-seed0") else row for row in rows(8.0)
    ]
    found = verdicts(heads(lab, entropies + lost))["C1"]
    assert (found["verdict"], found["n"]) == ("confirmed", 3)
    measured = lab.load("figure_08").measured
    assert measured.loc[measured["metric"] == "entropy", "value"].notna().all()
    assert measured.loc[measured["metric"] == "top1", "value"].isna().sum() == 2


def test_the_paper_s_effect_is_of_the_part_that_decides(lab):
    """Two parts of one claim, of which ours fails in the first and the paper is weakest in the second."""
    claims = declared("""    says: Nonlinear is better, and narrow heads are not.
    type: D
    metric: top1
    all:
    - contrast: [{minus: [{projection: nonlinear}, {projection: linear}]}]
    - where: {projection: nonlinear}
      contrast: [{minus: [{output_dim: 64}, {output_dim: 32}]}]
""")
    found = verdicts(heads(lab, rows(-8.0), (), claims))["C1"]
    whole = verdicts(heads(lab, rows(-8.0)))["C1"]
    assert (found["part"], found["paper_effect"]) == (1, whole["paper_effect"])
    assert verdicts(heads(lab, rows(8.0), (), claims))["C1"]["part"] == 2


def test_the_paper_s_effect_is_of_the_comparison_that_decides_here(lab):
    """Ours is least certain at 64 dimensions and the paper's elsewhere; at 8, which the paper lacks, it is its own."""
    claims = declared("""    says: Nonlinear is better at every width.
    type: D
    metric: top1
    contrast: [{minus: [{projection: nonlinear}, {projection: linear}]}]
    of: every
""")
    printed = pd.read_csv(lab.params / "paper" / "figure_08.csv").pivot(
        index="output_dim", columns="projection", values="value"
    )
    gain = printed["nonlinear"] - printed["linear"]
    for ours, theirs in ((64, 64), (8, int(gain.idxmin()))):
        measured = [[*row[:4], row[4] - 5 * (row[:2] == ["nonlinear", ours]), row[5]] for row in rows(8.0)]
        found = verdicts(heads(lab, measured, (), claims))["C1"]
        assert found["at"] == {"output_dim": str(ours)} and found["comparisons"] == 3
        assert found["paper_at"] == {"output_dim": str(theirs)}
        assert found["paper_effect"] == pytest.approx(gain[theirs])


def test_the_paper_s_effect_is_computed_from_its_values(lab):
    found = verdicts(heads(lab, rows(0.0)))
    printed = pd.read_csv(lab.params / "paper" / "figure_08.csv").pivot(
        index="output_dim", columns="projection", values="value"
    )
    gain = (printed["nonlinear"] - printed["linear"]).mean()
    assert found["C1"]["paper_effect"] == pytest.approx(gain)
    assert found["C1"]["paper_says"] == "Its own numbers agree."


def a_claim(place: int, p: float, opposite: float | None = None, **more) -> dict:
    """A claim as it is handed to the family."""
    one = dict.fromkeys(judged_files.Tested.__annotations__) | {
        "id": f"A{place}",
        "type": "D",
        "p": p,
        "test": "t",
        "n": 3,
    }
    one |= {"opposite": 1 - p if opposite is None else opposite, "among": 1, "effect": 1.0, "is_papers": True}
    return one | {"missing": [], "diverged": [], "below_scale": False, "min_scale": "smoke"} | more


def test_benjamini_and_hochberg_decide_and_holm_is_the_stricter_mark():
    """Ten claims, twenty tests: p of 0.002 stands by both, of 0.004 by the first alone (20 / 2 * 0.004 = 0.04)."""
    family = judge([a_claim(1, 0.002), a_claim(2, 0.004), *(a_claim(place, 0.5) for place in range(3, 11))])
    assert [claim["verdict"] for claim in family] == ["confirmed"] * 2 + ["inconclusive"] * 8
    assert [claim["p_bh"] for claim in family[:2]] == pytest.approx([0.04, 0.04])
    assert [claim["p_holm"] for claim in family[:2]] == pytest.approx([0.04, 0.076])
    assert [claim["strict"] for claim in family[:2]] == [True, False]
    against = judge([a_claim(1, 0.999, 0.001)])[0]
    assert against["verdict"] == "contradicted" and against["p_bh"] == pytest.approx(0.002)


def test_claims_of_our_own_exhibits_are_a_family_apart():
    alone = judge([a_claim(1, 0.02)])[0]
    papers, *_ = judge([a_claim(1, 0.02), *(a_claim(place, 0.9, is_papers=False) for place in range(2, 30))])
    assert papers == alone and papers["verdict"] == "confirmed"


SCENES = {
    "no effect": (0.0, 0),
    "mixed effects": (0.0, 20),
    "dependent": (0.8, 20),
    "dependent, no effect": (0.8, 0),
}


@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("scene", SCENES)
def test_the_share_of_wrong_verdicts_stays_at_5_percent(scene, uneven):
    """60 claims of three or five seeds, some true: of their verdicts at most 5 % are wrong in the mean over boards."""
    shared, true = SCENES[scene]
    generator, shares, claims = np.random.default_rng(21), [], 60
    for _ in range(150):
        n = generator.choice([3, 5])
        noise = generator.normal(size=(claims, n)) * (
            generator.choice([1, 6], size=(claims, 1)) if uneven else 1
        )
        values = np.sqrt(1 - shared) * noise + np.sqrt(shared) * generator.normal(size=(1, n))
        values[:true] += 20.0
        t = values.mean(1) / (values.std(1, ddof=1) / np.sqrt(n))
        p = stats.t.sf(t, n - 1)
        found = family([str(place) for place in range(claims)], list(p), list(1 - p)).claims
        confirmed = [found[str(place)][0].bh < 0.05 for place in range(claims)]
        contradicted = [found[str(place)][1].bh < 0.05 for place in range(claims)]
        wrong = sum(confirmed[true:]) + sum(contradicted)
        shares.append(wrong / max(1, sum(confirmed) + sum(contradicted)))
    assert np.mean(shares) <= 0.05 + 3 * np.std(shares) / np.sqrt(len(shares))


def test_a_bound_that_cannot_be_met_changes_the_verdicts_without_a_drawing(lab):
    heads(lab, rows(8.0))
    before = {claim["id"]: claim["verdict"] for claim in lab.judge()["claims"]}
    path, nonlinear = (
        lab.params / "exhibits" / "figure_08.yaml",
        "    contrast:\n    - minus: [{projection: nonl",
    )
    path.write_text(path.read_text().replace(nonlinear, f"    above: 90\n{nonlinear}"))
    after = {claim["id"]: claim["verdict"] for claim in lab.judge()["claims"]}
    assert (before["C1"], after["C1"]) == ("confirmed", "contradicted")
    assert not (lab.out / SCALE / "figure_08.json").exists()


def test_committed_rows_give_the_same_verdicts(lab):
    heads(lab, rows(8.0))
    found = lab.judge()
    shutil.copytree(lab.tidy("figure_08"), lab.evidence / SCALE / "figure_08")
    shutil.rmtree(lab.results)
    assert lab.judge("--from=evidence")["claims"] == found["claims"]


def test_an_unchanged_exhibit_is_not_judged_again(lab):
    heads(lab, rows(8.0))
    lab.judge()
    path = lab.folders.judged("figure_08", SCALE)
    time = path.stat().st_mtime_ns
    lab.judge()
    assert path.stat().st_mtime_ns == time


def test_a_seed_that_diverged_is_left_out_and_said(lab):
    kept = [
        row if row[-1] != "projection2-output_dim2-seed3" else [*row[:3], "diverged", 17, row[-1]]
        for row in rows(8.0)
    ]
    found = verdicts(heads(lab, kept))["C1"]
    assert (found["verdict"], found["n"]) == ("confirmed", 3)
    assert found["diverged"] == ["top1 of projection=nonlinear, output_dim=32 (diverged in 1 of 4 seeds)"]
    lost = [[*row[:3], "diverged", 17, row[-1]] if row[0] == "nonlinear" else row for row in rows(8.0)]
    found = verdicts(heads(lab, lost))["C1"]
    assert found["verdict"] == "not run" and "diverged" in found["reason"] and found["effect"] is None


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(24)), names=st.permutations(range(4)), shift=st.floats(-20, 20))
def test_order_names_of_seeds_and_a_shift_of_all_numbers_change_nothing(
    tmp_path_factory, order, names, shift
):
    lab = heads(Lab(tmp_path_factory.mktemp("lab")), rows(1.0))
    plain = of_evidence(lab.load("figure_08"), ["top1"])
    changed = [
        [*row[:2], 100 + names[row[2]], row[3], row[4] + shift, row[5]]
        for row in (rows(1.0)[i] for i in order)
    ]
    lab.collect("figure_08", ["projection", "output_dim"], changed)
    other = of_evidence(lab.load("figure_08"), ["top1"])
    for claim in parse(lab.load("figure_08").exhibit.claims):
        if claim.id in ("C1", "C4"):
            one, two = evaluate(claim, plain)[0], evaluate(claim, other)[0]
            assert (two.p, two.low, two.high) == pytest.approx((one.p, one.low, one.high), rel=1e-6, abs=1e-9)


def tuned(values: list[list[float]]) -> Cells:
    """Two settings of one cell, (validation, test) each."""
    keys = [
        {"loss": "a", "lr": lr, "split": split, "metric": "m"}
        for lr in ("1", "2")
        for split in ("validation", "test")
    ]
    return Cells(keys, np.array(values)).tuned(["lr"])


def test_validation_chooses_and_the_test_split_counts():
    found = tuned([[50, 52], [90, 91], [60, 61], [10, 11]])
    assert found.keys == [{"loss": "a", "metric": "m"}] and found.values.tolist() == [[10, 11]]


def test_nothing_is_chosen_among_those_that_happened_to_finish():
    with pytest.raises(Missing, match="m of loss=a, lr=2, split=validation"):
        tuned([[50, 52], [90, 91], [60, np.nan], [10, 11]])


def test_an_exhibit_without_splits_has_nothing_to_tune():
    cells = Cells([{"loss": "a", "metric": "m"}], np.ones((1, 1)))
    assert cells.tuned(["lr"]) is cells


def test_a_cell_that_was_never_measured_says_so():
    claim = parse({"C1": {"says": "x", "type": "D", "metric": "m"}})[0]
    with pytest.raises(Missing, match="m of k=a"):
        evaluate(claim, Cells([{"k": "a", "metric": "m"}], np.array([[np.nan]])))


def test_the_page_and_the_command_write_the_same_verdicts(lab):
    heads(lab, rows(8.0)).draw("figure_08")
    lab.index()
    path = lab.out / SCALE / "verdicts.json"
    written = path.read_bytes()
    path.unlink()
    lab.judge()
    assert path.read_bytes() == written
    found = json.loads(written)
    assert list(found) == ["scale", "made_from", "counts", "claims"] and list(found["counts"]) == list(
        VERDICTS
    )
    assert found["counts"] == {
        "confirmed": 2,
        "contradicted": 0,
        "inconclusive": 0,
        "not run": 2,
        "report": 1,
    }
    assert all(list(claim) == list(FIELDS) for claim in found["claims"])
    assert [claim["id"] for claim in found["claims"]] == ["B5", "C1", "C4", "C5", "C8"]


def test_the_claims_of_an_exhibit_that_is_not_drawn_are_not_run(lab):
    """An empty folder is no report without claims."""
    heads(lab, rows(8.0))
    shutil.rmtree(lab.tidy("figure_08"))
    lab.judge()
    found = json.loads((lab.out / SCALE / "verdicts.json").read_text())
    assert found["counts"]["not run"] == len(found["claims"]) == 5
    assert {claim["id"]: claim["missing"] for claim in found["claims"]}["C1"] == ["figure_08 has no results"]
    below = next(claim for claim in found["claims"] if claim["id"] == "B5")
    assert (below["missing"], below["reason"]) == ([], "makes sense from scale paper on")


def test_a_place_among_values_of_which_one_is_unknown_names_no_cell(lab):
    """Of width 8 no run has a number and none tells what it was: then 32 is not the first width."""
    claims = declared("""    says: The least width.
    type: D
    metric: top1
    contrast:
    - minus: [{output_dim: first}, {output_dim: last}]
""")
    kept = [row for row in rows(8.0) if row[1] != 8]
    gone = tuple(f"pretrain/projection{kind}-output_dim1-seed{s}" for kind in (1, 2) for s in range(4))
    found = verdicts(heads(lab, kept, gone, claims))["C1"]
    assert (found["verdict"], found["missing"]) == (
        "not run",
        ["a value of output_dim of which no run has a number"],
    )


@pytest.mark.parametrize("seeds", [(0,), (0, 1), (0, 1, 2, 3)])
def test_a_cell_that_lacks_seeds_costs_its_seeds_and_is_named_if_one_is_left(lab, seeds):
    kept = [row for row in rows(8.0) if row[:2] != ["linear", 8] or row[2] in seeds]
    found = verdicts(heads(lab, kept))["C1"]
    if len(seeds) > 1:
        assert (found["verdict"], found["n"]) == ("confirmed", len(seeds))
    else:
        assert found["missing"] == ["top1 of projection=linear, output_dim=8 (1 of 4 seeds)"]


def test_a_number_may_depend_on_the_scale():
    body = {
        "says": "x",
        "type": "E",
        "metric": "m",
        "within": 1,
        "contrast": [{"minus": [{"k": "a"}, {"smoke": 1, "reduced": 2, "cifar10": 3, "paper": 4}]}],
    }
    for scale, number in (("smoke", 1), ("paper", 4)):
        (claim,) = parse({"C1": body}, scale)
        assert claim.conditions[0].contrast == [{"minus": [{"k": "a"}, number]}]


def test_a_small_scale_without_claims_has_no_verdicts(nine):
    nine.draw("figure_04")
    nine.index()
    assert json.loads((nine.out / SCALE / "verdicts.json").read_text())["claims"] == []
