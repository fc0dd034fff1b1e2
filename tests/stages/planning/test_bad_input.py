"""Whatever stands under params/, planning ends in a plan or in a message: no traceback, no hang, nothing outside.

TRUST_FUZZ=20000 makes the short form long.
"""

import json
import os
import re
import resource
import shutil
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common import documents, scales, schemas
from common.errors import UserError
from stages import plan
from stages.planning import fingerprint, plans
from stages.planning.code_hashes import ROOT
from tests.stages import tiny

EXAMPLES = max(60, int(os.environ.get("TRUST_FUZZ", "0")) // 3)  # of each of three tests
EXHIBIT = Path("params/exhibits/table_05.yaml")
RECIPE = Path("params/recipes/pretrain_smoke.gin")
DECLARED = [
    EXHIBIT,
    RECIPE,
    Path("params/scale.yaml"),
    Path("params/adopted.yaml"),
    Path("params/scales/smoke.yaml"),
]

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
HOSTILE = {
    "latin-1": "title: Übergröße\n".encode("latin-1"),
    "utf-16": "title: x\n".encode("utf-16"),
    "nul": b"title: a\0b\n",
    "brackets": b"a: " + b"[" * 3000 + b"]" * 3000,
    "open brackets": b"[" * 100_000,
    "deep mapping": b"".join(b" " * n + b"a:\n" for n in range(3000)),
    "aliases": BOMB.encode(),
    "an alias of itself": b"a: &a [*a]\n",
    "a date": b"a: 2001-99-99\n",
    "a tag": b"a: !!python/object/apply:os.system [touch x]\n",
    "digits": b"a: " + b"9" * 5000,
    "two documents": b"a: 1\n---\nb: 2\n",
    "a key twice": b"a: 1\na: 2\n",
    "a number": b"7\n",
    "nothing": b"",
    "a list": b"- 1\n- 2\n",
    "a control character": b"a: \x01\n",
    "not a number": b"scale: .nan\n",
}


@pytest.fixture(autouse=True)
def forget():
    yield
    fingerprint.adoptions.cache_clear()


def outcome(path: Path) -> str:
    """The message that planning ends in, or nothing; a traceback fails the test."""
    fingerprint.adoptions.cache_clear()
    fingerprint.declaration_of.cache_clear()
    try:
        scales.default()
        for runs in plans.resolve("table_05", "smoke").stages.values():
            assert all(run.fingerprint for run in runs)
    except UserError as error:
        # The file itself, or the other one that it no longer fits.
        assert str(path) in str(error) or "params/" in str(error), str(error)
        return str(error)
    return ""


@pytest.mark.parametrize("path", [*DECLARED, Path("params/datasets.yaml")], ids=lambda path: path.name)
@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_is_refused_by_name_in_little_time_and_memory(project, path, data):
    path.write_bytes(data)
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    message = outcome(path)
    harmless = path.name == "adopted.yaml" and not data  # nothing is adopted
    assert (message or harmless) and len(message) < 6000
    assert time.monotonic() - started < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


@pytest.mark.parametrize(
    "text", ["Lars.eta = (1,", "Lars.eta = " + "[" * 3000, "Lars.eta = 1\0", "=", "a.b = 'x"]
)
def test_a_recipe_with_an_open_bracket_is_no_traceback(project, text):
    RECIPE.write_text(text)
    assert "pretrain_smoke.gin" in outcome(RECIPE)


@pytest.mark.parametrize("path", DECLARED, ids=lambda path: path.name)
def test_a_folder_in_the_place_of_a_file_is_told(project, path):
    path.unlink()
    path.mkdir()
    assert outcome(path)


def test_editors_leftovers_are_no_exhibits(project):
    for name in (".#table_05.yaml", "._table_05.yaml", "table_05.yaml~"):
        (EXHIBIT.parent / name).write_bytes(b"\0")
    assert outcome(EXHIBIT) == ""


@pytest.mark.parametrize("name", ["x", "figure", "figure_", "Figure_1", "table_05 ", "täble_01", "table_0x"])
def test_a_file_that_is_no_exhibit_is_told_by_name(project, name):
    shutil.copy(EXHIBIT, EXHIBIT.with_name(f"{name}.yaml"))
    with pytest.raises(UserError) as caught:
        plans.all_plans("smoke")
    assert f"{name}.yaml" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "scale: 'smoke; touch INJECTED #'",
        "scale: $(touch INJECTED)",
        "scale: ../../smoke",
        "scale: [smoke]",
        "scale:\n  smoke: 1",
        "sclae: smoke",
        "scale: smoke\nother: 1",
        "scale: null",
    ],
)
def test_a_scale_is_one_of_those_that_there_are(project, text):
    Path("params/scale.yaml").write_text(text)
    assert "params/scale.yaml" in outcome(Path("params/scale.yaml"))
    assert not list(project.rglob("INJECTED"))


