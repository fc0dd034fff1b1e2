"""Records of runs are kept with the evidence, and those of other machines stay."""

import pytest

from common import atomic, files
from common.run_records import COLUMNS
from stages import keep_records, pretrain  # noqa: F401 (gin then knows its names)
from stages.planning import plans
from stages.running import store
from stages.running.job import Job
from tests.stages import tiny

PATH = "reports/evidence/smoke/records.csv"


def test_records_of_finished_runs_are_kept_and_those_of_other_machines_stay(project, capsys):
    tiny.declare_only(project, {"table_05": tiny.TWO_PRETRAININGS})
    first, second = plans.resolve("table_05", "smoke").runs("pretrain")
    header = ",".join(COLUMNS)
    files.write_text(PATH, f"{header}\nelsewhere,pretrain,2026-01-01,7.5,10,1,cpu,another,abc\n")
    Job(first, tiny.RESULTS).finish({"loss": 1.0})
    assert keep_records.main(["--scale", "smoke"]) == 0
    _, rows = files.read_csv(PATH)
    found = {row[0]: row[1] for row in rows}
    assert found == {"elsewhere": "pretrain", first.fingerprint: "pretrain"}
    assert second.fingerprint not in found and "2 runs" in capsys.readouterr().out


@pytest.mark.parametrize("record", ["{", "{}", '{"seconds": "long"}'])
def test_a_run_without_a_whole_record_is_left_out(project, record):
    tiny.declare_only(project, {"table_05": tiny.TWO_PRETRAININGS})
    whole, broken = plans.resolve("table_05", "smoke").runs("pretrain")
    for run in (whole, broken):
        Job(run, tiny.RESULTS).finish({"loss": 1.0})
    files.write_text(store.store_folder(tiny.RESULTS, broken) / store.RECORD, record)
    assert keep_records.main(["--scale", "smoke"]) == 0
    _, rows = files.read_csv(PATH)
    assert [row[0] for row in rows] == [whole.fingerprint]


def test_the_record_of_another_run_in_the_sweep_is_not_this_run_s(project):
    tiny.declare_only(project, {"table_05": tiny.TWO_PRETRAININGS})
    first, second = plans.resolve("table_05", "smoke").runs("pretrain")
    Job(first, tiny.RESULTS).finish({"loss": 1.0})
    atomic.link_tree(store.store_folder(tiny.RESULTS, first), second.folder(tiny.RESULTS))
    keep_records.main(["--scale", "smoke"])
    assert [row[0] for row in files.read_csv(PATH)[1]] == [first.fingerprint]
