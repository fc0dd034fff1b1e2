"""Whatever is wrong with a file, the error says what was expected, what was found, and where."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import compare, draw
from reports.reading.knobs import canonical, sort_key
from tests.reports.conftest import call, refused

KNOBS = ["projection", "output_dim"]
ROW = ["linear", 32, 0, "top1", 40.0, "a"]


@pytest.fixture
def one(lab):
    lab.put("figure_08", KNOBS, [ROW])
    return lab


def test_evidence_is_read_whole(one):
    evidence = one.load("figure_08")
    assert evidence.knobs == KNOBS and evidence.missing == () and evidence.arrays == {}
    assert evidence.measured.to_dict("records") == [
        {"projection": "linear", "output_dim": "32", "seed": "0", "metric": "top1", "value": 40.0, "run": "a"}
    ]
    assert evidence.exhibit.thinned is None and evidence.exhibit.section == "4.2"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.csv", None, "a file is missing .*rows.csv"),
        ("rows.csv", "", "a table is empty"),
        ("rows.csv", "projection,seed,metric,value,run\n", "expected column output_dim"),
        (
            "rows.csv",
            "projection,output_dim,seed,metric,value,run\nlinear,32,0\n",
            "expected 6 fields .* row 2",
        ),
        (
            "rows.csv",
            "projection,output_dim,seed,metric,value,run\nlinear,32,0,top1,nan,a\n",
            r"expected a finite number, at most 1e\+12 in size, for top1 of run a",
        ),
        (
            "rows.csv",
            "projection,output_dim,seed,metric,value,run\nlinear,32,0,top1,1e308,a\n",
            r"for top1 of run a found 1e\+308",
        ),
        (
            "rows.csv",
            "projection,output_dim,seed,metric,value,run\nlinear,32,0,top1,4,a",
            "expected a last row that ends with a line end found a file that is cut off after '.*top1,4,a'",
        ),
        (
            "rows.csv",
            "projection,output_dim,seed,metric,value,run\nlinear,32,0,top1,4,another\n",
            "expected runs that a provenance or plan names( .*)? found run another",
        ),
        (
            "rows.csv",
            "projection,output_dim,seed,metric,value,run\n",
            "expected rows of run pretrain/a,( .*)? found none",
        ),
        (
            "rows.csv",
            "projection,output_dim,seed,metric,value,run\n"
            + "linear,32,0,top1,1,a\nlinear,32.0,0,top1,2,b\n",
            "expected one row per cell, seed and metric .* by run b",
        ),
        ("provenance.json", None, "a file is missing .*provenance.json"),
        ("provenance.json", "{", "a file is damaged expected JSON"),
        ("provenance.json", "[]", "found a JSON list"),
        ("provenance.json", '{"missing": "none"}', "expected a list under 'missing'"),
        (
            "provenance.json",
            '{"missing": [], "versions": {}}',
            "expected a dict under 'runs'( .*)? found None",
        ),
        ("provenance.json", {"runs": {"pretrain/a": {}}}, "an object with bindings for run pretrain/a"),
        ("provenance.json", {"runs": {"pretrain/a": None}}, "an object with bindings for run pretrain/a"),
        ("provenance.json", {"missing": [3]}, "expected names of runs under 'missing'"),
        ("provenance.json", "[" * 100_000, "a file is damaged expected JSON"),
        (
            "provenance.json",
            '{"missing": [], "runs": {}, "versions": {}, "scale": "paper", "exhibit": "figure_08"}',
            "expected scale 'smoke'( .*)? found 'paper'",
        ),
        ("arrays.npz", "not an archive", "expected an .npz archive"),
    ],
)
def test_a_broken_result_is_named(one, name, content, message):
    path = one.tidy("figure_08") / name
    if isinstance(content, dict):
        content = json.dumps(json.loads(path.read_text()) | content)
    path.unlink() if content is None else path.write_text(content)
    with refused(message) as caught:
        one.load("figure_08")
    assert str(path) in str(caught.value)
    assert any(word in str(caught.value) for word in ("again", "correct"))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e308])
def test_an_array_that_cannot_be_drawn_is_named(one, value):
    np.savez(one.tidy("figure_08") / "arrays.npz", **{"a/picture": np.array([1.0, value])})
    with refused(r"at most 1e\+12 in size found other numbers in array a/picture where .*arrays.npz"):
        one.load("figure_08")


@pytest.mark.parametrize("command", [draw, compare])
def test_rows_cut_anywhere_are_refused_by_every_reader(lab, command):
    """Wherever a file ends early, a run has lost its rows, or has another's name, or a row is not whole."""
    rows = [["linear", 32, seed, "top1", 40.5, f"part1-seed{seed}"] for seed in (1, 10)]
    lab.put("figure_08", KNOBS, rows)
    path = lab.tidy("figure_08") / "rows.csv"
    whole = path.read_text()
    folders = {"--results": lab.results, "--params": lab.params, "--out": lab.out}
    options = ["--scale=smoke", *[text for name, at in folders.items() for text in (name, str(at))]]
    options.append("--exhibit=figure_08" if command is draw else f"--base={lab.results}")
    for length in range(len(whole)):
        path.write_text(whole[:length])
        with refused(r"rows\.csv"):
            call(command.main, *options)
    assert not lab.out.exists()


def test_a_run_of_which_a_stage_is_missing_needs_no_rows(one):
    path = one.tidy("figure_08") / "provenance.json"
    found = json.loads(path.read_text())
    found["runs"]["pretrain/b"] = found["runs"]["pretrain/a"]
    path.write_text(json.dumps(found | {"missing": ["linear_eval/b"]}))
    assert one.load("figure_08").missing == ("linear_eval/b",)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("id: figure_08", "id: figure_09", "expected id: figure_08"),
        ("kind: figure", "kind: chart", "expected kind: figure or table"),
        ('section: "4.2"', "section: 4.2", "in quotation marks"),
        ("caption: What it shows.", "caption:", "expected some text under caption"),
        ("knobs: {", "knobs: 3 #", "expected a mapping under knobs"),
        ("id: figure_08", "id: [", "expected YAML"),
    ],
)
def test_a_broken_declaration_is_named(one, old, new, message):
    path = one.params / "exhibits" / "figure_08.yaml"
    path.write_text(path.read_text().replace(old, new))
    with refused(message):
        one.load("figure_08")


def test_a_broken_header_of_paper_values_is_named(one):
    (one.params / "paper" / "figure_08.csv").write_text("projection,value,metric\n")
    with refused("expected knob columns and then metric, value"):
        one.load("figure_08")


def test_missing_runs_are_kept_in_order(one):
    path = one.tidy("figure_08") / "provenance.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"missing": ["b", "a"]}))
    assert one.load("figure_08").missing == ("b", "a")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0.10", "0.1"), ("256.0", "256"), ("1e-06", "1e-06"), ("1/8", "1/8"), ("none", "none"), ("nan", "nan")],
)
def test_one_spelling_per_value(text, expected):
    assert canonical(text) == expected


@given(st.one_of(st.floats(allow_nan=False, allow_infinity=False).map(repr), st.text(max_size=8)))
def test_a_canonical_spelling_is_canonical(text):
    assert canonical(canonical(text)) == canonical(text)


def test_numbers_sort_by_size_before_words():
    assert sorted(["any", "1024", "64", "AutoAug"], key=sort_key) == ["64", "1024", "AutoAug", "any"]
