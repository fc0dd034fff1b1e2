"""The bench itself: what it writes, the page made of it, and contenders that answer; nothing here is timed."""

import json
import sys

import pytest

from stages.planning import plans
from stages.running import store
from tests.bench import findings, page, stand_ins
from tests.bench.contenders import Contender, interleaved, ratio
from tests.bench.findings import Finding, Report
from tests.stages.conftest import project  # noqa: F401 - a fixture

MACHINE = {
    "cores": 2,
    "fast_bfloat16": True,
    "memory_gib": 8,
    "processor": "a CPU",
    "python": "3",
    "system": "Linux",
    "torch": "2",
}


def test_the_page_has_the_numbers_of_the_file():
    """Whoever measures again, or edits a number by hand, makes the page anew: `python -m tests.bench.page`."""
    found = json.loads(page.PLACE.read_text())
    assert page.filled(page.PAGE.read_text(), found) == page.PAGE.read_text()
    assert page.plot(page.growth_of(found)) == page.PLOT.read_bytes()


def test_every_number_of_the_file_reaches_the_table():
    found = json.loads(page.PLACE.read_text())
    entries = [
        each for section in found.values() for row in section["rows"].values() for each in row["findings"]
    ]
    assert entries
    for each in entries:
        assert (
            f"| {each['what']} | {findings.number(each['value'])} {each['unit']} |" in page.PAGE.read_text()
        )


@pytest.mark.parametrize(
    ("value", "least", "most", "met"),
    [
        (6.0, 6, None, True),
        (5.9, 6, None, False),
        (4.1, None, 4, False),
        (4.0, None, 4, True),
        (1, None, None, None),
    ],
)
def test_a_bound_is_kept_or_not(value, least, most, met):
    finding = Finding("something", value, "x", least, most)
    assert finding.met is met
    said = findings.standing({"value": value, "at_least": least, "at_most": most, "met": met})
    assert said == {True: "met", None: ""}.get(met, f"not met: {value} of {least or most}")


def test_a_report_is_written_a_row_at_a_time_and_keeps_other_rows_and_sections(tmp_path):
    path = tmp_path / "bench.json"
    first = Report("bench", MACHINE, path)
    first.add("one", [Finding("a", 1.23456789, "x", measured={"deep": [0.123456]})], 0.1)
    first.fail("two", "ValueError: none", 0.2)
    Report("suite", MACHINE, path).add("three", [Finding("b", 2.0, "s")], 0.0)
    again = Report("bench", MACHINE, path)
    again.add("one", [Finding("a", 3.0, "x")], 0.1)
    found = json.loads(path.read_text())
    assert list(found) == ["bench", "suite"] and list(found["bench"]["rows"]) == ["one", "two"]
    assert found["bench"]["rows"]["one"]["findings"][0]["value"] == 3.0
    assert found["bench"]["rows"]["two"]["failed"] == "ValueError: none"
    assert findings.rounded({"x": [1.23456789]}) == {"x": [1.235]}


def test_another_machine_starts_its_section_anew(tmp_path):
    path = tmp_path / "bench.json"
    Report("bench", MACHINE, path).add("one", [Finding("a", 1.0, "x")], 0.0)
    Report("bench", MACHINE | {"cores": 4}, path).add("two", [Finding("b", 1.0, "x")], 0.0)
    assert list(json.loads(path.read_text())["bench"]["rows"]) == ["two"]


def counting(start: float):
    """A contender that measures start, start + 1, ..."""
    count = iter(range(100))
    print("a library that talks")
    return lambda: start + next(count)


def broken():
    raise ValueError("not here")


def test_contenders_take_turns_and_their_processes_add_up():
    both = {
        "a": Contender("tests.test_bench:counting", {"start": 1}, processes=2),
        "b": Contender("tests.test_bench:counting", {"start": 10}, python=sys.executable),
    }
    found = interleaved(both, 3)
    assert found == {"a": [2, 4, 6], "b": [10, 11, 12]}
    assert ratio(found["b"], found["a"]) == 11 / 4


def test_a_contender_that_dies_is_named():
    with pytest.raises(RuntimeError, match=r"tests\.test_bench:broken ended with status 1"):
        Contender("tests.test_bench:broken").__enter__()


def test_what_stands_in_for_a_run_is_taken_for_a_finished_one(project, monkeypatch):  # noqa: F811
    run, other, *_ = plans.resolve("table_02", "smoke").runs("gradients")
    stand_ins.finish(run)
    assert store.is_finished(store.store_folder(stand_ins.RESULTS, run), run)
    monkeypatch.setattr(store, "is_finished", lambda *_: False)
    with pytest.raises(RuntimeError, match="not taken for a finished run"):
        stand_ins.finish(other)
