"""docs/declaring.md, held to the code: every key is named, every example is planned, every claim finds its cells."""

import json
import re
from typing import Any

import pytest
from ruamel.yaml import YAML

from common import files
from reports.judging.claim import parse
from reports.judging.contrast import STEPS, minus, rows_of
from reports.reading.knobs import canonical
from stages.collecting.rows import cells
from stages.planning import plans
from stages.planning.declaration import read_exhibit
from stages.planning.searches import stages_with_runs
from tests.small_copy import ROOT
from tests.stages.conftest import project  # noqa: F401, the fixture

PAGE = (ROOT / "docs" / "declaring.md").read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, flags=re.M | re.S)
WHOLE, *PARTS = [YAML(typ="safe").load(block) for block in BLOCKS]
EXHIBITS = [WHOLE, *[WHOLE | part for part in PARTS if "parent" not in part]]
SCALES = [part for part in PARTS if "parent" in part]


def keys_of(schema: Any) -> set[str]:
    """Every key that a schema allows somewhere, but for the names that people choose."""
    if isinstance(schema, list):
        return {key for each in schema for key in keys_of(each)}
    if not isinstance(schema, dict):
        return set()
    own = set(schema.get("properties", {})) if isinstance(schema.get("properties"), dict) else set()
    return own | {key for each in schema.values() for key in keys_of(each)}


@pytest.mark.parametrize("name", ["exhibit", "scale"])
def test_every_key_and_word_is_named(name):
    schema = json.loads((ROOT / "params" / "schema" / f"{name}.json").read_text())
    words = keys_of(schema) | set(STEPS) | {"first", "second", "last", "any", "others", "own: yes"}
    quoted = re.findall(r"`([^`\n]+)`", PAGE)
    named = {*quoted, *re.findall(r"[a-z_]+", " ".join(quoted))}
    assert not words - named


def test_every_stage_that_a_chain_may_have_is_named():
    assert not [stage for stage in stages_with_runs() if f"`{stage}`" not in PAGE]


def write(exhibit: dict[str, Any]) -> None:
    files.write_yaml(f"params/exhibits/{exhibit['id']}.yaml", exhibit)


@pytest.mark.parametrize(
    "exhibit", EXHIBITS, ids=lambda exhibit: ",".join(exhibit.get("claims", {})) or "runs"
)
def test_every_example_is_planned_and_its_claims_find_their_cells(project, exhibit):  # noqa: F811
    write(exhibit)
    assert read_exhibit(exhibit["id"]) == exhibit
    for scale in ("smoke", "reduced"):
        plan = plans.resolve(exhibit["id"], scale)
        assert plan.runs("pretrain")
        seen = [values for run, values in cells(plan) if run.seed == plan.runs("pretrain")[0].seed]
        for claim in parse(exhibit.get("claims", {}), scale):
            for condition in claim.conditions:
                keys = [
                    {knob: canonical(str(value)) for knob, value in cell.items()} | {"metric": metric}
                    for cell in seen
                    for metric in condition.metrics
                ]
                rows = rows_of(keys, condition.where, condition.contrast)
                assert rows
                if condition.correlate:
                    assert len(minus(rows, condition.correlate[1:])) > 2


def test_the_example_of_a_scale_is_planned(project):  # noqa: F811
    (scale,) = SCALES
    files.write_yaml("params/scales/lab.yaml", scale)
    runs = plans.resolve("table_05", "lab").runs("pretrain")
    assert len(runs) == 4 and {run.bindings["Pretraining.epochs"] for run in runs} == {20}


def test_the_examples_show_every_step_and_every_form():
    text = "\n".join(BLOCKS)
    assert all(f"- {step}:" in text for step in STEPS)
    claims = [claim for exhibit in EXHIBITS for claim in exhibit.get("claims", {}).values()]
    assert {"D", "R", "E"} <= {claim["type"] for claim in claims}
