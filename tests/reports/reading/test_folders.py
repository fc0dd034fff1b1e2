"""Which results a command reads, and what it says where it would read none although some are committed."""

import re
import shutil

import pytest

from common.errors import UserError
from common.files import read_json
from common.run_records import RECORDS
from reports import draw, index, trace, verdict
from reports.reading.folders import Folders
from tests.reports.conftest import SCALE, Lab, call, refused

COMMANDS = {"verdict": verdict.main, "draw": draw.main, "index": index.main}


@pytest.fixture
def committed(lab: Lab) -> Lab:
    """Results that are committed alone, as in a fresh clone."""
    lab.put("table_05", ["l2_norm", "temperature"], [["yes", 0.1, 0, "top1", 30.0, "tau1-seed0"]])
    lab.settle()
    shutil.move(lab.results / SCALE / "tidy", lab.evidence / SCALE)
    shutil.rmtree(lab.results)
    return lab


def options(lab: Lab, *names: str) -> list[str]:
    paths = {name: getattr(lab, name) for name in ("results", "params", "evidence", "out", *names)}
    return ["--scale", SCALE, *(text for name, path in paths.items() for text in (f"--{name}", str(path)))]


def told(lab: Lab, command: str) -> list[str]:
    return options(lab, *(["metrics"] if command == "index" else []))


@pytest.mark.parametrize("command", COMMANDS)
def test_where_only_committed_results_lie_a_command_says_how_to_read_them(committed, command):
    before = {path: path.read_bytes() for path in committed.evidence.rglob("*") if path.is_file()}
    with refused(f"scale {SCALE} has no results of your own .* add --from evidence"):
        call(COMMANDS[command], *told(committed, command))
    assert {path: path.read_bytes() for path in committed.evidence.rglob("*") if path.is_file()} == before
    assert not committed.results.exists() and not committed.out.exists()


@pytest.mark.parametrize("command", ["verdict", "draw"])
def test_so_does_a_command_for_one_exhibit(committed, command):
    with refused(f"no results of your own for table_05 .* run --scale {SCALE} --exhibit table_05"):
        call(COMMANDS[command], *told(committed, command), "--exhibit", "table_05")


def test_numbers_are_traced_in_committed_results_too(committed, capsys):
    words = [word for word in told(committed, "trace") if word not in ("--out", str(committed.out))]
    with refused("no results of your own for table_05 .* add --from evidence"):
        call(trace.main, *words, "--exhibit", "table_05")
    call(trace.main, *words, "--exhibit", "table_05", "--from", "evidence")
    said = capsys.readouterr().out
    assert "top1" in said and "--sweep table_05 --run tau1-seed0" in said and "not known" in said


@pytest.mark.parametrize("command", ["verdict", "trace"])
def test_what_is_damaged_among_the_committed_results_is_restored_by_git(committed, command):
    """Collecting cannot mend it."""
    path = committed.evidence / SCALE / "table_05" / "rows.csv"
    path.write_text(path.read_text().replace("30.0", "31.0"))
    words = [*told(committed, command), "--exhibit", "table_05", "--from", "evidence"]
    if command == "trace":
        words = [word for word in words if word not in ("--out", str(committed.out))]
    with refused(f"rows.csv what to do restore what is committed: git restore {path.parent}") as caught:
        call((COMMANDS | {"trace": trace.main})[command], *words)
    assert "collect" not in str(caught.value)


def test_the_page_of_committed_results_prints_commands_that_read_them(committed):
    words = [*told(committed, "index"), "--from", "evidence"]
    call(verdict.main, *options(committed), "--from", "evidence")
    call(draw.main, *options(committed), "--from", "evidence")
    call(index.main, *words)
    page = (committed.out / SCALE / "index.html").read_text()
    assert f"<code>{committed.evidence / SCALE / RECORDS}</code>, as far as they were committed" in page
    printed = re.findall(r"python -m reports\.[^<]*", page)
    assert printed == ["python -m reports.trace --scale smoke --exhibit table_05 --from evidence"]
    (committed.out / SCALE / "verdicts.json").unlink()
    (committed.out / SCALE / "table_05.json").unlink()
    call(index.main, *words)
    page = (committed.out / SCALE / "index.html").read_text()
    assert re.findall(r"python -m reports\.[^<]*", page) == [
        "python -m reports.verdict --scale smoke --from evidence",
        "python -m reports.draw --scale smoke --exhibit table_05 --from evidence.",
    ]


def test_an_exhibit_that_is_not_judged_says_how_to_judge_what_is_committed(committed):
    with refused("reports.verdict --scale smoke --exhibit table_05 --from evidence"):
        call(draw.main, *options(committed), "--exhibit", "table_05", "--from", "evidence")


def test_the_committed_results_are_read_as_the_message_says(committed):
    for command, main in COMMANDS.items():
        call(main, *told(committed, command), "--from", "evidence")
    assert "30" in (committed.out / SCALE / "table_05.csv").read_text()
    assert (committed.out / SCALE / "index.html").exists()


def test_without_any_results_the_claims_are_not_run_and_one_exhibit_is_refused(lab):
    lab.declare("table_05", ["l2_norm", "temperature"])
    call(verdict.main, *told(lab, "verdict"))
    with pytest.raises(UserError, match="missing"):
        call(draw.main, *told(lab, "draw"), "--exhibit", "table_05")


def test_a_drawing_whose_rows_lie_elsewhere_is_no_result_of_ours(committed):
    """`make page` drew it from what is committed; beside results of another exhibit it would be taken for these."""
    for main in (verdict.main, draw.main):
        call(main, *options(committed), "--from", "evidence")
    assert (committed.out / SCALE / "table_05.json").is_file()
    committed.put("figure_08", ["projection", "output_dim"], [["linear", 32, 0, "top1", 40.0, "p1-seed0"]])
    committed.settle()
    before = {path: path.read_bytes() for path in sorted((committed.evidence / SCALE / "table_05").iterdir())}
    for command, main in COMMANDS.items():
        call(main, *told(committed, command))
    assert {path: path.read_bytes() for path in before} == before
    assert list(read_json(committed.metrics / f"{SCALE}.json")) == ["figure_08"]


def test_a_sentence_in_the_scale_s_own_file_is_an_input():
    names = {path.as_posix() for path in Folders().inputs("table_05", "reduced_long")}
    assert {"params/scales/reduced_long.yaml", "params/scales/reduced.yaml"} <= names
