"""Two sides on one page: parameters, numbers, verdicts and both drawings."""

import json
import re

import numpy as np

from reports import compare, draw
from reports.comparing.changes import moves
from reports.comparing.sides import from_results
from tests.reports.comparing.two_sides import CLAIM, HEADS, cells, measure, page, sides
from tests.reports.conftest import SCALE


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
    two[0].settle()
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
    assert '<figure class="scroll"' in found and "scroll photos" not in found
    drawn = {path.name: path.read_bytes() for path in folder.glob("*.svg")}
    assert len(drawn) == 2 and drawn["figure_08_base.svg"] != drawn["figure_08_here.svg"]
    found = page(two[1].results, two[1])
    assert "0 numbers moved, 2 stayed" in found and not list(folder.glob("*.svg"))


def test_drawings_say_of_which_data_set_each_side_is(two):
    for lab, value, name in zip(two, (40, 41), ("toys", "beasts"), strict=True):
        lab.put("figure_08", HEADS[:2], [["linear", 32, 0, "top1", value, "p1-seed0"]])
        path = lab.tidy("figure_08") / "provenance.json"
        path.write_text(path.read_text().replace('"toy"', f'"{name}"'))
        lab.settle()
        side = from_results(lab.results, SCALE, ["figure_08"])
        drawn = draw.draw(compare.evidence_of(side, "figure_08", lab.params))
        assert f"Ours: data set {name}." in json.loads(drawn["json"])["notes"]


def test_a_knob_that_only_one_side_has_is_empty_on_the_other(two):
    two[0].put("figure_08", HEADS[:2], [["linear", 32, 0, "top1", 40, "p1-seed0"]])
    rows = [["linear", 32, "", 0, "top1", 41, "p1-seed0"], ["linear", 32, "z", 0, "top1", 39, "p2-seed0"]]
    two[1].put("figure_08", HEADS, rows)
    found = page(two[0].results, two[1])
    assert (
        "1 number moved, 0 stayed, 1 on one side alone" in found
        and "<td>projection linear, output_dim 32</td>" in found
    )
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
    assert found.count('<figure class="scroll photos"') == 2, "or the dark would invert them"


def test_between_two_scales_only_equal_settings_meet(two):
    base, here = two
    measure(base, cells([0.05, 0.1], [[50.0], [60.0]]))
    measure(here, cells([0.1, 0.5], [[30.0], [40.0]]))
    path = base.tidy("table_05") / "provenance.json"
    path.write_text(path.read_text().replace('"scale": "smoke"', '"scale": "reduced"'))
    base.settle()
    (base.results / SCALE).rename(base.results / "reduced")
    path = here.params / "exhibits" / "table_05.yaml"
    path.write_text(path.read_text().replace("scales: {smoke: {}}", "scales: {smoke: {}, reduced: {}}"))
    found = page(base.results, here, "--base-scale", "reduced")
    assert "scale reduced, to" in found and "scale smoke:" in found
    assert "1 number moved, 0 stayed, 2 on one side alone" in found
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


def test_several_bases_have_a_page_each_and_one_that_leads_to_them(two, capsys):
    base, here = two
    measure(base, cells([0.1, 0.5], [[30.0], [40.0]]))
    measure(here, cells([0.1, 0.5], [[33.0], [40.0]]))
    found = page(f"{base.results} {here.results}", here)
    folder = here.out / SCALE / "compare"
    links = [folder / link for link in re.findall(r'href="([^"]+/index\.html)"', found)]
    assert len(links) == 2 and all(link.is_file() for link in links)
    said = capsys.readouterr().out
    assert f"{base.results}: 0 parameter differences, 1 number moved" in said
    assert f"{here.results}: 0 parameter differences, 0 numbers moved" in said
    assert '<td>33.0 (n = 1)</td><td>30.0 (n = 1), here +3</td><td class="same">=</td>' in found, (
        "side by side"
    )
    assert "40.0" not in found, "what differs from no base has no row"


def test_markdown_has_the_differences_alone_and_pictures_by_relative_path(two):
    for lab, shift in zip(two, (0, 1), strict=True):
        rows = [[kind, 32, "", 0, "top1", 41 + shift, f"{kind}-seed0"] for kind in ("lin|ear", "nonlinear")]
        lab.put("figure_08", HEADS, rows)
    two[0].settle()
    page(two[0].results, two[1], "--markdown")
    folder = two[1].out / SCALE / "compare"
    said = (folder / "changes.md").read_text()
    assert "projection lin\\|ear, output_dim 32 | top1 | 41.0 (n = 1) | 42.0 (n = 1) | +1 |" in said
    assert "Parameters that differ" not in said and "Verdicts that changed" not in said
    pictures = re.findall(r"\]\(([^)]+)\)", said)
    assert pictures == ["figure_08_base.svg", "figure_08_here.svg"] and all(
        (folder / name).is_file() for name in pictures
    )


def test_what_is_ignored_is_no_difference_and_is_said_to_be_left_out(two, capsys):
    measure(two[0], cells([0.1], [[30.0]]))
    measure(two[1], cells([0.2], [[33.0]]))
    found = page(two[0].results, two[1], "--ignore", "nt_xent.*", "top*", "--markdown")
    said = "0 parameter differences, 0 numbers moved, 0 stayed, 0 verdicts changed; left out: nt_xent.*, top*"
    counts = " (1 parameter difference, 1 number that moved)"
    assert said + counts in capsys.readouterr().out and said + counts in found
    assert "same declarations" not in found and found.count("None besides the 1 left out.") == 2
    changes = (two[1].out / SCALE / "compare" / "changes.md").read_text()
    assert said.replace("*", "\\*") + counts in changes


def test_of_equal_declarations_it_says_so_whatever_would_have_been_ignored(two):
    for lab in two:
        measure(lab, cells([0.1], [[30.0]]))
    assert "None: both sides ran the same declarations." in page(two[0].results, two[1], "--ignore", "top5")


def test_beside_several_bases_it_says_what_is_left_out(two):
    measure(two[0], cells([0.1], [[30.0]]))
    measure(two[1], cells([0.2], [[33.0]]))
    found = page(f"{two[0].results} {two[1].results}", two[1], "--ignore", "nt_xent.*")
    assert "Left out: nt_xent.*; how much of each base, its own page says." in found


def test_a_number_whose_spread_alone_changed_is_on_the_page(two, capsys):
    measure(two[0], cells([0.1], [[41.5, 42.5]]))
    measure(two[1], cells([0.1], [[32.0, 52.0]]))
    found = page(two[0].results, two[1])
    assert "1 number moved, 0 stayed" in capsys.readouterr().out
    assert ">42.0 ± 0.7 (n = 2)<" in found and ">42.0 ± 14.1 (n = 2)<" in found
    assert "<span>+0</span>" in found, "neither up nor down"
