"""Equal causes have equal fingerprints, every ingredient counts, and an adoption stands for older code."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import files
from common.errors import UserError
from stages.planning import fingerprint, runs
from stages.planning.fingerprint import (
    NAMES_A_FILE,
    NOT_PART,
    accepted_code,
    adoption_of,
    data_hash,
    declaration_of,
)
from tests.stages import tiny

DATA = {"cifar10_subset": "data-a", "digits": "data-b"}
CODE = {"pretrain": "code-a", "supervised": "code-b"}
VALUES = st.one_of(st.integers(), st.floats(allow_nan=False), st.booleans(), st.text(max_size=5))
NAMES = st.from_regex(r"[a-z]{1,4}\.[a-z]{1,4}", fullmatch=True)
BINDINGS = st.dictionaries(NAMES, VALUES, max_size=6)


def of(stage="pretrain", seed=0, bindings=None, dataset="cifar10_subset", upstream=None) -> str:
    """A fingerprint where data and code are the constants above."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fingerprint, "data_hash", DATA.__getitem__)
        return fingerprint.fingerprint(stage, seed, bindings or {}, dataset, upstream, CODE[stage])


@pytest.fixture
def adopted(project):
    """adopted(*entries): these stand in params/adopted.yaml."""

    def write(*entries: dict[str, str]) -> None:
        files.write_yaml(project / "params" / "adopted.yaml", list(entries))
        fingerprint.adoptions.cache_clear()

    return write


def entry(stage="pretrain", code="new", same_as="old", reason="a name") -> dict[str, str]:
    return {"stage": stage, "code": code, "same_as": same_as, "reason": reason}


@given(BINDINGS, st.randoms())
def test_the_order_of_bindings_does_not_count(bindings, random):
    shuffled = list(bindings.items())
    random.shuffle(shuffled)
    assert of(bindings=bindings) == of(bindings=dict(shuffled))


@given(BINDINGS, BINDINGS)
def test_other_bindings_are_another_run(a, b):
    """Text and numbers that look alike, 1 and 1.0, true and 1 are told apart as JSON tells them apart."""
    assert (of(bindings=a) == of(bindings=b)) == (repr(sorted(a.items())) == repr(sorted(b.items())))


def test_a_fingerprint_is_a_short_hash():
    assert len(of()) == 24 and set(of()) <= set("0123456789abcdef")
    assert of() == of()


def test_every_ingredient_changes_it():
    changes = [
        {"stage": "supervised"},
        {"seed": 1},
        {"bindings": {"nt_xent.temperature": 0.5}},
        {"bindings": {"nt_xent.temperature": 0.1}},
        {"bindings": {"nt_xent.temperature": [0.1]}},
        {"dataset": "digits"},
        {"dataset": None},
        {"upstream": "0123"},
        {"upstream": "0124"},
    ]
    found = [of(), *(of(**change) for change in changes)]
    assert len(set(found)) == len(found)


def test_other_code_and_other_data_change_it(monkeypatch):
    before = of()
    monkeypatch.setitem(CODE, "pretrain", "code-c")
    other_code = of()
    monkeypatch.setitem(DATA, "cifar10_subset", "data-c")
    assert len({before, other_code, of()}) == 3


@pytest.mark.parametrize("key", NOT_PART)
def test_where_and_how_fast_is_not_part_of_it(key):
    assert of(bindings={key: 1, "a.b": 2}) == of(bindings={key: 3, "a.b": 2}) == of(bindings={"a.b": 2})


@pytest.mark.parametrize("key", ["execution.threads", "execution.precision"])
def test_what_decides_the_last_bits_is_part_of_it(key):
    assert key not in NOT_PART and of(bindings={key: 1}) != of(bindings={key: 2})


def test_every_binding_with_a_rule_of_its_own_exists():
    """A renamed setting must not drop out of a list unseen: runs would be made again, or not made again."""
    from stages.planning.configurables import configurables_of

    for stage, keys in (("pretrain", NOT_PART), ("finetune", NAMES_A_FILE)):
        for name, parameter in (key.split(".") for key in keys):
            assert parameter in configurables_of(stage)[name].parameters


def test_a_list_counts_by_what_it_holds_and_not_by_where_it_lies(tmp_path):
    def now(name: str, text: str) -> str:
        (tmp_path / name).write_text(text)
        fingerprint.content_of.cache_clear()  # another plan is another process
        return of(bindings={NAMES_A_FILE[0]: str(tmp_path / name)})

    before = now("list.txt", "a.JPEG\n")
    assert now("moved.txt", "a.JPEG\n") == before != now("list.txt", "b.JPEG\n")
    assert of(bindings={NAMES_A_FILE[0]: ""}) not in (before, of())