@pytest.mark.parametrize(
    "text",
    [
        "[{stage: pretrain}]",
        "[{stage: pretrain, code: a, same_as: b, reason: ' '}]",
        "[{stage: pretrain, code: 1, same_as: b, reason: c}]",
        "[3]",
        "{}",
        "x",
    ],
)
def test_an_adoption_has_its_four_words(project, text):
    Path("params/adopted.yaml").write_text(text)
    assert "params/adopted.yaml" in outcome(Path("params/adopted.yaml"))


def test_the_command_ends_with_a_message(project, capsys):
    EXHIBIT.write_bytes(HOSTILE["brackets"])
    assert plan.main(["--scale", "smoke"]) == 2
    assert capsys.readouterr().err.startswith("error: ")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
LONG = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)


@pytest.fixture
def small(project) -> bytes:
    """One exhibit, so that an example takes milliseconds."""
    tiny.declare_only(project, {"table_05": SMALL})
    return EXHIBIT.read_bytes()


SMALL = """\
knobs:
  temperature: nt_xent.temperature
  loss:
    one: {Pretraining.loss: nt_xent}
runs:
  - chain: [pretrain, linear_eval]
    set: {Lars.eta: 0.001}
    grid: {temperature: [0.1, 0.5], loss: [one]}
measure: [linear_eval.top1]
seeds: [0]
"""


@LONG
@given(data=st.data())
def test_any_value_in_any_place_of_an_exhibit(small, data):
    """A value of a mapping or a list is replaced by another, or a key by another."""
    content = documents.plain(documents.read_yaml_with_lines(EXHIBIT), EXHIBIT) if _reset(small) else None
    node, steps = content, data.draw(st.integers(1, 4))
    for step in range(steps):
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            break
        key = data.draw(st.sampled_from(keys))
        if step == steps - 1 or not isinstance(node[key], dict | list) or not node[key]:
            node[key] = data.draw(VALUES)
            break
        node = node[key]
    _dump(content)
    outcome(EXHIBIT)


@LONG
@given(data=st.data())
def test_any_bytes_changed_in_any_declaration(small, data):
    _reset(small)
    path = data.draw(st.sampled_from(DECLARED))
    whole = path.read_bytes()
    at = data.draw(st.integers(0, max(0, len(whole) - 1)))
    cut = data.draw(st.integers(0, 8))
    path.write_bytes(whole[:at] + data.draw(st.binary(max_size=8)) + whole[at + cut :])
    try:
        outcome(path)
    finally:
        path.write_bytes(whole)


@LONG
@given(value=VALUES, key=st.sampled_from(["Lars.eta", "ViewPolicy.ops", "Pretraining.loss", "resnet.depth"]))
def test_any_value_in_a_recipe(small, value, key):
    _reset(small)
    whole = RECIPE.read_text()
    RECIPE.write_text(re.sub(rf"(?m)^{re.escape(key)} = .*$", "", whole) + f"\n{key} = {value!r}\n")
    try:
        outcome(RECIPE)
    finally:
        RECIPE.write_text(whole)


def _reset(small: bytes) -> bool:
    EXHIBIT.write_bytes(small)
    return True


def _dump(content: object) -> None:
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    with open(EXHIBIT, "w") as file:
        yaml.dump(content, file)


def test_nothing_is_written_outside(project):
    """An exhibit's id, a scale's name and a stage become paths: none of them leaves params/ and results/."""
    for name in ("../x", "/tmp/x", "a/b"):
        with pytest.raises(UserError):
            plans.resolve(name, "smoke")
        with pytest.raises(UserError):
            plans.resolve("table_05", name)


def test_the_schemas_are_schemas():
    import jsonschema

    for path in sorted((ROOT / "params" / "schema").glob("*.json")):
        jsonschema.Draft202012Validator.check_schema(json.loads(path.read_text()))
    assert Path("params/schema") == schemas.FOLDER
