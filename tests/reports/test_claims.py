"""All claims of the paper are declared, and its own numbers say of each what the paper says."""

import json
from contextlib import suppress
from dataclasses import replace
from functools import cache

import jsonschema
import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML
from statsmodels.stats.multitest import multipletests

from reports.claims import main, page
from reports.judging import cells
from reports.judging.claim import parse
from reports.judging.selection import Missing
from reports.judging.testing import evaluate, on_paper
from reports.reading.paper import COLUMNS as PAPER_COLUMNS
from reports.reading.paper import load_paper
from tests.reports.conftest import refused
from tests.reports.judging.declared_claims import FILES, PAPER, ROOT, claims

CLAIMS = claims()
SUBJECTS = {"A": 17, "B": 6, "C": 9, "D": 10, "E": 11, "F": 5, "G": 6, "H": 4, "I": 3}
ALL = [f"{subject}{number}" for subject, count in SUBJECTS.items() for number in range(1, count + 1)]
each = pytest.mark.parametrize("name", ALL)
SCHEMA = json.loads((ROOT / "params" / "schema" / "exhibit.json").read_text())
# Ours, and not in the paper's tables: columns that label cells, and metrics.
OUR_COLUMNS = {
    "metric",
    "representation",
    "ablation",
    "training",
    "learning_rate",
    "temperature",
    "panel",
    "epochs",
}
CONTRADICTED_BY_ITS_NUMBERS = {"A5", "G4"}
WITHOUT_NUMBERS = {
    *("A8", "A9", "A10", "A16", "A17", "C5", "C8", "C9", "D4", "D5", "E4", "E6", "F4", "F5"),
    *("H1", "H2", "H3", "H4", "I1", "I2", "I3"),
}


@cache
def paper_of(exhibit: str) -> pd.DataFrame:
    return load_paper(PAPER / f"{exhibit}.csv")


def test_71_claims_are_declared_and_no_other():
    missing, unknown = set(ALL) - set(CLAIMS), set(CLAIMS) - set(ALL)
    assert len(ALL) == 71 and not missing and not unknown, f"missing {missing}, unknown {unknown}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_claims_obey_the_schema_and_keep_their_bytes_through_yaml(path, tmp_path):
    document = YAML(typ="safe").load(path.read_text()).get("claims", {})
    rules = SCHEMA["properties"]["claims"] | {"$defs": SCHEMA["$defs"]}
    jsonschema.validate(document, rules)
    again = tmp_path / "again.yaml"
    YAML().dump(YAML().load(path.read_text()), again)
    if document:
        assert again.read_text().split("claims:")[-1] == path.read_text().split("claims:")[-1]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"of": "all"}, "'all' does not match"),
        ({"abvoe": 5}, "'abvoe' was unexpected"),
        ({"type": "Equal"}, "not one of"),
        ({"contrast": [{"pair": "dim"}]}, "'pair' was unexpected"),
        ({"contrast": [{"minus": [{"kind": "a"}]}]}, "too short"),
        ({"within": 0}, "less than or equal to the minimum"),
        ({"where": {"kind": {"unlike": "a"}}}, "'unlike' was unexpected"),
    ],
)
def test_the_schema_refuses_what_has_no_meaning(change, complaint):
    claim = {"says": "x", "type": "D", "metric": "top1"} | change
    with pytest.raises(jsonschema.ValidationError, match=complaint):
        jsonschema.validate({"C1": claim}, SCHEMA["properties"]["claims"] | {"$defs": SCHEMA["$defs"]})


@each
def test_the_papers_own_numbers_say_what_the_paper_says(name):
    exhibit, claim = CLAIMS[name]
    found = on_paper(claim, paper_of(exhibit))
    if name in WITHOUT_NUMBERS:
        assert found == {"effect": None, "unit": "", "supports": None, "at": {}}
        assert claim.paper_text or claim.type == "A"
    else:
        assert (found["supports"] is True) != (name in CONTRADICTED_BY_ITS_NUMBERS)
    assert bool(claim.paper_differs) == (name in CONTRADICTED_BY_ITS_NUMBERS)


@pytest.mark.parametrize(
    ("name", "effect"),
    [
        ("A2", 55.8 - 46.2),
        ("A3", 55.8 - 33.1),
        ("A6", 3.9),
        ("C2", 10.4),
        ("C3", 14.6),
        ("C6", 1.9),
        ("D1", 6.0),
        ("D2", 6.3),
        ("D7", 7.2),
        ("D9", -0.6),
        ("B5", 0.0),
        ("B6", 5.5),
        ("E3", 4.2),
        ("F2", 14.7 - 8.8),
        ("F3", 1.3),
        ("G4", 9),
        ("G6", 12),
    ],
)
def test_known_effects_of_the_paper(name, effect):
    exhibit, claim = CLAIMS[name]
    assert on_paper(claim, paper_of(exhibit))["effect"] == pytest.approx(effect, abs=0.05)