def test_a_list_that_is_not_there_is_refused_when_planning(tmp_path):
    with pytest.raises(UserError, match="cannot be read") as caught:
        of(bindings={NAMES_A_FILE[0]: str(tmp_path / "1percent.txt")})
    assert "1percent.txt" in str(caught.value) and "label_subsets" in str(caught.value)


def test_the_data_hash_is_over_what_decides_the_arrays(project):
    path = project / "params" / "datasets.yaml"
    declared = files.read_yaml(path)

    def now(**changes) -> str:
        files.write_yaml(path, {**declared, "digits": {**declared["digits"], **changes}})
        declaration_of.cache_clear()
        return data_hash("digits")

    before = now()
    assert now(title="Another name", sources=[], by_hand="-") == before
    test = declared["digits"]["splits"]["test"]
    others = [
        now(splits={**declared["digits"]["splits"], "test": {**test, "images": "0" * 64}}),
        now(validation={"fraction": 0.1, "seed": 1}),
        now(image=[8, 8, 3]),
    ]
    assert len({before, *others}) == 4
    declaration_of.cache_clear()


def test_an_unknown_data_set_gets_the_nearest_name(project):
    with pytest.raises(UserError, match="did you mean `cifar10_subset`") as caught:
        data_hash("cifar10_subst")
    assert "datasets.yaml" in str(caught.value)


def test_without_an_adoption_the_code_is_todays(adopted):
    adopted()
    assert accepted_code("pretrain", "new") == "new" and adoption_of("pretrain", "new") is None


def test_an_adoption_maps_new_code_to_old_for_its_stage_alone(adopted):
    adopted(entry())
    assert accepted_code("pretrain", "new") == "old" and adoption_of("pretrain", "new") == entry()
    assert accepted_code("supervised", "new") == "new" and adoption_of("supervised", "new") is None


def test_an_adoption_of_code_that_changed_again_does_not_count(adopted):
    adopted(entry(code="between"))
    assert accepted_code("pretrain", "new") == "new" and adoption_of("pretrain", "new") is None


def test_an_adopted_run_has_the_fingerprint_that_the_old_code_gave(adopted, monkeypatch):
    def now(code: str) -> str:
        monkeypatch.setattr(runs, "code_hash", lambda stage, named: code)
        return tiny.a_run("pretrain").fingerprint

    tiny.prepare_tiny(Path())
    adopted()
    before = now("old")
    assert now("new") != before
    adopted(entry())
    assert now("new") == before


def test_a_project_without_adoptions_needs_no_file(project):
    (project / "params" / "adopted.yaml").unlink()
    fingerprint.adoptions.cache_clear()
    assert fingerprint.adoptions() == ()


def test_fingerprints_stay_what_they_are():
    """A known answer: with another one every finished run of every user would be made again."""
    bindings = {"b.c": [0.1, True, None], "a.b": 1, "execution.device": "cpu"}
    assert of("pretrain", 3, bindings, "digits", "above") == "aca637476d1606a1007cd04c"


def test_the_data_hash_of_photographs_is_over_what_lists_them(project):
    path = project / "params" / "datasets.yaml"
    declared = files.read_yaml(path)

    def now(**changes) -> str:
        files.write_yaml(path, {**declared, "voc2007": {**declared["voc2007"], **changes}})
        declaration_of.cache_clear()
        return data_hash("voc2007")

    before = now()
    assert now(title="Another name", by_hand="-") == before
    others = [
        now(difficult="present"),
        now(layout="imagefolder"),
        now(absent="skip"),
        now(undecodable=["a.jpg"]),
        now(validation={"official": 2511}),
    ]
    assert len({before, *others}) == 6
    declaration_of.cache_clear()


def test_the_code_that_lists_photographs_counts(project, monkeypatch):
    modules = fingerprint.listing_code("voc2007")
    layout, lists = "stages.obtaining.layouts.voc2007", "stages.obtaining.official_lists"
    assert modules == (layout, "stages.obtaining.matlab", lists)
    before = data_hash("voc2007"), data_hash("digits")
    for touched in modules:
        monkeypatch.setattr(
            fingerprint, "module_hash", lambda module, touched=touched: str(module == touched)
        )
        after = data_hash("voc2007"), data_hash("digits")
        assert after[0] != before[0] and after[1] == before[1]
        before = after


def test_of_several_adoptions_the_last_counts(adopted):
    adopted(entry(same_as="older"), entry(same_as="old"), entry(stage="supervised", same_as="none"))
    assert accepted_code("pretrain", "new") == "old"


def test_an_adoption_without_a_reason_is_refused_with_its_line(adopted):
    adopted(entry(), entry(reason=" "))
    with pytest.raises(UserError, match="needs a reason") as caught:
        fingerprint.adoptions()
    text = Path("params/adopted.yaml").read_text().splitlines()
    number = [place for place, said in enumerate(text, 1) if "reason" in said][1]
    assert f"params/adopted.yaml, line {number}" in str(caught.value)