@pytest.mark.parametrize("name", [name for name in ALL if name not in WITHOUT_NUMBERS])
def test_a_mirrored_paper_is_contradicted(name):
    """What was more is less. Only equal is still equal, as are a correlation and "each wins on a quarter"."""
    exhibit, claim = CLAIMS[name]
    paper = paper_of(exhibit).assign(number=lambda frame: 100 - frame["number"])
    mirrored = dict.fromkeys(("A6", "B5", "C4", "D9", "G1", "G2"), True) | {"E9": None}
    assert on_paper(claim, paper)["supports"] is mirrored.get(name, False)


@each
def test_selections_name_knobs_that_the_exhibit_has(name):
    """A misspelt knob would make the claim wait for cells that never come."""
    exhibit, claim = CLAIMS[name]
    known = set(paper_of(exhibit).columns) - {*PAPER_COLUMNS, "number"}
    path = ROOT / "params" / "exhibits" / f"{exhibit}.yaml"
    if path.exists():
        tree = YAML(typ="safe").load(path.read_text())
        known |= {*tree["knobs"], *(label for block in tree["runs"] for label in block.get("label", {}))}
    used = set().union(*(_knobs(condition) for condition in claim.conditions))
    assert used <= known | OUR_COLUMNS


def _knobs(condition) -> set[str]:
    found = set(condition.where)
    sides = [*(condition.correlate or ())[1:]]
    for step in condition.contrast:
        ((kind, body),) = step.items()
        sides += body if kind == "minus" else []
        found |= {body} if isinstance(body, str) else set(body) if kind == "swap" else set()
    for side in sides:
        for selection in side if isinstance(side, list) else [side]:
            found |= set(selection) if isinstance(selection, dict) else set()
    return found


def test_the_list_is_current():
    """Written by `python -m reports.claims`."""
    assert (ROOT / "docs" / "claims.md").read_text() == page(ROOT / "params")


def test_the_list_tells_the_papers_claims_from_our_own(lab, tmp_path):
    for exhibit, name in (("figure_08", "C2"), ("figure_10", "X1")):
        lab.declare(exhibit, ["projection"])
        path = lab.params / "exhibits" / f"{exhibit}.yaml"
        path.write_text(path.read_text() + f"claims: {{{name}: {{says: More., type: D, metric: top1}}}}\n")
    main(["--params", str(lab.params), "--out", str(tmp_path / "claims.md")])
    papers, own = (tmp_path / "claims.md").read_text().split("## Of our own exhibits")
    assert "1 claims of the paper" in papers and "| C2 | figure_08 |" in papers and "X1" not in papers
    assert "| X1 | figure_10 |" in own


def test_a_claim_is_its_conditions_with_what_they_share():
    (claim,) = parse(
        {
            "D8": {
                "says": "x",
                "type": "D",
                "of": "every",
                "all": [{"metric": "a", "below": 0}, {"metric": "b"}],
            }
        }
    )
    assert claim.metrics == ["a", "b"] and {condition.of for condition in claim.conditions} == {"every"}
    assert [condition.bound.kind for condition in claim.conditions] == ["below", "above"]


@pytest.mark.parametrize(
    "body",
    [
        {"type": "D", "metric": "top1"},
        {"says": "x", "type": "D"},
        {"says": "x", "type": "D", "metric": "a", "above": "y"},
        [],
    ],
)
def test_a_broken_claim_is_refused_by_name(body):
    with refused("claim: D8"):
        parse({"D8": body})


def test_noise_decides_how_sure_the_paper_is():
    exhibit, claim = CLAIMS["G3"]
    paper = paper_of(exhibit)
    table = cells.of_paper(paper)
    p = [evaluate(claim, table, noise=noise)[0].p for noise in (0.05, 0.15, 1.0)]
    assert p == sorted(p) and p[0] < 1e-6 and p[2] > 0.3


def test_five_noisy_repeats_of_the_papers_numbers_confirm_most_of_what_it_claims():
    """Cells that repeat to 0.2 points, and Holm over all claims with numbers: four in five are confirmed."""
    generator, confirmed, tested = np.random.default_rng(0), 0, 0
    tables = {name: cells.of_paper(paper_of(CLAIMS[name][0])) for name in ALL if name not in WITHOUT_NUMBERS}
    for _ in range(4):
        p = []
        for name, table in tables.items():
            if (claim := CLAIMS[name][1]).type == "report":
                continue
            noise = generator.normal(size=(1, 5)) + generator.normal(size=(len(table.keys), 5))
            with suppress(Missing):  # F3's narrow network from scratch is in another table
                p.append(evaluate(claim, cells.Cells(table.keys, table.values + 0.2 * noise))[0].p)
        confirmed, tested = confirmed + sum(multipletests(p, method="holm")[0]), tested + len(p)
    assert tested >= 4 * 45 and confirmed > 0.8 * tested


def test_a_claim_about_a_metric_that_nobody_measured_is_missing():
    exhibit, claim = CLAIMS["C2"]
    paper = paper_of(exhibit)
    other = replace(claim, conditions=tuple(replace(each, metrics=("top9",)) for each in claim.conditions))
    with pytest.raises(Missing, match="top9"):
        evaluate(other, cells.of_paper(paper))
